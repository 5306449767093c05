"""Learning curves of two runs, step by step. No torch here."""

from dataclasses import dataclass
from math import isnan

from lit_vision.report.collect import Run

_NO_CURVES = ("step", "time", "epoch", "resumed_at")
_NO_PHASES = ("rank", "test/")  # throughput never repeats; the test pass is one point


@dataclass(frozen=True)
class CurvePair:
    """One logged figure of two runs.

    Attributes:
        name: Logged name.
        points: Step, A's value and B's at the steps that both logged.
        last: Last logged step and value of A and of B, whether the other has that step or not.
    """

    name: str
    points: tuple[tuple[int, float, float], ...]
    last: tuple[tuple[int, float], tuple[int, float]]

    @property
    def differs_at(self) -> int | None:
        """The first common step at which they are not exactly equal; None if there is none."""
        return next((step for step, a, b in self.points if a != b and not (isnan(a) and isnan(b))), None)

    @property
    def equal_until(self) -> int | None:
        """The last common step before that; None if they differ from the start."""
        end = self.differs_at
        return max((step for step, _, _ in self.points if end is None or step < end), default=None)


def find(a: Run, b: Run) -> list[CurvePair]:
    """Curves that both runs logged: training loss first; without the test pass, single classes and the machine."""
    names = dict.fromkeys(["train/loss", *(key for line in a.metrics for key in line)])
    kept = [
        name for name in names if name not in _NO_CURVES and name.count("/") < 2 and not name.startswith(_NO_PHASES)
    ]
    found = (_pair(name, a, b) for name in kept)
    return [pair for pair in found if pair is not None]


def _pair(name: str, a: Run, b: Run) -> CurvePair | None:
    ours, theirs = a.curve(name), b.curve(name)
    if not ours[0] or not theirs[0] or all(isnan(value) for value in (*ours[1], *theirs[1])):
        return None
    left, right = dict(zip(*ours, strict=True)), dict(zip(*theirs, strict=True))
    points = tuple((step, left[step], right[step]) for step in left if step in right)
    return CurvePair(name, points, ((ours[0][-1], ours[1][-1]), (theirs[0][-1], theirs[1][-1])))
