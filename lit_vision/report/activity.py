"""When a run last logged something, read from the end of its file: 200 runs must be told apart in a blink."""

import re
import time
from dataclasses import dataclass

from lit_vision.report import fields
from lit_vision.report.collect import Run
from lit_vision.runs import folder as runs
from lit_vision.runs import plain_json

_TAIL = 1 << 16  # bytes; far more than the longest line that a run logs
_STAMP = re.compile(r"^(\d{8}-\d{6})-")


@dataclass(frozen=True)
class Activity:
    """The last sign of life of a run.

    Attributes:
        step: Optimiser step it had reached.
        time: Seconds since 1970; 0 where nothing tells it.
    """

    step: int = 0
    time: float = 0.0


def of(run: Run) -> Activity:
    """The last logged step and time; what the folder's name or W&B says of the time where nothing was logged."""
    step, when = 0, 0.0
    for line in reversed(_tail(run)):
        try:
            entry = plain_json.parse(line)
        except ValueError:
            continue  # torn by a kill, or cut where the tail begins
        if fields.fault_of_line(entry):
            continue
        step = step or int(entry.get("step") or entry.get(runs.RESUMED) or 0)
        when = when or float(entry.get("time") or 0)
        if step and when:
            break
    return Activity(step, when or float(run.state.get("time") or _started(run)))


def _tail(run: Run) -> list[bytes]:
    try:
        with run.folder.metrics.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            return file.read().splitlines()
    except OSError:
        return []


def _started(run: Run) -> float:
    found = _STAMP.match(run.path.name)
    try:
        return time.mktime(time.strptime(found[1], "%Y%m%d-%H%M%S")) if found else 0.0
    except ValueError:
        return 0.0
