"""Claims and their verdicts as a page: all of them, whatever came out. No torch here."""

from collections.abc import Iterable, Sequence

from lit_vision.experiment import paired
from lit_vision.report import numbers
from lit_vision.report.document import Document, Grid, Section
from lit_vision.runs import claim_verdicts
from lit_vision.runs.claim_verdicts import Judged

HEAD = ("claim", "statement", "pairs", "mean", "95 % interval", "p", "p (Holm)", "verdict")
NUMERIC = frozenset({"pairs", "mean", "p", "p (Holm)"})


def document(shown: Sequence[Judged], family: Sequence[Judged]) -> Document:
    """The page.

    Args:
        shown: The claims to show.
        family: All claims that Holm's correction counts.
    """
    corrected = claim_verdicts.corrected(family)
    remarks = (
        "Each claim was fixed in a file before its runs. The verdict is that of the 95 % interval (Student's t) of the",
        "paired difference against the margin; p is that of the paired t test that the difference is the margin.",
        "These are trials at the scale of a laptop, and no reproductions of a paper's table.",
    )
    grid = Grid(HEAD, [_row(one, corrected) for one in shown], numeric=NUMERIC)
    return Document("Claims", [" ".join(remarks)], [Section("Verdicts", grids=[grid]), *map(_section, shown)])


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


def _section(one: Judged) -> Section:
    claim = one.claim
    own = "our own claim; no paper prints it"
    facts = {
        "Claimed by": f"{claim.paper}, {claim.where}" if claim.paper else claim.where or own,
        "Data": claim.data,
        "Arms": "; ".join(_arm(one, name) for name in claim.arms),
        "Statement": f"{claim.statement}, in {claim.metric} after the last step, paired by {claim.pairing}",
        "Seeds": ", ".join(map(str, claim.seeds)),
        "Budget": f"{claim.budget.words} ({claim.budget.minutes:g} min for one seed of all arms)",
        "Known before": claim.known,
        "Verdict": "; ".join([told(one), *one.remarks]),
    }
    remarks = [f"{name}: {text}" for name, text in facts.items()]
    return Section(f"{claim.id}: {claim.text}", remarks, [_pairs(one)] if one.figures else [])


def _arm(one: Judged, name: str) -> str:
    """`momentum: quickstart/digits, digits, trainer.max_steps=60`."""
    arm = one.claim.arms[name]
    settings = [f"{key}={numbers.plain(value)}" for key, value in arm.set.items()]
    return f"{name}: {', '.join([arm.recipe, *filter(None, [arm.row, arm.on and f'on {arm.on}']), *settings])}"


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
