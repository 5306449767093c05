"""Claims and their verdicts as a page: all of them, whatever came out. No torch here."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lit_vision.experiment import compose, paired
from lit_vision.experiment.claims import Claim
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
        "These are trials at the scale of a laptop, and no reproductions of a paper's table.",
    )
    grid = Grid(HEAD, [_row(one, corrected) for one in shown], numeric=NUMERIC)
    return Document(
        "Claims", [" ".join(remarks)], [Section("Verdicts", grids=[grid]), *(_section(one, pictures) for one in shown)]
    )


def _row(one: Judged, corrected: dict[str, float]) -> list[str]:
    verdict = one.judgement
    return [
        *(one.claim.id, one.claim.statement, str(verdict.pairs), numbers.signed(verdict.mean), _interval(one)),
        *(_p(verdict.p), _p(corrected.get(one.claim.id)), told(one)),
    ]


def told(one: Judged) -> str:
    """The verdict in words: `holds`, `undecided (about 9 pairs needed)`."""
    verdict = one.judgement
    if verdict.word != "undecided":
        return str(verdict.word)
    if verdict.needed is None:
        return f"{verdict.word} (more than {paired.MOST_PAIRS} pairs needed)"
    return f"{verdict.word} (about {verdict.needed} pairs needed)"


def _interval(one: Judged) -> str:
    interval = one.judgement.interval
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
        "Statement": f"{claim.statement}, in {claim.metric} after the last step, paired by {claim.pairing}",
        "Seeds": ", ".join(map(str, claim.seeds)),
        "Budget": f"{claim.budget.words} ({claim.budget.minutes:g} min for one seed of all arms)",
        "Known before": claim.known,
        "Verdict": "; ".join([told(one), *one.remarks]),
    }
    remarks = [f"{name}: {text}" for name, text in facts.items() if text]
    plot = Link(f"the pairs of {claim.id}", str(pictures / f"{claim.id}.png")) if pictures and one.differences else None
    return Section(f"{claim.id}: {claim.text}", remarks, [_pairs(one)] if one.figures else [], plot)


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
