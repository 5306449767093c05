"""Short texts for the terminal: what a command says, first lines of errors, figures in a table. No torch here."""

import sys
from collections.abc import Mapping
from typing import Any

from lit_vision import launch

_WIDTH = 300


def say(text: str) -> None:
    """Tells the user something on standard error, once for all ranks."""
    if launch.rank() == 0:
        print(text, file=sys.stderr)


def first_line(error: BaseException) -> str:
    """The first line of an error, or its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:_WIDTH]


def figures(metrics: Mapping[str, Any]) -> str:
    """Logged figures as aligned lines."""
    shown = {name: float(value) for name, value in metrics.items() if "/" in name}
    width = max(map(len, shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value:.2f}" for name, value in shown.items())
