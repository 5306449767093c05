"""Short texts for the terminal: parser errors in three lines, figures in a table."""

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from lit_vision.recipes import Experiment

_KEY = re.compile(r'Parser key "([^"]+)":')
_NESTED = re.compile(r"Problem with given class_path '([^']+)'")
_WIDTH = 300


def of_parser(text: str, experiment: Experiment) -> str:
    """Jsonargparse's long report as at most three lines: where, what is wrong, what was given.

    Its report is a tree, one level per nested part; the keys along the deepest branch make the full key, and the last
    statement of that branch is what is wrong.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    key = ".".join(_KEY.findall(text))
    reason, given = _reason(lines)
    where = f"{experiment.source_of(key)}: {key}" if key else experiment.name
    return f"{where}: {reason}{given}"[:_WIDTH]


def _reason(lines: list[str]) -> tuple[str, str]:
    """The most telling statement of a report, and the value it is about."""
    statements = [line.removeprefix("- ") for line in lines]
    given = next((line.split(":", 1)[1].strip() for line in statements if line.startswith("Given value:")), "")
    skipped = (
        "Parser key",
        "Problem with",
        "Does not validate",
        "Subtypes",
        "Errors:",
        "Given value",
        "Expected a <class 'NoneType'>",
    )
    telling = [line for line in statements if not line.startswith(skipped)]
    reason = re.sub(r"<class '([\w.]+)'>", r"\1", telling[0] if telling else statements[0])
    got = f" (got {given})" if given and "Got value" not in reason and len(given) < 80 else ""
    return reason, got


def say(text: str) -> None:
    """Tells the user something on standard error, once for all ranks of a node."""
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        print(text, file=sys.stderr)


def first_line(error: BaseException) -> str:
    """The first line of an error, or its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_WIDTH]


def figures(metrics: Mapping[str, Any]) -> str:
    """Logged figures as aligned lines."""
    shown = {name: float(value) for name, value in metrics.items() if "/" in name}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value:.2f}" for name, value in shown.items())
