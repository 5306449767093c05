"""`lit-vision slurm RECIPE … > job.sbatch`: a job file that trains one row, or an array over rows. No torch here."""

import argparse
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from lit_vision.errors import InputError
from lit_vision.experiment import compose, recipes, yamlio
from lit_vision.experiment.recipes import Experiment
from lit_vision.runs import folder as runs
from lit_vision.verbs.arguments import Parser, count

SIGNAL = "USR1"  # what SLURM sends before the time is over, and the command answers by saving and leaving
UNDOTTED = ("--seed_everything", "--data", "--model", "--protocol")  # keys of a configuration that have no dot
WAIT_SECONDS = 120  # ranks may end this long after the first: rank zero closes its W&B run last


class Machines(NamedTuple):
    """What a job asks for.

    Attributes:
        nodes: Machines.
        devices: Processes on each, one per device.
        gpus: Whether the devices are GPUs.
    """

    nodes: int
    devices: int
    gpus: bool


def run(argv: Sequence[str]) -> int:
    """Prints the job file; returns the exit code."""
    own, options = _split(argv)
    arguments = _parser().read(own)
    configs = [arguments.recipe, *arguments.config]
    card = recipes.resolve(configs[:1]).card
    rows = arguments.row or [name for name, row in card.rows.items() if row.trains] or [None]
    parsed = [(key, yamlio.value(text)) for key, text in options]
    experiments = [recipes.resolve(configs, row, parsed) for row in rows]
    asked = {machines(experiment) for experiment in experiments}
    if len(asked) > 1:
        raise InputError(f"rows of {arguments.recipe} ask for different devices; write a job file for each")
    print(job(arguments, options, experiments, asked.pop()), end="")
    return 0


def machines(experiment: Experiment) -> Machines:
    """The devices that the configuration names.

    Raises:
        InputError: It leaves their number open, which a job file cannot.
    """
    flat = compose.flatten(experiment.config)
    devices, nodes = flat.get("trainer.devices", "auto"), flat.get("trainer.num_nodes", 1)
    if not isinstance(devices, int) or devices < 1:
        raise InputError(
            f"trainer.devices is {devices!r}, but a job file needs their number for each node: "
            "add --config overlays/gpu8 or --trainer.devices N"
        )
    return Machines(int(nodes), devices, flat.get("trainer.accelerator", "gpu") != "cpu")


def job(
    arguments: argparse.Namespace, options: list[tuple[str, str]], experiments: list[Experiment], asked: Machines
) -> str:
    """The text of the job file."""
    row = ' --row "$row"' if experiments[0].card.rows else ""
    return "\n".join(
        [
            "#!/bin/bash",
            f"# {len(experiments)} run(s) of {arguments.recipe}; submit it by: sbatch FILE",
            *(f"#SBATCH --{line}" for line in _directives(arguments, len(experiments), asked)),
            "",
            *_choice(arguments, experiments),
            "",
            "# One process per device. A stopped run goes on from its last checkpoint, because --run names it.",
            f'srun --wait={WAIT_SECONDS} lit-vision fit {_command(arguments, options)}{row} --run "$run"',
            "code=$?",
            "",
            f"# {runs.PREEMPTED}: saved after a signal, and not finished.",
            f'if [ "$code" -eq {runs.PREEMPTED} ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
            'exit "$code"',
            "",
        ]
    )


def _directives(arguments: argparse.Namespace, count: int, asked: Machines) -> list[str]:
    """What SLURM reads, without the dashes."""
    named = {"partition": arguments.partition, "account": arguments.account}
    several = count > 1
    return [
        f"job-name={runs.slug(arguments.recipe)}",
        f"nodes={asked.nodes}",
        f"ntasks-per-node={asked.devices}",
        *([f"gpus-per-node={asked.devices}"] if asked.gpus else []),
        f"cpus-per-task={arguments.cpus}",
        f"time={arguments.time}",
        *(f"{key}={value}" for key, value in named.items() if value),
        *([f"array=0-{count - 1}"] if several else []),
        f"output=slurm-{'%A_%a' if several else '%j'}.out",
        "open-mode=append",  # what a requeued job prints stands below what it printed before
        "requeue",
        f"signal={SIGNAL}@{arguments.warn}",
    ]


def _choice(arguments: argparse.Namespace, experiments: list[Experiment]) -> list[str]:
    """Lines that set `row` and `run`: from the array's index where there are several."""
    # The number of a job stays the same when it is requeued.
    name = 'job-"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"'
    rows = [experiment.row or "" for experiment in experiments]
    slugs = [runs.slug(row or "recipe") for row in rows]
    if len(rows) > 1:
        base = shlex.quote(arguments.run or f"{runs.ROOT}/{experiments[0].name}")
        folder = f'{base}/"${{folders[SLURM_ARRAY_TASK_ID]}}"' + ("" if arguments.run else f"/{name}")
        listed = [f"rows=({shlex.join(rows)})", f"folders=({shlex.join(slugs)})"]
        return [*listed, "row=${rows[SLURM_ARRAY_TASK_ID]}", f"run={folder}"]
    own = f"{shlex.quote(f'{runs.ROOT}/{experiments[0].name}/{slugs[0]}')}/{name}"
    return [f"row={shlex.quote(rows[0])}", f"run={shlex.quote(arguments.run) if arguments.run else own}"]


def _command(arguments: argparse.Namespace, options: list[tuple[str, str]]) -> str:
    """Recipe, overlays and dotted keys as they were given."""
    given = [("config", name) for name in (arguments.recipe, *arguments.config)] + options
    return shlex.join(word for key, value in given for word in (f"--{key}", value))


def _split(argv: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """This verb's own arguments, and the dotted keys that go to the configuration."""
    own: list[str] = []
    options: list[tuple[str, str]] = []
    rest = iter(argv)
    for argument in rest:
        name, equals, text = argument.partition("=")
        if not name.startswith("--") or ("." not in name and name not in UNDOTTED):
            own.append(argument)
            continue
        text = text if equals else next(rest, "")
        if not text or text.startswith("--"):
            raise InputError(f"{name} needs a value; write {name} VALUE or {name}=VALUE")
        options.append((name[2:], text))
    return own, options


def _parser() -> Parser:
    parser = Parser("lit-vision slurm", description="Prints a SLURM job file: lit-vision slurm RECIPE … > job.sbatch")
    parser.add_argument("recipe")
    parser.add_argument("--row", action="append", help="a row; again for more, none for all: an array over rows")
    parser.add_argument("--config", action="append", default=[], help="an overlay, e.g. overlays/nodes4x8")
    parser.add_argument("--run", help="folder of the run, or of the rows' folders")
    parser.add_argument("--time", default="24:00:00", help="SLURM's limit, hours:minutes:seconds")
    parser.add_argument("--cpus", type=count, default=8, help="CPU cores of each process")
    parser.add_argument("--warn", type=count, default=120, help="seconds before the limit at which the run saves")
    parser.add_argument("--partition")
    parser.add_argument("--account")
    return parser
