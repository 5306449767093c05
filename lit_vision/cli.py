"""Entry of `lit-vision`: finds the verb, keeps errors short. Imports no torch; verbs are imported when called."""

import errno
import os
import re
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from lit_vision import errors, launch, nearest, terminal
from lit_vision.errors import InputError
from lit_vision.experiment import yamlio

USAGE = """\
lit-vision: the classics of visual recognition as recipes that know the papers' numbers

  lit-vision fit --config RECIPE [--row ROW]     train, test the last checkpoint, judge it
  lit-vision test --ckpt_path FILE               test a checkpoint (or --run RUN; --config RECIPE that trains nothing)
  lit-vision validate --ckpt_path FILE           the same on the validation split
  lit-vision predict --ckpt_path FILE PATH…      classes and scores of images, as JSON
  lit-vision recipes ls | show RECIPE | cp RECIPE FILE
  lit-vision data ls | where NAME | get NAME | check RECIPE or FOLDER
  lit-vision slurm RECIPE --config overlays/gpu8 > job.sbatch
  lit-vision sweep run FILE [--jobs N] | status | best | resume
  lit-vision claims ls | run C00 | verdict --all   claims fixed before their runs
  lit-vision report [RUNS…]                      the papers' tables with your figures and verdicts
  lit-vision compare A B                         two runs, or groups of runs, side by side
  lit-vision score RUN test/ap=35.5 --server test-dev --on 2026-11-30   what a server said
  lit-vision dashboard [RUNS…]                   the same as pages in a browser
  lit-vision sync RUN                            a W&B run from local files

  --config   a recipe's name or a file; given again, an overlay (overlays/cpu)
  --row      a row of the recipe's table
  --run      the run's folder: created if missing, continued if not; what a row tests that trains nothing itself
  --members RUN RUN  an ensemble's runs, in the row's order
  --ckpt_path last   continue the newest unfinished run of the same configuration
  --KEY VALUE        any key, e.g. --data.batch_size 64 --trainer.max_steps 100

  --trust-code       a checkpoint or a recipe of others may name classes of any package
  --print_config     the resolved configuration, without running it

Options may stand before or after the verb. lit-vision fit --help lists every key.
"""

BAD_INPUT = 2
INTERRUPTED = 130

# Output that was too long for its buffer meets a full disk at once, not only when it is flushed.
_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)

_FLAGS = ("-h", "--help", "--print_config", "--trust-code")
_HELP = re.compile(r"--(model|data|trainer|checkpoint|nonfinite)\.help")
_VALUED = {"--row": "row", "--run": "run", "--ckpt_path": "ckpt_path"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 2 for bad input, 130 after Ctrl-C, 75 after a cluster's signal.

    75 is a run that was saved and can go on (`runs.PREEMPTED`, after SIGTERM or SIGUSR1): a job file puts it back into
    the queue.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    terminal.settle()
    try:
        code = _dispatch(arguments)
        terminal.flush()
        return code
    except InputError as error:
        if launch.is_first_here() or not error.alike:
            print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # `lit-vision recipes ls | head` ends the pipe early, and that is fine; what trains never comes here.
        terminal.silence(sys.stdout)
        return 0
    except OSError as error:
        print(f"error: {_told(error)}", file=sys.stderr)
        return BAD_INPUT


def _told(error: OSError) -> InputError:
    """What the system refused, where it was the output or a name that no file can have.

    Raises:
        OSError: It was something else.
    """
    if error.filename is None and error.errno in _OF_OUTPUT:
        return terminal.refused(error)
    if error.errno == errno.ENAMETOOLONG:
        return InputError(f"{error.filename!s:.80}…: {error.strerror}; give a shorter name")
    raise error


def _dispatch(arguments: list[str]) -> int:
    verb, rest = _split_verb(arguments)
    if verb is None:
        if rest == ["--version"]:
            from lit_vision.runs import versions

            print(f"lit-vision {versions.code()}")
            return 0
        if not rest or rest[0] in ("-h", "--help"):
            print(USAGE)
            return 0 if rest else BAD_INPUT
        raise InputError(f"no verb among {' '.join(rest)}; {nearest.hint('', VERBS)}")
    return VERBS[verb](verb, rest)


def _split_verb(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The verb, wherever it stands, and the other arguments. An option's value is no verb."""
    skip = several = False
    for index, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument == "--members":
            several = True
        elif several and not argument.startswith("-") and argument not in VERBS:
            continue
        elif argument.startswith("-"):
            several = False
            flag = argument in (*_FLAGS, "--version") or _HELP.fullmatch(argument)
            skip = argument.startswith("--") and "=" not in argument and not flag
        elif argument in VERBS:
            return argument, arguments[:index] + arguments[index + 1 :]
        else:
            raise InputError(f"unknown verb {argument!r}; {nearest.hint(argument, VERBS)}")
    return None, arguments


def _train(verb: str, arguments: list[str]) -> int:
    _find_own_packages()
    sections = tuple(argument[2:].removesuffix(".help") for argument in arguments if _HELP.fullmatch(argument))
    flags = {argument for argument in arguments if argument in _FLAGS or _HELP.fullmatch(argument)}
    values, options = _options(verb, [argument for argument in arguments if argument not in flags])
    from lit_vision.session import request

    asked = request.Request(verb, options=options, trust_code="--trust-code" in flags, **values)
    if sections or {"-h", "--help"} & flags:
        return _help(verb, request.resolve(asked) if asked.configs else None, sections)
    # Typos are reported before the seconds that importing torch takes.
    with errors.alike():
        experiment = request.resolve(asked)
    if "--print_config" in flags:
        from lit_vision.session import quiet, resolution, saved

        quiet.calm()
        print(yamlio.dump(saved.in_folder(experiment, resolution.resolved(experiment))), end="")
        return 0
    from lit_vision.session import session

    with terminal.outliving():
        return session.main(asked, experiment)


def _find_own_packages() -> None:
    """Lets a class path name a package in the current folder, as `python -m` does, but after all that is installed."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _help(verb: str, experiment: Any, sections: tuple[str, ...]) -> int:
    from lit_vision.session import help as keys

    if sections:
        print(keys.text(verb, experiment, sections))
    else:
        print(f"{USAGE}\n{keys.text(verb, experiment)}")
    return 0


def _options(verb: str, arguments: list[str]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Splits into what the command itself understands and dotted keys for the configuration."""
    values: dict[str, Any] = {"configs": []}
    options: list[tuple[str, Any]] = []
    rest = deque(arguments)
    while rest:
        argument = rest.popleft()
        if not argument.startswith("--") or argument == "--":
            raise InputError(f"{verb} takes only options, got {argument!r}; write --key value or --key=value")
        name, equals, text = argument.partition("=")
        if name == "--members":
            values["members"] = text.split() if equals else _words(rest)
            continue
        if not equals:
            text = rest.popleft() if rest else ""
            if not text or text.startswith("--"):
                raise InputError(f"{name} needs a value; {_meant(name)}")
        if name == "--config":
            values["configs"].append(text)
        elif name in _VALUED:
            if _VALUED[name] in values:
                raise InputError(f"{name} is given twice, {values[_VALUED[name]]} and {text}; leave one out")
            values[_VALUED[name]] = text
        else:
            options.append((name[2:], yamlio.value(text)))
    return values, options


def _meant(name: str) -> str:
    """What an option without a value may have been meant to be."""
    section, _, last = name.rpartition(".")
    is_help = last[:1] == "h" and _HELP.fullmatch(f"{section}.help")
    return f"did you mean {section}.help?" if is_help else f"write {name} VALUE or {name}=VALUE"


def _words(rest: deque[str]) -> list[str]:
    """Takes the words up to the next option."""
    found = []
    while rest and not rest[0].startswith("--"):
        found.append(rest.popleft())
    if not found:
        raise InputError("--members needs run folders; write --members RUN RUN")
    return found


def _predict(verb: str, arguments: list[str]) -> int:
    _find_own_packages()
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


def _claims(verb: str, arguments: list[str]) -> int:
    _find_own_packages()
    from lit_vision.verbs import claims

    return claims.run(arguments)


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
    "claims": _claims,
}
