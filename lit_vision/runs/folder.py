"""Run folders: their names, their files, and how a run is found again. No torch here.

runs/<recipe>/<row slug>/<time>-<4 random characters>/
    config.yaml        the resolved configuration, with card and origin; reruns the run
    run.json           recipe, row, digest of the configuration, W&B id, seal (`ownership.py`)
    metrics.jsonl      append-only; the truth about every logged figure
    result.json        the judged figures, once the test pass is done
    checkpoints/       last.ckpt and its like (`checkpoints.py`)
    wandb/
"""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_vision.errors import InputError
from lit_vision.experiment import compose, yamlio
from lit_vision.runs import durable, filenames, plain_json

ROOT = Path("runs")
RESUMED = "resumed_at"
TESTS, ANALYSES = "tests", "analyses"  # below a run: what later tests and analyses say of its weights
STAGES = "stages"  # below a run: the trainings before its own

# Exit codes of a run that was stopped and can be continued.
INTERRUPTED = 130  # the shell's code for a program that Ctrl-C ended
PREEMPTED = 75  # after SIGTERM or SIGUSR1: sysexits.h's "temporary failure, try again"

# What may differ when a run is continued: where it lies, what it continues from, how often it saves, and how the total
# batch is spread over devices.
_UNDIGESTED = (
    *("ckpt_path", "origin", "card", "checkpoint"),
    *(f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy")),
    *("data.max_per_device", "data.num_workers"),
    "data.proposals",  # where they lie; the data's fingerprint says what they are
)


@dataclass(frozen=True)
class RunFolder:
    """One run's folder and its files."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """Every logged figure."""
        return self.path / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """The judged figures."""
        return self.path / "result.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint a run continues from."""
        return self.checkpoints / "last.ckpt"

    def stage(self, name: str) -> "RunFolder":
        """An earlier stage of the run."""
        return RunFolder(self.path / STAGES / slug(name))

    @property
    def state(self) -> dict[str, Any]:
        """What `run.json` holds; empty if the folder is no run."""
        file = self.path / "run.json"
        if not file.is_file():
            return {}
        return plain_json.read(file, "restore it, or start another run with --run DIR")

    def note(self, **entries: Any) -> None:
        """Adds entries to `run.json`."""
        write_json(self.path / "run.json", self.state | entries)

    @property
    def finished(self) -> bool:
        """Whether training and its test pass are done."""
        return self.result.is_file()


def new(recipe: str, row: str | None) -> RunFolder:
    """A folder that does not exist yet, for a run of this recipe and row."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return RunFolder(below(ROOT, recipe) / slug(row or "recipe") / f"{stamp}-{secrets.token_hex(2)}")


def below(root: Path, recipe: str) -> Path:
    """Where a recipe's runs lie; its name may come from a file, and leads nowhere else."""
    return root.joinpath(*(filenames.of(part) for part in recipe.split("/") if part))


def slug(text: str) -> str:
    """A row's name as a folder name: `1b gamma=2` becomes `1b-gamma-2`."""
    return filenames.of(re.sub(r"[^\w.]+", "-", text).strip("-.").lower() or "row")


def digest(config: compose.Config) -> str:
    """Identity of a resolved configuration: equal digests are the same experiment.

    Where a run lies and what it continues from are left out.
    """
    return hashlib.sha256(json.dumps(_digested(config), sort_keys=True, default=str).encode()).hexdigest()[:16]


def _digested(config: compose.Config) -> compose.Config:
    """What makes the experiment, by dotted key."""
    leaves = compose.flatten(config).items()
    return {key: value for key, value in leaves if not f"{key}.".startswith(tuple(f"{name}." for name in _UNDIGESTED))}


def newest_unfinished(recipe: str, row: str | None, identity: str) -> RunFolder:
    """The newest unfinished run with this resolved configuration.

    Raises:
        InputError: If there is none; says whether a run with another configuration would have matched.
    """
    where = below(ROOT, recipe) / slug(row or "recipe")
    runs = [RunFolder(path) for path in sorted(where.glob("*/"), reverse=True)]
    unfinished = [run for run in runs if run.state and not run.finished]
    for run in unfinished:
        if run.state.get("digest") == identity:
            return run
    if unfinished:
        raise InputError(
            f"--ckpt_path last: no unfinished run in {where} has this configuration; the newest,\n"
            f"{unfinished[0].path}, differs; repeat its options, or continue it with --run {unfinished[0].path}"
        )
    raise InputError(
        f"--ckpt_path last: there is no unfinished run in {where} to continue; leave the option out to start"
    )


def refuse_other_configuration(run: RunFolder, config: compose.Config) -> None:
    """Checks that an existing folder was started with this resolved configuration.

    Raises:
        InputError: Names the first keys that differ.
    """
    keys = compose.differing(_digested(yamlio.load(run.config)), _digested(config))
    if keys:
        shown = ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
        raise InputError(
            f"--run {run.path} was started with another configuration: {shown} differ;\n"
            f"repeat its options, or name another folder"
        )


def refuse_headless(run: RunFolder) -> None:
    """Checks that a folder with checkpoints still says which run they are of, before a new run would overwrite them.

    Raises:
        InputError: If `run.json` is gone, or the configuration that belongs to it.
    """
    if run.state and not run.config.is_file():
        raise InputError(f"{run.config} is gone; restore it, or start another run with --run DIR")
    if not run.state and any(run.checkpoints.glob("*.ckpt")):
        raise InputError(
            f"{run.path} holds checkpoints, but its run.json is gone; restore it, or start another run with --run DIR"
        )


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The logged figures in order, without the tails that interruptions left behind."""
    return without_tails(json_lines(path))


def without_tails(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of `metrics.jsonl` in order, without the tails that interruptions left behind.

    A `resumed_at` line says at which optimiser step a run went on, 0 if it began again; what an earlier piece logged
    beyond that step was done again and is dropped. Of what was done again at that very step (the test pass), the last
    counts.
    """
    lines: list[dict[str, Any]] = []
    before = 0
    for entry in entries:
        if RESUMED in entry:
            step = entry[RESUMED]
            lines = [line for line in lines if line["step"] <= step] if step else []
            before = len(lines)
        elif (again := _position(lines[:before], entry)) is not None:
            lines[again] = entry
        else:
            lines.append(entry)
    return lines


def _position(lines: list[dict[str, Any]], entry: dict[str, Any]) -> int | None:
    """Where the same figures of the same step stand already."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index]["step"] != entry["step"]:
            return None
        if lines[index].keys() == entry.keys():
            return index
    return None


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a file of JSON lines as they stand there, without a torn last one.

    Raises:
        InputError: If another line is no JSON.
    """
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                yield plain_json.parse(text)
            except ValueError:
                if text.endswith(b"\n"):
                    raise InputError(f"{path}, line {number} is no JSON; the file is damaged") from None


def write_json(path: Path, content: Any) -> None:
    """Writes a file whole, or not at all: a reader never meets half of it."""
    durable.write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
