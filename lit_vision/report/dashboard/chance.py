"""Whether chance explains that one trial of a sweep is called best: tests on images of the test pass. No torch here.

The images choose nothing; they only say whether the choice made a difference. The best trial is compared with others
one by one, so p-values are multiplied as Holm (1979) does.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lit_vision.report.collect import Run
from lit_vision.report.comparison import image_pairs
from lit_vision.report.comparison.image_pairs import ImagePairs

LEVEL = 0.05
MOST = 10  # comparisons: the test images of each trial are read for one


class Compared(NamedTuple):
    """The best trial beside another.

    Attributes:
        name: Of the other.
        pairs: Image by image, the best as A.
        p: Holm's, over all comparisons.
    """

    name: str
    pairs: ImagePairs
    p: float


def compare(best: Run, others: Sequence[tuple[str, Run]]) -> list[Compared]:
    """The best trial beside the next ones and the last, clearest first; without those that left no images.

    Args:
        best: The best trial.
        others: Name and run of the others, best first.
    """
    chosen = others if len(others) <= MOST else [*others[: MOST - 1], others[-1]]
    found = [(name, pairs) for name, run in chosen if (pairs := image_pairs.find(best, run)[0])]
    found.sort(key=lambda item: item[1].p)
    corrected, so_far = [], 0.0
    for place, (name, pairs) in enumerate(found):
        so_far = max(so_far, min(1.0, pairs.p * (len(found) - place)))
        corrected.append(Compared(name, pairs, so_far))
    return corrected


def in_words(best: Run, others: Sequence[tuple[str, Run]]) -> str:
    """Whether the best trial differs from the others by more than chance, as a sentence."""
    found = compare(best, others)
    if not found:
        return "Whether chance explains that cannot be told: the test passes left no answers image by image."
    clear = [item.name for item in found if item.p < LEVEL]
    more = f"; {len(others) - len(found)} more were not compared" if len(found) < len(others) else ""
    if clear:
        rest = "" if len(clear) == len(found) else f", from {len(found) - len(clear)} more no difference is shown"
        return f"It differs from trial {', '.join(clear)}{rest} ({_of(found[0])}{more})."
    return f"No difference shown between it and {len(found)} other(s) ({_of(found[0])}{more})."


def _of(item: Compared) -> str:
    pairs = item.pairs
    test = "exact McNemar" if pairs.task == "classification" else "sign test of F1,"
    what = "alone right on" if pairs.task == "classification" else "better on"
    counts = f"it is {what} {len(pairs.only_a)}, the other on {len(pairs.only_b)} of {pairs.images} test images"
    return f"clearest against trial {item.name}: {counts}, {test} p {pairs.p:.2g}, Holm-corrected {item.p:.2g}"
