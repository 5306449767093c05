"""One claim on the page of claims: what was fixed, its runs, and what they say. No torch here."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from lit_vision.experiment import compose, paired
from lit_vision.experiment.claims import Claim
from lit_vision.experiment.evidence import Rounds
from lit_vision.experiment.paired import Judgement
from lit_vision.report import numbers
from lit_vision.report.document import Grid, Link, Section
from lit_vision.runs import claim_verdicts
from lit_vision.runs.claim_verdicts import Judged

WORKS = {"train": "a training step", "detect": "an image from pixels to boxes"}


def section(one: Judged, pictures: Path | None) -> Section:
    """The claim with all that its file fixes, the verdict, a table of its runs, and its plot.

    Args:
        one: The claim and what its runs say.
        pictures: Folder with its plot; none if None.
    """
    claim = one.claim
    own = "our own claim; no paper prints it"
    facts = {
        "Claimed by": f"{claim.paper}, {claim.where}" if claim.paper else claim.where or own,
        "Data": claim.data,
        "Arms": "; ".join(_arm(one, name) for name in claim.arms),
        "All arms": _settings(_common(claim)),
        "Learning rate": _grid(claim),
        "Statement": _statement(claim),
        "Seeds": ", ".join(map(str, claim.seeds)),
        "Budget": f"{claim.budget.words} ({claim.budget.minutes:g} min for one seed of all arms)",
        "Known before": claim.known,
        "Verdict": "; ".join([told(one), *one.remarks]),
    }
    remarks = [f"{name}: {text}" for name, text in facts.items() if text]
    plot = Link(f"the pairs of {claim.id}", str(pictures / f"{claim.id}.png")) if pictures and one.differences else None
    grids = [_runs(one), *([_beside(one)] if one.told else [])] if one.figures else []
    return Section(f"{claim.id}: {claim.text}", remarks, grids, plot)


def told(one: Judged) -> str:
    """The verdict in words: `holds`, `undecided (about 9 pairs needed)`."""
    verdict, evidence = one.judgement, one.claim.evidence
    if verdict.word != "undecided" or evidence.images or evidence.rounds:
        return str(verdict.word)
    number = f"about {verdict.needed}" if verdict.needed else f"more than {paired.MOST_PAIRS}"
    return f"{verdict.word} ({number} {'runs of each arm' if evidence.successes else 'pairs'} needed)"


def interval(verdict: Judgement) -> str:
    """`[+42.50, +49.14]`."""
    ends = verdict.interval
    return f"[{numbers.signed(ends[0])}, {numbers.signed(ends[1])}]" if ends else numbers.NONE


def _statement(claim: Claim) -> str:
    """The inequality, its figure, and what decides it."""
    evidence = claim.evidence
    if evidence.successes:
        runs = f"the share of runs with {claim.metric} {evidence.successes.told()}"
        return f"{claim.statement}, in {runs} after the last step, by Fisher's exact test"
    if evidence.rounds:
        return f"{claim.statement}, in {claim.metric}, {_in_turn(evidence.rounds)}"
    said = f"{claim.statement}, in {claim.metric} after the last step, paired by {claim.pairing}"
    if evidence.images:
        return f"{said}; the test images are drawn {evidence.images.samples:,} times, the same for all arms"
    return said


def _in_turn(rounds: Rounds) -> str:
    size = " x ".join(map(str, rounds.size))
    each = f"every arm in turn measures {WORKS[rounds.work]}, untrained, batches of {rounds.batch}, {size} pixels"
    return f"the median of {rounds.count} rounds; in each, {each}"


def _common(claim: Claim) -> dict[str, object]:
    """What all arms set alike, where there are several."""
    first, *others = claim.arms.values()
    shared = [key for key, value in first.set.items() if all(arm.set.get(key) == value for arm in others)]
    return {key: first.set[key] for key in shared if others}


def _settings(settings: Mapping[str, object]) -> str:
    """`trainer.max_steps=60, model.optimizer.lr=0.02`; a section by the leaves that it sets."""
    return ", ".join(f"{key}={numbers.plain(value)}" for key, value in compose.flatten(dict(settings)).items())


def _grid(claim: Claim) -> str:
    if not claim.tune:
        return ""
    tune = claim.tune
    values = ", ".join(map(numbers.plain, tune.values))
    return f"{tune.key} of each arm is the best of {values} by {tune.by}, tried with seed {tune.seed}"


def _arm(one: Judged, name: str) -> str:
    """`momentum: quickstart/digits, digits, trainer.max_steps=60`."""
    arm = one.claim.arms[name]
    own = {key: value for key, value in arm.set.items() if key not in _common(one.claim)}
    return f"{name}: {', '.join(filter(None, [arm.recipe, arm.row, arm.on and f'on {arm.on}', _settings(own)]))}"


def _runs(one: Judged) -> Grid:
    """Each arm's figure by seed, and the difference that is averaged; where runs are counted, how many succeed."""
    counted = claim_verdicts.successes(one.claim, one.figures)
    arms, last = list(one.claim.arms), [] if counted else [one.claim.difference]
    rows = []
    for seed, figures in one.figures.items():
        difference = [] if counted else [numbers.signed(one.differences.get(seed))]
        rows.append([str(seed), *(numbers.figure(figures.get(arm)) for arm in arms), *difference])
    if counted:
        rows.append(["succeed", *(f"{of_arm[0]} of {of_arm[1]}" for of_arm in counted.values())])
    codes = ", ".join(dict.fromkeys(str(line.code) for line in one.lines))
    seconds = sum(line.duration_s or 0 for line in one.lines)
    remark = f"{len(one.lines)} runs, {numbers.duration(seconds / 3600)} in all, code {codes}"
    head = ["seed", *arms, *last]
    return Grid(head, rows, remarks=[remark], numeric=frozenset(head))


def _beside(one: Judged) -> Grid:
    """Figures that are told and decide nothing."""
    head = ["figure", *one.claim.arms, one.claim.difference, "95 % interval"]
    rows = []
    for metric, judgement in one.told.items():
        figures = claim_verdicts.by_seed(one.lines, metric).values()
        means = (_mean([of_arm.get(arm) for of_arm in figures]) for arm in one.claim.arms)
        rows.append([metric, *map(numbers.figure, means), numbers.signed(judgement.mean), interval(judgement)])
    return Grid(head, rows, remarks=["Told, never judged; means over the seeds:"], numeric=frozenset(head[1:-1]))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
