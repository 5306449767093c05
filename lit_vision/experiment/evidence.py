"""Kinds of evidence that may decide a claim, as its file names them under `evidence:`. No torch here.

Without that key, the paired differences decide, by Student's t (`paired`).
"""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from lit_vision.errors import InputError
from lit_vision.experiment.contrasts import is_difference_of_two

RESAMPLED = ("test/ap", "test/ap50", "test/map")
"""Figures that can be taken of resampled test images."""

Work = Literal["train", "detect"]


@dataclass(frozen=True)
class Successes:
    """Runs of either arm that succeed, counted, by Fisher's exact test (`counts`).

    Attributes:
        below: A run succeeds if its figure is below this.
        above: A run succeeds if its figure is above this; one of the two is given.
    """

    below: float | None = None
    above: float | None = None

    def reached(self, figure: float | None) -> bool:
        """Whether a run with this figure succeeds; a run without one does not."""
        if figure is None:
            return False
        return figure < self.below if self.below is not None else figure > (self.above or 0.0)

    def told(self) -> str:
        """`below 2`, in the figure's unit."""
        return f"below {self.below:g}" if self.below is not None else f"above {self.above:g}"


@dataclass(frozen=True)
class Images:
    """The test images, drawn with replacement, the same for all arms and seeds (`resampled`).

    The interval says how far these trained networks' figures depend on the images, and nothing of other trainings.

    Attributes:
        samples: How many times they are drawn.
    """

    samples: int = 1000


@dataclass(frozen=True)
class Rounds:
    """Measurements of untrained networks in turn: every round measures each arm once (`resampled`).

    Whatever else the machine does meets all arms alike. Figures are medians over the rounds, and intervals are those of
    rounds drawn with replacement.

    Attributes:
        count: Rounds that count.
        warmup: Rounds before them that do not.
        work: `train` is one step of a classifier, `detect` finds objects in an image by a two-stage detector.
        batch: Images at once.
        size: Height and width of the images, which are noise.
    """

    count: int
    warmup: int
    work: Work
    batch: int
    size: list[int]


@dataclass(frozen=True)
class Evidence:
    """One of the kinds; none of them stands for paired differences.

    Attributes:
        successes: Counts of runs.
        images: Resampled test images.
        rounds: Interleaved measurements.
    """

    successes: Successes | None = None
    images: Images | None = None
    rounds: Rounds | None = None


PAIRS = Evidence()


def check(evidence: Evidence, metric: str, difference: str, margin: float, where: str) -> None:
    """Checks that the kind fits the claim's other keys.

    Args:
        evidence: What the file says.
        metric: The claim's figure.
        difference: Its expression.
        margin: Its margin.
        where: File and key for messages.

    Raises:
        InputError: Names the key, and what to do.
    """
    named = [kind.name for kind in dataclasses.fields(Evidence) if getattr(evidence, kind.name) is not None]
    if len(named) > 1:
        raise InputError(f"{where}.evidence should name one kind, got {', '.join(named)}; drop all but one")
    if evidence.successes:
        _check_successes(evidence.successes, difference, margin, where)
    if evidence.images and metric not in RESAMPLED:
        raise InputError(f"{where}.metric: images can be resampled for {', '.join(RESAMPLED)}, not for {metric!r}")
    if evidence.images and evidence.images.samples < 100:
        raise InputError(f"{where}.evidence.images.samples is {evidence.images.samples}; draw at least 100")
    if evidence.rounds:
        _check_rounds(evidence.rounds, metric, where)


def _check_successes(successes: Successes, difference: str, margin: float, where: str) -> None:
    if (successes.below is None) == (successes.above is None):
        raise InputError(f"{where}.evidence.successes should say either below or above which figure a run succeeds")
    if not is_difference_of_two(difference) or margin != 0:
        raise InputError(
            f"{where}: Fisher's test compares the successes of two arms; write difference: a - b, and margin: 0"
        )


def _check_rounds(rounds: Rounds, metric: str, where: str) -> None:
    if not metric.startswith("analysis/"):
        raise InputError(f"{where}.metric: rounds measure analysis/…, got {metric!r}")
    if rounds.count < 5 or rounds.warmup < 0 or rounds.batch < 1:
        raise InputError(
            f"{where}.evidence.rounds: count is {rounds.count}, warmup {rounds.warmup} and batch {rounds.batch}; "
            "they must be at least 5, 0 and 1"
        )
    if len(rounds.size) != 2 or min(rounds.size) < 1:
        raise InputError(f"{where}.evidence.rounds.size should be height and width, got {rounds.size}")
