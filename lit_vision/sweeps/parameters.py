"""A sweep's parameters: what W&B's distributions mean, as values of a grid, random draws and Optuna's search space.

A parameter is drawn as a raw number from one of three plain spaces (a choice, a uniform interval, a logarithmic one);
whatever else a distribution says (quantisation, a bell curve) turns the raw number into the value that a trial gets.
So random draws and the sampler of `bayes` follow the same rules. No torch here.
"""

import functools
import json
import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from lit_vision import nearest
from lit_vision.errors import InputError

LARGEST = 100_000  # points of a plan

Raw = str | int | float | bool

_UNIT = (1e-9, 1 - 1e-9)  # a bell curve's quantiles are infinite at 0 and 1

# The constraints that each distribution takes, by W&B's names; `?` marks those with a default.
_TAKES = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": ("min", "max"),
    "uniform": ("min", "max"),
    "q_uniform": ("min", "max", "q?"),
    "log_uniform": ("min", "max"),
    "log_uniform_values": ("min", "max"),
    "q_log_uniform": ("min", "max", "q?"),
    "q_log_uniform_values": ("min", "max", "q?"),
    "inv_log_uniform": ("min", "max"),
    "inv_log_uniform_values": ("min", "max"),
    "normal": ("mu?", "sigma?"),
    "q_normal": ("mu?", "sigma?", "q?"),
    "log_normal": ("mu?", "sigma?"),
    "q_log_normal": ("mu?", "sigma?", "q?"),
    "beta": ("a?", "b?"),
    "q_beta": ("a?", "b?", "q?"),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: Dotted key of the configuration.
        kind: W&B's name of the distribution.
        given: Its constraints, defaults filled in.
    """

    name: str
    kind: str
    given: dict[str, Any]

    @property
    def choices(self) -> list[Any] | None:
        """The values to choose from; None for a distribution over numbers."""
        if self.kind == "constant":
            return [self.given["value"]]
        values: list[Any] | None = self.given.get("values")
        return values

    @property
    def raws(self) -> list[Raw]:
        """The raw values behind the choices."""
        return [_plain(value, self._scalar) for value in self.choices or ()]

    @functools.cached_property
    def _scalar(self) -> bool:
        return all(isinstance(choice, str | int | float | bool) for choice in self.choices or ())

    @functools.cached_property
    def _by_raw(self) -> dict[Raw, Any]:
        """The choices by their raw values; of equal ones the first."""
        return dict(zip(reversed(self.raws), reversed(self.choices or []), strict=True))

    def draw(self, numbers: random.Random) -> Raw:
        """A raw value at random."""
        if self.choices is not None:
            weights = self.given.get("probabilities")
            return _plain(numbers.choices(self.choices, weights)[0], self._scalar)
        low, high, logarithmic = self._interval()
        if self.kind == "int_uniform":
            return numbers.randint(int(low), int(high))
        drawn = math.exp(numbers.uniform(math.log(low), math.log(high))) if logarithmic else numbers.uniform(low, high)
        return min(max(drawn, low), high)

    def suggest(self, trial: Any) -> Raw:
        """A raw value that Optuna's sampler chooses for a trial, or that the trial was queued with."""
        raw: Raw
        if self.choices is not None:
            raw = trial.suggest_categorical(self.name, self.raws)
            return raw
        low, high, logarithmic = self._interval()
        if self.kind == "int_uniform":
            raw = trial.suggest_int(self.name, int(low), int(high))
        else:
            raw = trial.suggest_float(self.name, low, high, log=logarithmic)
        return raw

    def value(self, raw: Raw) -> Any:
        """What a trial gets for a raw value."""
        if self.choices is not None:
            return self._by_raw[raw]
        number = self._shaped(float(raw)) if self.kind != "int_uniform" else int(raw)
        return _quantised(number, self.given["q"]) if "q" in self.given else number

    def _interval(self) -> tuple[float, float, bool]:
        """Lower and upper end of the raw numbers, and whether they are spread logarithmically."""
        if "min" not in self.given:
            return *_UNIT, False
        low, high = self.given["min"], self.given["max"]
        if self.kind.endswith("log_uniform"):  # bounds are exponents, of 1/x for the inverse
            low, high = (-high, -low) if self.kind.startswith("inv_") else (low, high)
            low, high = math.exp(low), math.exp(high)
        return low, high, "log_uniform" in self.kind

    def _shaped(self, raw: float) -> float:
        """The number whose quantile `raw` is, for the distributions that are drawn from the unit interval."""
        if "sigma" in self.given:
            number = NormalDist(self.given["mu"], self.given["sigma"]).inv_cdf(raw)
            return math.exp(number) if "log_normal" in self.kind else number
        if "a" in self.given:
            from scipy.special import betaincinv

            return float(betaincinv(self.given["a"], self.given["b"], raw))
        return raw


def parse(name: str, content: Any, method: str) -> Parameter:
    """Reads one entry of `parameters`.

    Raises:
        InputError: Names the parameter and what is wrong with it.
    """
    key = f"parameters.{name}"
    if not isinstance(content, dict) or not content:
        raise InputError(f"{key} is {content!r}; expected a mapping such as {{values: [1, 2]}} or {{min: 0, max: 1}}")
    if "parameters" in content:
        raise InputError(f"{key}: nested parameters are not taken; write dotted keys, such as {name}.KEY")
    kind = content.get("distribution") or _implied(key, content)
    if kind not in _TAKES:
        raise InputError(f"{key}.distribution: {kind!r} is none of W&B's; {nearest.hint(str(kind), _TAKES)}")
    if method == "bayes" and kind == "categorical_w_probabilities":
        raise InputError(f"{key}: bayes ignores probabilities; leave them out, or choose method random")
    parameter = Parameter(name, kind, _constraints(key, kind, content))
    _check(key, parameter)
    return _in_a_grid(parameter) if method == "grid" else parameter


def _in_a_grid(parameter: Parameter) -> Parameter:
    """The parameter as a choice among its values, in order."""
    given = parameter.given
    if parameter.choices is not None:
        return Parameter(parameter.name, "categorical", {"values": parameter.choices})
    if parameter.kind == "int_uniform":
        _refuse_long(parameter, given["max"] - given["min"])
        values: list[Any] = list(range(given["min"], given["max"] + 1))
    elif parameter.kind == "q_uniform":
        ends = [round(given[end] / given["q"]) for end in ("min", "max")]
        _refuse_long(parameter, ends[1] - ends[0])
        values = [_quantised(count * given["q"], given["q"]) for count in range(ends[0], ends[1] + 1)]
    else:
        raise InputError(
            f"parameters.{parameter.name}: a grid takes value, values, int_uniform and q_uniform, not "
            f"{parameter.kind}; give values, or choose method random or bayes"
        )
    return Parameter(parameter.name, "categorical", {"values": values})


def _refuse_long(parameter: Parameter, steps: int) -> None:
    if steps >= LARGEST:
        raise InputError(
            f"parameters.{parameter.name}: a grid of {steps + 1:,} values has more than {LARGEST:,} points; "
            "give values, or choose method random"
        )


def _implied(key: str, content: dict[str, Any]) -> str:
    """The distribution that W&B takes when none is named."""
    if "values" in content:
        return "categorical_w_probabilities" if "probabilities" in content else "categorical"
    if "value" in content:
        return "constant"
    bounds = [content.get("min"), content.get("max")]
    if None in bounds:
        raise InputError(f"{key}: give value, values, min and max, or a distribution; got {', '.join(content)}")
    return "int_uniform" if all(type(bound) is int for bound in bounds) else "uniform"


def _constraints(key: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """The constraints of a distribution, complete."""
    names = [name.rstrip("?") for name in _TAKES[kind]]
    defaults = {"mu": 0.0, "sigma": 1.0, "a": 1, "b": 1, "q": 1.0}
    for name in content.keys() - {"distribution"} - set(names):
        raise InputError(f"{key}.{name}: {kind} takes {', '.join(names)}; {nearest.hint(name, names)}")
    for name in _TAKES[kind]:
        if not name.endswith("?") and name not in content:
            raise InputError(f"{key}: {kind} needs {name}")
    return {name: content.get(name, defaults.get(name)) for name in names}


def _check(key: str, parameter: Parameter) -> None:
    given, choices = parameter.given, parameter.choices
    if choices is not None:
        _check_choices(key, choices, given.get("probabilities"))
        return
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise InputError(f"{key}.{name} is {number!r}; expected a number")
    if "min" in given and given["min"] >= given["max"]:
        raise InputError(f"{key}: min {given['min']} is not below max {given['max']}")
    if parameter.kind.endswith("log_uniform_values") and given["min"] <= 0:
        raise InputError(f"{key}.min is {given['min']}; a logarithmic distribution needs a positive one")
    if given.get("q", 1) <= 0:
        raise InputError(f"{key}.q is {given['q']}; expected a positive number")


def _check_choices(key: str, choices: Any, weights: Any) -> None:
    if not isinstance(choices, list) or not choices:
        raise InputError(f"{key}.values is {choices!r}; expected a list")
    if None in choices:
        raise InputError(f"{key}: W&B would pass null as the text None; write 'null' in quotes")
    if weights is not None and (len(weights) != len(choices) or not math.isclose(sum(weights), 1, abs_tol=1e-6)):
        raise InputError(f"{key}.probabilities: expected {len(choices)} numbers that add up to 1, got {weights}")


def _plain(value: Any, scalar: bool) -> Raw:
    """A choice as Optuna stores it: lists and mappings as JSON."""
    return value if scalar else json.dumps(value, sort_keys=True)


def _quantised(number: float, step: float) -> float | int:
    """The nearest multiple; whole numbers stay whole for a whole step."""
    count = round(number / step)
    if isinstance(step, int) or float(step).is_integer():
        return count * int(step)
    return float(f"{count * step:.12g}")  # 0.30000000000000004 is not what was asked for
