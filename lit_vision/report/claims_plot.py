"""The plot of a claim: its paired differences, their mean with its interval, and the margin. No torch here."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_vision.report import claim_section
from lit_vision.runs.claim_verdicts import Judged


def draw(one: Judged) -> Figure:
    """Pairs above, one line per seed; their mean with its 95 % interval below; the margin as a dashed line.

    Where runs are counted, their figures stand there instead, one line per arm, and the level that they should reach.

    Args:
        one: A claim with at least one pair.
    """
    return _counted(one) if one.claim.evidence.successes else _paired(one)


def _paired(one: Judged) -> Figure:
    seeds, values = list(one.differences), list(one.differences.values())
    figure = Figure(figsize=(6.4, 1.4 + 0.22 * len(seeds)), layout="constrained")
    axes = figure.subplots()
    places = [len(seeds) - position for position in range(len(seeds))]
    axes.plot(values, places, "o", color="tab:blue")
    _mean(axes, one)
    _margin(axes, one)
    axes.set_yticks([*places, 0], [*(f"seed {seed}" for seed in seeds), "mean"])
    axes.set_ylim(-0.7, len(seeds) + 0.7)
    axes.set_xlabel(f"{one.claim.difference}   ({one.claim.metric})")
    _entitle(axes, one)
    return figure


def _counted(one: Judged) -> Figure:
    successes = one.claim.evidence.successes
    assert successes is not None
    arms = list(one.claim.arms)
    figure = Figure(figsize=(6.4, 1.6 + 0.3 * len(arms)), layout="constrained")
    axes = figure.subplots()
    for place, arm in enumerate(reversed(arms)):
        values = [value for figures in one.figures.values() if (value := figures.get(arm)) is not None]
        axes.plot(values, [place] * len(values), "o", color="tab:blue", alpha=0.6)
    level = successes.below if successes.below is not None else successes.above
    assert level is not None
    low, high = axes.get_xlim()
    axes.axvline(level, color="grey", linestyle="--", linewidth=1)
    axes.axvspan(*((min(low, level), level) if successes.below is not None else (level, max(high, level))), alpha=0.12)
    axes.set_yticks(range(len(arms)), list(reversed(arms)))
    axes.set_ylim(-0.7, len(arms) - 0.3)
    axes.set_xlabel(f"{one.claim.metric}; a run succeeds {successes.told()}")
    _entitle(axes, one)
    return figure


def _entitle(axes: Axes, one: Judged) -> None:
    axes.set_title(f"{one.claim.id}: {one.claim.statement}: {claim_section.told(one)}", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)


def _mean(axes: Axes, one: Judged) -> None:
    judgement = one.judgement
    if judgement.mean is None:
        return
    low, high = judgement.interval or (judgement.mean, judgement.mean)
    axes.errorbar(
        [judgement.mean], [0], xerr=[[judgement.mean - low], [high - judgement.mean]], fmt="D", color="black", capsize=4
    )


def _margin(axes: Axes, one: Judged) -> None:
    """The side that is claimed is shaded."""
    margin, direction = one.claim.margin, one.claim.direction
    edges = (-margin, margin) if direction == "within" else (margin,)
    for edge in (*edges, 0.0):
        axes.axvline(edge, color="grey", linestyle="--" if edge or edge in edges else ":", linewidth=1)
    low, high = axes.get_xlim()
    start, end = {">": (margin, max(high, margin)), "<": (min(low, margin), margin), "within": (-margin, margin)}[
        direction
    ]
    axes.axvspan(start, end, color="tab:green", alpha=0.12)
    axes.set_xlim(min(low, start), max(high, end))
