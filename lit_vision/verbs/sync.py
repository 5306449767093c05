"""`lit-vision sync RUN…`: a W&B run built anew from a run's local files. No torch here.

The run keeps its id, name, group, tags and configuration; its history is what `runs.read_metrics` returns, so what an
interruption left behind is gone and several offline pieces are one run. Summary, diagnosis and gallery follow.

Offline it becomes one folder below `RUN/wandb/sync/` for `wandb sync`: send that instead of the run's own pieces, not
after them, or W&B has every step twice. Nothing is ever deleted, and a run that has not changed is not built again.

W&B's history only grows: a line cannot be taken back or put between others. Where W&B already has history under the id,
only lines of optimiser steps beyond its last one are added, and summary, configuration and panels are renewed; what it
has stays, tails of interruptions included. That is decided when the run is opened online; a folder that was built
offline holds everything, and is meant for a run that W&B does not have yet.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb

from lit_vision.errors import InputError
from lit_vision.loggers import wandb_files, wandb_identity, wandb_panels
from lit_vision.report import collect
from lit_vision.report.collect import Run
from lit_vision.runs import durable, plain_json
from lit_vision.runs import folder as runs
from lit_vision.verbs.arguments import Parser

STEP = "trainer/global_step"

# What describes the machine at hand, which need not be the one that trained.
_UNASKED = {"x_disable_stats": True, "x_disable_meta": True, "x_disable_machine_info": True, "disable_git": True}
_READ = (
    *("config.yaml", "run.json", "metrics.jsonl", "result.json", "diagnosis.json", "gallery/*", "diagnosis/*"),
    *("tests/*/result.json", "analyses/*/result.json", "analyses/*/plot.png"),
)


def run(argv: Sequence[str]) -> int:
    """Rebuilds each run and says what became of it; returns the exit code."""
    arguments = _parser().read(argv)
    mode = _mode(arguments.online)
    found = collect.find(Path(name) for name in arguments.runs)
    if not found:
        raise InputError(f"no run at or below {', '.join(arguments.runs)}; name a run's folder")
    for each in found:
        print(sync(each, mode))
    return 0


def _parser() -> Parser:
    parser = Parser("lit-vision sync", description="A W&B run from local files, online with a key, else offline.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or one that holds runs")
    parser.add_argument("--online", action="store_true", help="never offline: an error where there is no key")
    return parser


def _mode(online: bool) -> str:
    mode = wandb_files.chosen_mode("auto")
    if mode == "online" or (mode == "offline" and not online):
        return mode
    if mode == "offline":
        raise InputError("--online needs a key: run wandb login, or set WANDB_API_KEY, with WANDB_MODE unset or online")
    raise InputError(f"WANDB_MODE is {mode}; unset it, or set it to online or offline")


def sync(run: Run, mode: str) -> str:
    """Builds the W&B run unless that has been done already.

    Args:
        run: The local run.
        mode: `online` or `offline`.

    Returns:
        What was done, in one or two lines.

    Raises:
        InputError: If the run's files are damaged or incomplete, or W&B does not answer.
    """
    durable.refuse_links(run.path)
    lines = _lines(run)
    done, digest = _done(run), _digest(run.path)
    before = _place(run, mode, done[mode]["where"]) if mode in done else None
    if before and done[mode]["digest"] == digest and (mode == "online" or Path(before).is_dir()):
        return f"{run.path}: built already, and nothing has changed since: {before}"
    where, had = _build(run, lines, mode)
    runs.write_json(_home(run) / "done.json", done | {mode: {"digest": digest, "where": where}})
    place = _place(run, mode, where)
    return _sent(run, place, had) if mode == "online" else _written(run, place, len(lines), before)


def _lines(run: Run) -> list[dict[str, Any]]:
    """The history, checked together with everything else that the run must hold."""
    if not wandb_identity.id_of(run.path, run.state):
        raise InputError(f"{run.path}/run.json holds no wandb_id, the run's id in W&B; restore run.json")
    if not run.config:
        raise InputError(f"{run.path}/config.yaml is gone; restore it: it holds name, tags and configuration")
    lines = run.metrics
    if any("time" not in line for line in lines):
        raise InputError(f"{run.folder.metrics} is damaged: a line has no time; restore the file")
    if not lines and not run.finished:
        raise InputError(f"{run.path} has logged nothing yet; there is nothing to send")
    return lines


def _build(run: Run, lines: list[dict[str, Any]], mode: str) -> tuple[str, int | None]:
    """Writes or sends the run; returns its URL or its folder's name, and the last step that W&B had of it already."""
    panels = (
        wandb_panels.read(run.path) | wandb_panels.gallery(run.path) | wandb_panels.plots(run.path)
    )  # before W&B is opened: they may be damaged
    wandb_files.keep_local(run.path)
    try:
        opened = _open(run, mode)
        had = _last_step(opened)
        for line in lines:
            if had is None or line["step"] > had:
                opened.log(_entry(line))
        if panels:
            opened.log(panels)
        if run.finished:
            opened.summary.update(wandb_identity.summary(run.result) | _later(run))
        where = str(opened.url) if mode == "online" else Path(opened.dir).parent.name
        opened.finish(exit_code=0 if run.finished else 1)
    except (wandb.Error, OSError) as error:
        raise InputError(
            f"{run.path}: W&B failed ({' '.join(str(error).split())[:200]}); nothing is lost,\n"
            f"try again, or with WANDB_MODE=offline"
        ) from None
    finally:
        wandb.teardown()  # the file is complete only now, and the next run has caches of its own
    wandb_files.cap(run.path)
    return where, had


def _later(run: Run) -> dict[str, Any]:
    """Figures of later tests and analyses, each under its row."""
    return {
        f"{other.path.name}/{name}": value for other in run.later for name, value in other.result["figures"].items()
    }


def _open(run: Run, mode: str) -> Any:
    settings = wandb_files.settings(wandb_files.ARTIFACT_SECONDS)
    for name, value in _UNASKED.items():
        if hasattr(settings, name):
            setattr(settings, name, value)
    home = _home(run)
    home.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"id": run.state["wandb_id"], "mode": mode, "resume": "allow"}
    options |= wandb_identity.place(run.config) | wandb_identity.of(run.config)._asdict()
    opened = wandb.init(dir=str(home), settings=settings, **options)
    opened.define_metric(STEP)
    opened.define_metric("*", step_metric=STEP, step_sync=True)
    return opened


def _last_step(opened: Any) -> int | None:
    """The last optimiser step that W&B has of this run; None where it has no history."""
    known = opened.summary.get(STEP) if opened.resumed else None
    return None if known is None else int(known)


def _entry(line: dict[str, Any]) -> dict[str, Any]:
    """A history entry with the time at which the figures were logged; W&B sets the time since the start by itself."""
    figures = {name: value for name, value in line.items() if name not in ("step", "time")}
    return figures | {STEP: line["step"], "_timestamp": line["time"]}


def _sent(run: Run, url: str, had: int | None) -> str:
    kept = "" if had is None else f"; W&B had its history up to step {had}, which stays as it is"
    return f"{run.path}: W&B run {run.state['wandb_id']} is at {url}{kept}"


def _written(run: Run, place: str, entries: int, before: str | None) -> str:
    other = f"not {before} too, which is older" if before else "not the run's own offline pieces too"
    return (
        f"{run.path}: W&B run {run.state['wandb_id']}, {entries} history entries; send it, and {other}:\n"
        f"wandb sync {place}"
    )


def _place(run: Run, mode: str, where: str) -> str:
    """The URL, or the path of the offline folder."""
    return where if mode == "online" else str(_home(run) / "wandb" / where)


def _home(run: Run) -> Path:
    return run.path / "wandb" / "sync"


def _done(run: Run) -> dict[str, Any]:
    """What was built before, by mode: the digest of what it was built from, and where it is."""
    file = _home(run) / "done.json"
    if not file.is_file():
        return {}
    return plain_json.read(file, "remove it, and the run is built anew")


def _digest(folder: Path) -> str:
    """Identity of all that a W&B run is built from, and of where it lies: the offline file names pictures by path."""
    found = hashlib.sha256(str(folder.resolve()).encode())
    for pattern in _READ:
        for path in sorted(folder.glob(pattern)):
            content = path.read_bytes()
            found.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return found.hexdigest()
