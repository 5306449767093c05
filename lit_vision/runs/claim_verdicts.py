"""What the runs of claims decide. No torch here."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lit_vision.experiment import claims, contrasts, counts, paired, resampled
from lit_vision.experiment.claims import Claim
from lit_vision.experiment.paired import Judgement
from lit_vision.runs.claim_runs import Line

INTERIM = "interim"


@dataclass(frozen=True)
class Judged:
    """A claim and what its runs say.

    Attributes:
        claim: The claim.
        judgement: The verdict with interval and p value.
        figures: Figure by arm, for each seed that ran.
        differences: The claim's expression, for each seed of which all arms have a figure.
        lines: The runs that count.
        remarks: What a reader must know beside the verdict.
        told: The same of each figure that decides nothing; its word is not shown.
    """

    claim: Claim
    judgement: Judgement
    figures: Mapping[int, Mapping[str, float | None]]
    differences: Mapping[int, float]
    lines: list[Line] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    told: Mapping[str, Judgement] = field(default_factory=dict)

    @property
    def interim(self) -> bool:
        """Whether seeds of the file are missing."""
        return any(remark.startswith(INTERIM) for remark in self.remarks)


def judge(claim: Claim, found: Iterable[Line]) -> Judged:
    """Judges a claim by the runs that were made for it as it stands now; all of them count.

    Args:
        claim: The claim.
        found: Lines, those of other claims and of earlier wordings too.
    """
    own = [line for line in found if line.claim == claim.id]
    counted = [line for line in own if line.digest == claim.digest]
    figures = by_seed(counted, claim.metric)
    differences = dict(_differences(claim, figures))
    remarks = list(_remarks(claim, own, figures, differences))
    told = {metric: _judgement(claim, metric, counted) for metric in claim.told}
    return Judged(
        claim, _judgement(claim, claim.metric, counted), figures, differences, counted, remarks, told if counted else {}
    )


def by_seed(lines: Iterable[Line], metric: str) -> dict[int, dict[str, float | None]]:
    """A figure by arm, for each seed that ran."""
    figures: dict[int, dict[str, float | None]] = {}
    for line in lines:
        figures.setdefault(line.seed, {})[line.arm] = line.value(metric)
    return figures


def successes(claim: Claim, figures: Mapping[int, Mapping[str, float | None]]) -> dict[str, tuple[int, int]]:
    """Successes and runs of each arm, where the claim counts them."""
    counted = claim.evidence.successes
    if counted is None:
        return {}
    ran = {arm: [of_seed[arm] for of_seed in figures.values() if arm in of_seed] for arm in claim.arms}
    return {arm: (sum(map(counted.reached, found)), len(found)) for arm, found in ran.items()}


def _judgement(claim: Claim, metric: str, lines: list[Line]) -> Judgement:
    """By the claim's kind of evidence."""
    figures = by_seed(lines, metric)
    differences = dict(_differences(claim, figures))
    if claim.evidence.successes and metric == claim.metric:
        first, second = contrasts.names(claim.difference)
        counted = successes(claim, figures)
        return counts.judge(counted[first], counted[second], claim.direction)
    if (claim.evidence.images or claim.evidence.rounds) and differences:
        drawn = [{line.arm: line.drawn.get(metric, []) for line in lines if line.seed == seed} for seed in differences]
        if all(values for of_arm in drawn for values in of_arm.values()):
            return _resampled(claim, figures, drawn, list(differences))
    return paired.judge(list(differences.values()), claim.direction, claim.margin)


def _resampled(
    claim: Claim,
    figures: Mapping[int, Mapping[str, float | None]],
    drawn: list[dict[str, list[float]]],
    seeds: list[int],
) -> Judgement:
    """Over the images, of the mean over seeds; over the rounds of all sittings together."""
    if claim.evidence.images:
        known = [{arm: figure or 0.0 for arm, figure in figures[seed].items()} for seed in seeds]
        value, samples = resampled.over_images(claim.difference, known, drawn)
        return resampled.judge(value, samples, len(seeds), claim.direction, claim.margin)
    laps = {arm: [lap for of_arm in drawn for lap in of_arm[arm]] for arm in claim.arms}
    value, samples = resampled.over_rounds(claim.difference, laps)
    return resampled.judge(value, samples, len(next(iter(laps.values()))), claim.direction, claim.margin)


def _differences(claim: Claim, figures: Mapping[int, Mapping[str, float | None]]) -> Iterator[tuple[int, float]]:
    for seed, of_arm in figures.items():
        known = {arm: figure for arm, figure in of_arm.items() if figure is not None}
        if set(known) == set(claim.arms):
            difference = contrasts.value(claim.difference, known)
            if math.isfinite(difference):
                yield seed, difference


def _remarks(
    claim: Claim, own: list[Line], figures: Mapping[int, Mapping[str, float | None]], differences: Mapping[int, float]
) -> Iterator[str]:
    other = [line for line in own if line.digest != claim.digest]
    if other:
        yield f"edited after its first run: {_counted(len(other), 'run')} of another wording do not count"
    if waiting := [seed for seed in claim.seeds if set(figures.get(seed, ())) != set(claim.arms)] if figures else []:
        yield f"{INTERIM}: {_seeds(waiting)} of the file not finished"
    if added := [seed for seed in differences if seed not in claim.seeds]:
        yield f"{_seeds(added)} added to those of the file"
    if untold := [seed for seed in figures if set(figures[seed]) == set(claim.arms) and seed not in differences]:
        yield f"{_seeds(untold)} without a figure of each arm, and so without a pair"
    for arm in claim.arms:
        if len({line.configuration for line in own if line.arm == arm and line not in other}) > 1:
            yield f"arm {arm} ran with more than one configuration: its recipe or its precision was changed"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _seeds(seeds: list[int]) -> str:
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}"


def corrected(judged: Iterable[Judged]) -> dict[str, float]:
    """Holm's p values of all claims that have one, by id."""
    return paired.holm({one.claim.id: one.judgement.p for one in judged if one.judgement.p is not None})


def by_row(judged: Iterable[Judged]) -> dict[tuple[str, str | None], dict[str, str]]:
    """The claims that name a recipe's row, each with its verdict: `{"C00": "holds"}`, by recipe and row.

    A verdict before all seeds of the file have run is called interim.
    """
    found: dict[tuple[str, str | None], dict[str, str]] = {}
    for one in judged:
        interim = ", interim" if one.interim else ""
        for arm in one.claim.arms.values():
            found.setdefault((arm.recipe, claims.row_of(arm)), {})[one.claim.id] = f"{one.judgement.word}{interim}"
    return found
