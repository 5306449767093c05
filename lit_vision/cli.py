"""Entry of `lit-vision`: finds the verb, keeps errors short. Imports no torch; verbs are imported when called."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio

USAGE = """\
lit-vision: the classics of visual recognition as recipes that know the papers' numbers

  lit-vision fit --config RECIPE [--row ROW]     train, test the last checkpoint, judge it
  lit-vision test --ckpt_path FILE               test a checkpoint (or --run RUN; --config RECIPE that trains nothing)
  lit-vision validate --ckpt_path FILE           the same on the validation split
  lit-vision predict --ckpt_path FILE PATH…      classes and scores of images, as JSON
  lit-vision recipes ls | show RECIPE | cp RECIPE FILE
  lit-vision data ls | where NAME | get NAME
  lit-vision slurm RECIPE --config overlays/gpu8 > job.sbatch
  lit-vision sweep run FILE [--jobs N] | status | best | resume
  lit-vision report [RUNS…]                      the papers' tables with your figures and verdicts
  lit-vision compare A B                         two runs, or groups of runs, side by side
  lit-vision score RUN test/ap=35.5 --server test-dev --on 2026-11-30   what a server said
  lit-vision dashboard [RUNS…]                   the same as pages in a browser
  lit-vision sync RUN                            a W&B run from local files

  --config   a recipe's name or a file; given again, an overlay (overlays/cpu)
  --row      a row of the recipe's table
  --run      the run's folder: created if missing, continued if not
  --ckpt_path last   continue the newest unfinished run of the same configuration
  --KEY VALUE        any key, e.g. --data.batch_size 64 --trainer.max_steps 100

Options may stand before or after the verb. lit-vision fit --help lists every key.
"""

BAD_INPUT = 2
INTERRUPTED = 130

_VALUED = {"--row": "row", "--run": "run", "--ckpt_path": "ckpt_path"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 2 for bad input, 130 after Ctrl-C, 75 after a cluster's signal.

    75 is a run that was saved and can go on (`runs.PREEMPTED`, after SIGTERM or SIGUSR1): a job file puts it back into
    the queue.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # `lit-vision recipes ls | head` ends the pipe early, and that is fine
        return 0


def _dispatch(arguments: list[str]) -> int:
    verb, rest = _split_verb(arguments)
    if verb is None:
        if not rest or rest[0] in ("-h", "--help"):
            print(USAGE)
            return 0 if rest else BAD_INPUT
        raise InputError(f"no verb among {' '.join(rest)}; {nearest.hint('', VERBS)}")
    return VERBS[verb](verb, rest)


def _split_verb(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The verb, wherever it stands, and the other arguments. An option's value is no verb."""
    skip = False
    for index, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument.startswith("-"):
            skip = argument.startswith("--") and "=" not in argument and argument not in ("--help", "--trust-code")
        elif argument in VERBS:
            return argument, arguments[:index] + arguments[index + 1 :]
        else:
            raise InputError(f"unknown verb {argument!r}; {nearest.hint(argument, VERBS)}")
    return None, arguments


def _train(verb: str, arguments: list[str]) -> int:
    if {"-h", "--help"} & set(arguments):
        from lit_vision.session.assembler import help_text

        print(help_text(verb))
        return 0
    values, options = _options(verb, arguments)
    from lit_vision.session.session import Request
    from lit_vision.session.session import main as run

    return run(Request(verb, options=options, **values))


def _options(verb: str, arguments: list[str]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Splits into what the command itself understands and dotted keys for the configuration."""
    values: dict[str, Any] = {"configs": []}
    options: list[tuple[str, Any]] = []
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--") or argument == "--":
            raise InputError(f"{verb} takes only options, got {argument!r}; write --key value or --key=value")
        if argument == "--trust-code":
            values["trust_code"] = True
            continue
        name, equals, text = argument.partition("=")
        if not equals:
            text = next(rest, "")
            if not text or text.startswith("--"):
                raise InputError(f"{name} needs a value; write {name} VALUE or {name}=VALUE")
        if name == "--config":
            values["configs"].append(text)
        elif name in _VALUED:
            values[_VALUED[name]] = text
        else:
            options.append((name[2:], yamlio.value(text)))
    return values, options


def _predict(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import predict

    return predict.run(arguments)


def _recipes(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import recipes

    return recipes.run(arguments)


def _data(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs.data import run

    return run(arguments)


def _slurm(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import slurm

    return slurm.run(arguments)


def _report(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import report

    return report.run(arguments)


def _compare(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import compare

    return compare.run(arguments)


def _dashboard(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import dashboard

    return dashboard.run(arguments)


def _score(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import score

    return score.run(arguments)


def _sync(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import sync

    return sync.run(arguments)


def _sweep(verb: str, arguments: list[str]) -> int:
    from lit_vision.verbs import sweep

    return sweep.run(arguments)


VERBS: dict[str, Callable[[str, list[str]], int]] = {
    "fit": _train,
    "validate": _train,
    "test": _train,
    "predict": _predict,
    "recipes": _recipes,
    "data": _data,
    "slurm": _slurm,
    "report": _report,
    "compare": _compare,
    "score": _score,
    "dashboard": _dashboard,
    "sync": _sync,
    "sweep": _sweep,
}
