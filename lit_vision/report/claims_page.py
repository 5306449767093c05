"""Claims and their verdicts as a page: all of them, whatever came out. No torch here."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lit_vision.experiment import claims
from lit_vision.report import claim_section, numbers
from lit_vision.report.document import Document, Grid, Section
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
        "Where a claim names another kind of evidence, its section says so: Fisher's exact test judges counts of runs,",
        "and the middle 95 % of their samples judge resampled images and interleaved rounds.",
        "These are trials at the scale of a laptop, and no reproductions of a paper's table.",
    )
    grid = Grid(HEAD, [_row(one, corrected) for one in shown], numeric=NUMERIC)
    sections = [Section("Verdicts", grids=[grid]), *(claim_section.section(one, pictures) for one in shown)]
    return Document("Claims", [" ".join(remarks)], [*sections, beyond()])


def beyond() -> Section:
    """What cannot be decided at this scale, and why."""
    head = ("paper", "where", "says", "why not here")
    rows = [[one.paper, one.where, one.text, one.because] for one in claims.beyond()]
    return Section("Not decidable here", grids=[Grid(head, rows)])


def _row(one: Judged, corrected: dict[str, float]) -> list[str]:
    verdict = one.judgement
    return [
        *(one.claim.id, one.claim.statement, str(verdict.pairs), numbers.signed(verdict.mean)),
        *(claim_section.interval(verdict), _p(verdict.p), _p(corrected.get(one.claim.id)), _told(one)),
    ]


def _p(p: float | None) -> str:
    if p is None:
        return numbers.NONE
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def listing(family: Iterable[Judged]) -> Grid:
    """The claims in short."""
    head = ("claim", "says", "statement", "arms", "seeds", "minutes a seed", "verdict")
    return Grid(head, [_short(one) for one in family], numeric=frozenset({"minutes a seed"}))


def _short(one: Judged) -> list[str]:
    claim = one.claim
    seeds = ", ".join(map(str, claim.seeds))
    minutes = f"{claim.budget.minutes:g}"
    return [claim.id, claim.text, claim.statement, ", ".join(claim.arms), seeds, minutes, _told(one)]


def _told(one: Judged) -> str:
    """The verdict in words, and whether it is the last one."""
    return f"{claim_section.told(one)}{', interim' if one.interim else ''}"
