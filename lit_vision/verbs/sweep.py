"""`lit-vision sweep run | status | best | resume`: W&B sweep files without an account. No torch here."""

import argparse
import json
import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from lit_vision import files, terminal
from lit_vision.errors import InputError
from lit_vision.experiment import compose
from lit_vision.runs import folder as runs
from lit_vision.sweeps import command, definition, lease, points, ranking, storage
from lit_vision.sweeps import study as plans
from lit_vision.sweeps.agent import Agent, Settings
from lit_vision.sweeps.board import Board, State
from lit_vision.sweeps.definition import Sweep
from lit_vision.verbs.arguments import Parser, count

ROOT = runs.ROOT / "sweeps"
STUDY = "study.db"

FAILED = 1  # exit code of a sweep whose trials have all failed

_CHECKED = 100  # points that are resolved before the first trial begins
_MAY_GROW = "run_cap"


@dataclass(frozen=True)
class Study:
    """A sweep's study, opened.

    Attributes:
        name: The sweep.
        place: Its database or journal file.
        folder: Where its trials have their run folders.
        options: Further options of every trial.
        board: Its points.
    """

    name: str
    place: str
    folder: Path
    options: list[str]
    board: Board


def run(argv: Sequence[str]) -> int:
    """Runs one of the four; returns the exit code."""
    own, options = _split(argv)
    arguments = _parser().read(own)
    if options and arguments.action != "run":
        raise InputError(f"sweep {arguments.action} takes no options of trials, got {' '.join(options)}")
    if arguments.action == "run":
        return _work(_start(arguments, options), arguments)
    study = _find(arguments)
    if arguments.action == "resume":
        if arguments.failed:
            study.board.retry()
        return _work(study, arguments)
    print(_status(study, arguments.json) if arguments.action == "status" else _best(study, arguments.top))
    return 0


def _start(arguments: argparse.Namespace, options: list[str]) -> Study:
    """The study of a sweep file, made unless an agent has made it."""
    sweep = definition.load(definition.find(arguments.file))
    _check(sweep, arguments.seeds, options)
    folder = Path(arguments.dir or ROOT) / sweep.name
    place = arguments.storage or str(folder / STUDY)
    asked = {
        "content": sweep.content,
        "source": sweep.source,
        "seeds": arguments.seeds,
        "options": options,
        "folder": str(folder.resolve()),
    }
    kept = storage.open_storage(place)
    stored = plans.create(kept, sweep.name, sweep.goal, asked)
    _refuse_other(sweep.name, asked, stored)
    if stored["content"] != asked["content"]:
        stored = plans.change(kept, sweep.name, stored | {"content": sweep.content})
    return _opened(sweep.name, place, kept, stored, arguments)


def _find(arguments: argparse.Namespace) -> Study:
    """The study that the user names by its file or its name.

    Raises:
        InputError: If there is none; names those that are there.
    """
    name = _name(arguments.sweep)
    root = Path(arguments.dir or ROOT)
    place = arguments.storage or str(root / name / STUDY)
    if not arguments.storage and not files.is_there(place):
        known = ", ".join(sorted(file.parent.name for file in root.glob(f"*/{STUDY}")))
        held = f"{root} holds no sweep {name!r}, but {known}" if known else f"{root} holds no sweep"
        raise InputError(f"{held}; start one with lit-vision sweep run, or say where it is with --dir or --storage")
    kept = storage.open_storage(place)
    return _opened(name, place, kept, plans.stored_plan(kept, name, place), arguments)


def _opened(name: str, place: str, kept: BaseStorage, stored: dict[str, Any], arguments: argparse.Namespace) -> Study:
    sweep = definition.parse(stored["content"], stored["source"])
    # A shared storage knows the folder; a sweep's own storage lies in it, wherever it was moved to.
    folder = Path(stored["folder"]) if arguments.storage and not arguments.dir else Path(arguments.dir or ROOT) / name
    plan = points.enumerate_all(sweep, stored["seeds"])
    return Study(name, place, folder, stored["options"], Board(kept, name, sweep, plan))


def _work(study: Study, arguments: argparse.Namespace) -> int:
    """Works at the study; the exit code is the agent's, or `FAILED` where every trial has failed."""
    settings = Settings(arguments.jobs, arguments.count, arguments.lease, study.options)
    with terminal.outliving():
        print(f"{study.name}: {len(study.board.plan)} trials in {study.folder}, study in {study.place}", flush=True)
        code = Agent(study.name, study.board, study.folder, settings).run()
        print(f"\n{_status(study)}")
    return code or (FAILED if all(trial.state is State.FAILED for trial in study.board.trials()) else 0)


def _status(study: Study, as_json: bool = False) -> str:
    trials = study.board.trials()
    if as_json:
        return json.dumps(ranking.as_json(trials, study.folder), indent=1, ensure_ascii=not terminal.takes_unicode())
    return ranking.table(study.board.sweep, trials)


def _best(study: Study, top: int) -> str:
    sweep = study.board.sweep
    ranked = ranking.groups(study.board.trials(), sweep.goal)
    if not ranked:
        raise InputError(f"{study.name}: no trial has finished yet; lit-vision sweep status {study.name} shows them")
    lines = []
    for rank, group in enumerate(ranked[:top], 1):
        values = ", ".join(f"{key}={value}" for key, value in group.values.items())
        lines.append(f"{rank}. {sweep.metric} {group.figure()}: {values}")
    best = ranked[0]
    words = [*command.expand(sweep, best.values), *study.options]
    lines += [f"run: {study.folder / f'{trial.point:03}'}" for trial in best.trials]
    return "\n".join([*lines, f"again: {shlex.join(command.readable(words))}"])


def _check(sweep: Sweep, seeds: int | None, options: list[str]) -> None:
    """Finds what every trial would trip over, before the first begins."""
    given = {option.removeprefix("--").partition("=")[0] for option in options}
    for one in sweep.parameters:
        if one.name in given:
            raise InputError(f"--{one.name} is a parameter of {sweep.source}; the sweep chooses its values")
    for point in points.enumerate_all(sweep, seeds)[:_CHECKED]:
        values = point.values or {one.name: one.value(one.draw(random.Random(0))) for one in sweep.parameters}
        command.check(sweep, [*command.expand(sweep, values), *options])


def _refuse_other(name: str, asked: dict[str, Any], stored: dict[str, Any]) -> None:
    """Checks that a study was made by this sweep; its number of trials alone may change."""
    plans = [
        plan["content"] | {"--seeds": plan["seeds"], "options": plan["options"], _MAY_GROW: None}
        for plan in (stored, asked)
    ]
    keys = compose.differing(*plans)
    if keys:
        raise InputError(
            f"a sweep {name!r} was started with another file or other options: {', '.join(keys[:4])} differ;\n"
            f"continue it with lit-vision sweep resume {name}, or give yours another name (name: …)"
        )


def _name(text: str) -> str:
    """A sweep's name, from its file or the name itself."""
    try:
        file = definition.find(text)
    except InputError:
        return runs.slug(Path(text).stem)  # the study of a sweep whose file is not here
    return definition.load(file).name


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """This verb's own arguments, and the options that go to every trial."""
    own: list[str] = []
    options: list[str] = []
    rest = iter(argv)
    for argument in rest:
        name, equals, text = argument.partition("=")
        if not name.startswith("--") or ("." not in name and name not in ("--config", "--row", "--seed_everything")):
            own.append(argument)
            continue
        text = text if equals else next(rest, "")
        if not text or text.startswith("--"):
            raise InputError(f"{name} needs a value; write {name} VALUE or {name}=VALUE")
        options.append(f"{name}={text}")
    return own, options


def _parser() -> Parser:
    parser = Parser("lit-vision sweep", description="Runs W&B sweep files here, without an account.")
    actions = parser.add_subparsers(dest="action", required=True)
    start = actions.add_parser("run", help="starts or joins a sweep; dotted keys go to all trials")
    start.add_argument("file", help=f"a sweep file, or one of: {', '.join(definition.names())}")
    start.add_argument("--seeds", type=count, help="repeats each point with seeds 1 to N")
    resume = actions.add_parser("resume", help="continues a sweep that was stopped")
    resume.add_argument("--failed", action="store_true", help="begins failed trials again, too")
    status = actions.add_parser("status", help="every trial: state, parameters, value, owner")
    status.add_argument("--json", action="store_true", help="one object a trial")
    best = actions.add_parser("best", help="the best parameters, their runs, the command to run them again")
    best.add_argument("--top", type=count, default=5, help="how many to show")
    for action in (resume, status, best):
        action.add_argument("sweep", help="the sweep's file or name")
    for action in (start, resume):
        action.add_argument("--jobs", type=count, default=1, help="trials at the same time")
        action.add_argument("--count", type=count, help="trials that this agent begins at most")
        action.add_argument("--lease", type=float, default=lease.SECONDS, help="seconds until a silent owner is gone")
    for action in (start, resume, status, best):
        action.add_argument("--dir", help=f"where sweeps have their folders ({ROOT})")
        action.add_argument("--storage", help="a shared database (URL), an SQLite file (.db) or a journal file")
    return parser
