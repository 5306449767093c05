"""Claims and their verdicts as a page: all of them, whatever came out. No torch here."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lit_vision.experiment import claims, compose, paired
from lit_vision.experiment.claims import Claim
from lit_vision.experiment.paired import Judgement
from lit_vision.report import numbers
from lit_vision.report.document import Document, Grid, Link, Section
from lit_vision.runs import claim_verdicts
from lit_vision.runs.claim_verdicts import Judged

HEAD = ("claim", "statement", "pairs", "mean", "95 % interval", "p", "p (Holm)", "verdict")
NUMERIC = frozenset({"pairs", "mean", "p", "p (Holm)"})


def document(shown: Sequence[Judged], family: Sequence[Judged], pictures: Path | None = None) -> Document:
    """The page.

    Args:
        shown: The claims to show.
        family: All claims that Holm's correction counts.
        pictures: Folder with a plot of each claim that has pairs; none if None.
    """
    corrected = claim_verdicts.corrected(family)
    remarks = (
        "Each claim was fixed in a file before its runs. The verdict is that of the 95 % interval (Student's t) of the",
        "paired difference against the margin; p is that of the paired t test that the difference is the margin.",
        "Where a claim names another kind of evidence, its section says so: counts of runs are judged by Fisher's exact",
        "test, resampled images and interleaved rounds by the middle 95 % of their samples.",
        "These are trials at the scale of a laptop, and no reproductions of a paper's table.",
    )
    grid = Grid(HEAD, [_row(one, corrected) for one in shown], numeric=NUMERIC)
    sections = [Section("Verdicts", grids=[grid]), *(_section(one, pictures) for one in shown)]
    return Document("Claims", [" ".join(remarks)], [*sections, beyond()])


def beyond() -> Section:
    """What cannot be decided at this scale, and why."""
    head = ("paper", "where", "says", "why not here")
    rows = [[one.paper, one.where, one.text, one.because] for one in claims.beyond()]
    return Section("Not decidable here", grids=[Grid(head, rows)])


def _row(one: Judged, corrected: dict[str, float]) -> list[str]:
    verdict = one.judgement
    return [
        *(one.claim.id, one.claim.statement, str(verdict.pairs), numbers.signed(verdict.mean), _interval(verdict)),
        *(_p(verdict.p), _p(corrected.get(one.claim.id)), told(one)),
    ]


def told(one: Judged) -> str:
    """The verdict in words: `holds`, `undecided (about 9 pairs needed)`."""
    verdict = one.judgement
    evidence = one.claim.evidence
    if verdict.word != "undecided" or evidence.images or evidence.rounds:
        return str(verdict.word)
    number = f"about {verdict.needed}" if verdict.needed else f"more than {paired.MOST_PAIRS}"
    return f"{verdict.word} ({number} {'runs of each arm' if evidence.successes else 'pairs'} needed)"


def _interval(verdict: Judgement) -> str:
    interval = verdict.interval
    return f"[{numbers.signed(interval[0])}, {numbers.signed(interval[1])}]" if interval else numbers.NONE


def _p(p: float | None) -> str:
    if p is None:
        return numbers.NONE
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def _section(one: Judged, pictures: Path | None) -> Section:
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
    grids = [_pairs(one), *([_beside(one)] if one.told else [])] if one.figures else []
    return Section(f"{claim.id}: {claim.text}", remarks, grids, plot)


def _statement(claim: Claim) -> str:
    """The inequality, its figure, and what decides it."""
    evidence = claim.evidence
    if evidence.successes:
        said = f"{claim.statement}, in the share of runs with {claim.metric} {evidence.successes.told()} after the last step"
        return f"{said}, by Fisher's exact test"
    if evidence.rounds:
        of_work = {"train": "a training step", "detect": "an image from pixels to boxes"}[evidence.rounds.work]
        size = " x ".join(map(str, evidence.rounds.size))
        return (
            f"{claim.statement}, in {claim.metric}, the median of {evidence.rounds.count} rounds; in each, every arm in "
            f"turn measures {of_work}, untrained, batches of {evidence.rounds.batch}, {size} pixels"
        )
    said = f"{claim.statement}, in {claim.metric} after the last step, paired by {claim.pairing}"
    drawn = evidence.images and f"; the test images are drawn {evidence.images.samples:,} times, the same for all arms"
    return f"{said}{drawn or ''}"


def _beside(one: Judged) -> Grid:
    """Figures that are told and decide nothing."""
    head = ["figure", *one.claim.arms, one.claim.difference, "95 % interval"]
    rows = []
    for metric, judgement in one.told.items():
        figures = claim_verdicts.by_seed(one.lines, metric).values()
        means = (_mean([of_arm.get(arm) for of_arm in figures]) for arm in one.claim.arms)
        rows.append([metric, *map(numbers.figure, means), numbers.signed(judgement.mean), _interval(judgement)])
    return Grid(head, rows, remarks=["Told, never judged; means over the seeds:"], numeric=frozenset(head[1:-1]))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


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


def _pairs(one: Judged) -> Grid:
    arms = list(one.claim.arms)
    rows = [
        [str(seed), *(numbers.figure(figures.get(arm)) for arm in arms), numbers.signed(one.differences.get(seed))]
        for seed, figures in one.figures.items()
    ]
    codes = ", ".join(dict.fromkeys(str(line.code) for line in one.lines))
    seconds = sum(line.duration_s or 0 for line in one.lines)
    remark = f"{len(one.lines)} runs, {numbers.duration(seconds / 3600)} in all, code {codes}"
    head = ["seed", *arms, one.claim.difference]
    return Grid(head, rows, remarks=[remark], numeric=frozenset(head))


def listing(family: Iterable[Judged]) -> Grid:
    """The claims in short."""
    head = ("claim", "says", "statement", "arms", "seeds", "minutes a seed", "verdict")
    return Grid(head, [_short(one) for one in family], numeric=frozenset({"minutes a seed"}))


def _short(one: Judged) -> list[str]:
    claim = one.claim
    seeds = ", ".join(map(str, claim.seeds))
    return [claim.id, claim.text, claim.statement, ", ".join(claim.arms), seeds, f"{claim.budget.minutes:g}", told(one)]
