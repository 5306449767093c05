"""Verdicts on resampled figures: percentile intervals of the bootstrap. No torch here; NumPy only when called."""

import math
from collections.abc import Mapping, Sequence

from lit_vision.experiment import contrasts, paired
from lit_vision.experiment.paired import Direction, Judgement

SAMPLES = 2000
ENDS = (2.5, 97.5)  # percent


def judge(value: float, drawn: Sequence[float], number: int, direction: Direction, margin: float) -> Judgement:
    """Judges a difference by the middle 95 % of its resampled values, as `paired.judge` does by its interval.

    Args:
        value: The difference itself.
        drawn: The difference in each sample.
        number: What it is counted by: seeds, or rounds.
        direction: Side of the margin that is claimed.
        margin: In the figure's unit.
    """
    import numpy as np

    low, high = (float(end) for end in np.percentile(drawn, ENDS))
    word = paired.word_of((low, high), direction, margin)
    return Judgement(word, number, value, interval=(low, high), p=_p(drawn, direction, margin))


def over_images(
    expr: str, figures: Sequence[Mapping[str, float]], drawn: Sequence[Mapping[str, Sequence[float]]]
) -> tuple[float, list[float]]:
    """A difference, mean over the seeds, of the images themselves and in each sample of them.

    A sample without any object has no figure, and is left out.

    Args:
        expr: The claim's expression.
        figures: Of each seed: figure by arm.
        drawn: Of each seed: by arm the figure in each sample. Sample by sample, all hold the same images.
    """
    mean = _mean([contrasts.value(expr, of_arm) for of_arm in figures])
    samples = min(len(values) for of_arm in drawn for values in of_arm.values())
    differences = [
        _mean([contrasts.value(expr, {arm: values[sample] for arm, values in of_arm.items()}) for of_arm in drawn])
        for sample in range(samples)
    ]
    return mean, [value for value in differences if math.isfinite(value)]


def over_rounds(expr: str, laps: Mapping[str, Sequence[float]], seed: int = 0) -> tuple[float, list[float]]:
    """A difference of medians over rounds, and the same of rounds drawn with replacement.

    Args:
        expr: The claim's expression.
        laps: By arm, what each round measured; a round keeps its place in all arms.
        seed: Of the drawing.
    """
    import numpy as np

    table = np.array([list(values) for values in laps.values()])
    chosen = np.random.default_rng(seed).integers(0, table.shape[1], (SAMPLES, table.shape[1]))
    medians = np.median(table[:, chosen], axis=2)
    whole = contrasts.value(expr, dict(zip(laps, np.median(table, axis=1).tolist(), strict=True)))
    return whole, [contrasts.value(expr, dict(zip(laps, sample, strict=True))) for sample in medians.T.tolist()]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _p(drawn: Sequence[float], direction: Direction, margin: float) -> float | None:
    """Two-sided, by the samples at or beyond the margin, with one more on either side (Davison and Hinkley, 1997).

    None where all samples are the same: then nothing was drawn by chance.
    """
    if min(drawn) == max(drawn):
        return None
    if direction == "within":
        return min(1.0, 2 * max(_share(drawn, margin, above=True), _share(drawn, -margin, above=False)))
    return min(1.0, 2 * min(_share(drawn, margin, above=True), _share(drawn, margin, above=False)))


def _share(drawn: Sequence[float], edge: float, above: bool) -> float:
    beyond = sum(value >= edge if above else value <= edge for value in drawn)
    return (beyond + 1) / (len(drawn) + 1)
