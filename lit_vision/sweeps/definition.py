"""Sweep files: W&B's own format, read for the local engine. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from lit_vision import files, nearest
from lit_vision.errors import InputError
from lit_vision.experiment import figures, recipes, yamlio
from lit_vision.experiment.figures import Kind
from lit_vision.runs import folder as runs
from lit_vision.sweeps import parameters
from lit_vision.sweeps.parameters import Parameter

METHODS = ("grid", "random", "bayes")
SEED = "seed_everything"
COMMAND = 'command: ["${env}", "${interpreter}", -m, "${program}", fit, --config, RECIPE, "${args}"]'

_TAKEN = ("method", "metric", "parameters", "early_terminate", "command", "program", "name", "run_cap")
_SERVER = ("description", "project", "entity")  # told to W&B's server; nothing to do here
_REFUSED = {
    "scheduler": "it names a scheduler of W&B Launch",
    "job": "it is for W&B Launch",
    "image_uri": "it is for W&B Launch",
    "controller": "the local engine is its own controller",
    "metrics": "one metric is ranked; use metric",
    "apiVersion": "it is for W&B Launch",
    "kind": "it is for W&B Launch",
}


@dataclass(frozen=True)
class Sweep:
    """A sweep file.

    Attributes:
        name: Name of the study and of the folder of its trials.
        method: `grid`, `random` or `bayes`.
        metric: Logged name of the figure that ranks trials.
        goal: `minimize` or `maximize`.
        parameters: In the file's order.
        early_terminate: W&B's Hyperband settings; None runs every trial to its end.
        run_cap: Number of trials; None for a whole grid.
        command: W&B's command with its macros.
        program: What `${program}` stands for.
        content: The file's content.
        source: The file, for messages.
    """

    name: str
    method: str
    metric: str
    goal: Literal["minimize", "maximize"]
    parameters: list[Parameter]
    early_terminate: dict[str, Any] | None
    run_cap: int | None
    command: list[str]
    program: str
    content: dict[str, Any] = field(repr=False)
    source: str = ""


def folder() -> Path:
    """The sweep files: of the checkout this package runs from, else the copies that the wheel carries."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "sweeps"
    return checkout if (package.parent / "pyproject.toml").is_file() and checkout.is_dir() else package / "sweeps"


def names() -> list[str]:
    """The sweeps that come with the package."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def find(name: str) -> Path:
    """The file of a path or of a sweep's name (`digits`, `sweeps/digits`).

    Raises:
        InputError: If there is neither; names the nearest sweep.
    """
    own = name.removeprefix("sweeps/").removesuffix(".yaml")
    for path in (Path(name), Path(f"{name}.yaml"), folder() / f"{own}.yaml"):
        if files.is_there(path):
            return path
    raise InputError(f"no file and no sweep {name!r}; {nearest.hint(own, names())}")


def load(path: Path) -> Sweep:
    """Reads a sweep file.

    Raises:
        InputError: Names the file and the key.
    """
    return parse(yamlio.load(path), str(path))


def parse(content: dict[str, Any], source: str) -> Sweep:
    """Reads a sweep file's content.

    Raises:
        InputError: Names the file and the key.
    """
    try:
        return _parse(content, source)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Last parts of dotted keys, longer where two would be the same."""
    found = {}
    for key in keys:
        parts = key.split(".")
        tails = [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
        others = [f".{other}" for other in keys if other != key]
        found[key] = next((tail for tail in tails if not any(other.endswith(f".{tail}") for other in others)), key)
    return found


def _parse(content: dict[str, Any], source: str) -> Sweep:
    _refuse(content)
    method = content.get("method")
    if method not in METHODS:
        raise InputError(f"method is {method!r}; expected one of {', '.join(METHODS)}")
    metric = _metric(content.get("metric"), _declared(content.get("command")))
    given = content.get("parameters")
    if not isinstance(given, dict) or not given:
        raise InputError("parameters is missing or empty; it maps dotted keys to {values: […]} or {min: …, max: …}")
    return Sweep(
        name=runs.slug(str(content.get("name") or Path(source).stem)),
        method=method,
        metric=metric["name"],
        goal=metric.get("goal", "minimize"),
        parameters=[parameters.parse(str(name), entry, method) for name, entry in given.items()],
        early_terminate=_early(content.get("early_terminate")),
        run_cap=_run_cap(content.get("run_cap"), method),
        command=_command(content.get("command")),
        program=str(content.get("program", "")),
        content=content,
        source=source,
    )


def _refuse(content: dict[str, Any]) -> None:
    for key in content:
        if key in _REFUSED:
            raise InputError(
                f"{key} is not taken by the local engine ({_REFUSED[key]}); leave it out, or use wandb agent"
            )
        if key not in (*_TAKEN, *_SERVER):
            raise InputError(f"{key} is no key of a sweep file; {nearest.hint(str(key), (*_TAKEN, *_SERVER))}")


def _declared(command: Any) -> dict[str, Kind]:
    """Figures that the card of the command's recipe declares."""
    words = list(map(str, command)) if isinstance(command, list) else []
    recipe = next((word for before, word in pairwise(words) if before == "--config"), None)
    try:
        return recipes.read_card(recipe).figures if recipe else {}
    except InputError:
        return {}  # said when the command is checked; a sweep whose recipe is gone still shows its trials


def _metric(content: Any, own: dict[str, Kind]) -> dict[str, Any]:
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise InputError("metric is missing; trials are ranked by it: metric: {name: val/error, goal: minimize}")
    goal = content.get("goal", "minimize")
    if goal not in ("minimize", "maximize"):
        raise InputError(f"metric.goal is {goal!r}; expected minimize or maximize")
    for key in content.keys() - {"name", "goal"}:
        raise InputError(f"metric.{key} is not taken by the local engine; leave it out, or use wandb agent")
    figures.check(content["name"], "metric.name", own)
    return content


def _run_cap(cap: Any, method: str) -> int | None:
    if cap is None and method != "grid":
        raise InputError(f"run_cap is missing; a {method} sweep never ends by itself: run_cap: 20")
    if cap is not None and (type(cap) is not int or cap < 1):
        raise InputError(f"run_cap is {cap!r}; expected a whole number of at least 1")
    return cap


def _command(content: Any) -> list[str]:
    if not isinstance(content, list) or not content:
        raise InputError(f"command is missing; it calls this command line, with program: lit_vision\n  {COMMAND}")
    return [str(word) for word in content]


def _early(content: Any) -> dict[str, Any] | None:
    """W&B's Hyperband settings, complete: `min_iter` of the first rung, `eta`."""
    if content is None:
        return None
    if not isinstance(content, dict) or content.get("type") != "hyperband":
        raise InputError(f"early_terminate is {content!r}; W&B knows {{type: hyperband, min_iter: N}}")
    known = ("type", "min_iter", "max_iter", "s", "eta", "strict")
    for key in content.keys() - set(known):
        raise InputError(f"early_terminate.{key}: unknown; {nearest.hint(str(key), known)}")
    eta = content.get("eta", 3)
    if type(eta) is not int or eta < 2:
        raise InputError(f"early_terminate.eta is {eta!r}; the local engine takes a whole number of at least 2")
    if content.get("strict", True) is not True:
        raise InputError("early_terminate.strict: the local engine is always strict; leave it out, or use wandb agent")
    return {"min_iter": _first_rung(content, eta), "eta": eta}


def _first_rung(content: dict[str, Any], eta: int) -> int:
    named = "min_iter" if "min_iter" in content else "max_iter"
    for key in ("min_iter",) if named == "min_iter" else ("max_iter", "s"):
        if type(content.get(key)) is not int or content[key] < 1:
            raise InputError(f"early_terminate needs min_iter, or max_iter and s, as whole numbers; {key} is missing")
    if named == "min_iter":
        return int(content["min_iter"])
    return max(1, int(content["max_iter"] / eta ** content["s"]))
