"""What the runs of claims decide. No torch here."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lit_vision.experiment import claims, contrasts, paired
from lit_vision.experiment.claims import Claim
from lit_vision.experiment.paired import Judgement
from lit_vision.runs.claim_runs import Line


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
    """

    claim: Claim
    judgement: Judgement
    figures: Mapping[int, Mapping[str, float | None]]
    differences: Mapping[int, float]
    lines: list[Line] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def judge(claim: Claim, found: Iterable[Line]) -> Judged:
    """Judges a claim by the runs that were made for it as it stands now; all of them count.

    Args:
        claim: The claim.
        found: Lines, those of other claims and of earlier wordings too.
    """
    own = [line for line in found if line.claim == claim.id]
    counted = [line for line in own if line.digest == claim.digest]
    figures: dict[int, dict[str, float | None]] = {}
    for line in counted:
        figures.setdefault(line.seed, {})[line.arm] = line.figure
    differences = dict(_differences(claim, figures))
    verdict = paired.judge(list(differences.values()), claim.direction, claim.margin)
    remarks = list(_remarks(claim, own, figures, differences))
    return Judged(claim, verdict, figures, differences, counted, remarks)


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
        yield f"interim: {_seeds(waiting)} of the file not finished"
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


def marks(judged: Iterable[Judged]) -> dict[tuple[str, str | None], list[str]]:
    """The claims that name a recipe's row, each with its verdict: `C00 holds`, by recipe and row."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for one in judged:
        places = dict.fromkeys((arm.recipe, claims.row_of(arm)) for arm in one.claim.arms.values())
        for place_of_row in places:
            found.setdefault(place_of_row, []).append(f"{one.claim.id} {one.judgement.word}")
    return found
