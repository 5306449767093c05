"""Two runs, or two groups of runs, side by side. No torch here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_vision.errors import InputError
from lit_vision.report import collect
from lit_vision.report.collect import Run
from lit_vision.report.comparison import curve_pairs, differences, image_pairs, pairing
from lit_vision.report.comparison.curve_pairs import CurvePair
from lit_vision.report.comparison.differences import Difference
from lit_vision.report.comparison.image_pairs import ClassPair, ImagePairs
from lit_vision.report.comparison.pairing import FigureOfGroups, Pairs

WATCHED = "train/loss"


@dataclass(frozen=True)
class Comparison:
    """All that was compared.

    Attributes:
        a: Runs of A: one, or a group's finished ones.
        b: Runs of B.
        differences: What differs, in the order in which one should look for a cause.
        curves: Of two runs; empty for groups.
        classes: Of two runs, largest difference first; empty for groups.
        images: Of two runs; None for groups, and where there is nothing to compare.
        figures: Test and training figures of both sides.
        pairs: Runs that belong together, for groups; empty if the groups are compared unpaired.
        remarks: What was left out, and why.
    """

    a: tuple[Run, ...]
    b: tuple[Run, ...]
    differences: tuple[Difference, ...]
    curves: tuple[CurvePair, ...]
    classes: tuple[ClassPair, ...]
    images: ImagePairs | None
    figures: tuple[FigureOfGroups, ...]
    pairs: tuple[tuple[Run, Run], ...]
    remarks: tuple[str, ...]

    @property
    def grouped(self) -> bool:
        """Whether either side holds more than one run."""
        return len(self.a) > 1 or len(self.b) > 1

    @property
    def watched(self) -> CurvePair | None:
        """The training loss of two runs."""
        return next((curve for curve in self.curves if curve.name == WATCHED and curve.points), None)


def read(a: Path, b: Path) -> tuple[list[Run], list[Run]]:
    """The runs of both sides.

    Raises:
        InputError: If a side holds none, or a run stands on both.
    """
    sides = collect.find([a]), collect.find([b])
    for path, side in zip((a, b), sides, strict=True):
        if not side:
            raise InputError(f"no runs at or below {path}; name a run's folder, or one that holds runs")
    theirs = {run.path.resolve() for run in sides[1]}
    shared = [run.path for run in sides[0] if run.path.resolve() in theirs]
    if shared:
        what = "both are the same" if a.resolve() == b.resolve() else f"{shared[0]} is in both"
        raise InputError(f"{a} and {b}: {what}; name two runs, or two groups that share none")
    return sides


def compare(a: Sequence[Run], b: Sequence[Run]) -> Comparison:
    """Compares two runs, or two groups.

    Args:
        a: One run, or a group: seeds of a row, a sweep.
        b: The other side.

    Raises:
        InputError: If a group holds no finished run, or a file is damaged.
    """
    remarks: list[str] = []
    if len(a) == 1 and len(b) == 1:
        return _two(a[0], b[0], remarks)
    left, right = _finished(a, "A", remarks), _finished(b, "B", remarks)
    paired = pairing.pairs(left, right)
    remarks.append(_how_paired(left, right, paired))
    return Comparison(
        a=tuple(left),
        b=tuple(right),
        differences=tuple(differences.find(left, right)),
        curves=(),
        classes=(),
        images=None,
        figures=tuple(pairing.figures(left, right, paired)),
        pairs=tuple(paired),
        remarks=(*remarks, "Curves, classes and images are compared between two runs, not between groups."),
    )


def _two(a: Run, b: Run, remarks: list[str]) -> Comparison:
    remarks += [f"{run.path} is unfinished: it has no test figures." for run in (a, b) if not run.finished]
    finished = a.finished and b.finished
    images, remark = image_pairs.find(a, b) if finished else (None, "")
    return Comparison(
        a=(a,),
        b=(b,),
        differences=tuple(differences.find([a], [b])),
        curves=tuple(curve_pairs.find(a, b)),
        classes=tuple(image_pairs.classes(a, b)),
        images=images,
        figures=tuple(pairing.figures([a], [b], [])) if finished else (),
        pairs=(),
        remarks=tuple(text for text in (*remarks, remark) if text),
    )


def _finished(runs: Sequence[Run], side: str, remarks: list[str]) -> list[Run]:
    """The finished runs of a group, without those that were done again."""
    done = [run for run in runs if run.finished]
    kept = pairing.newest(done)
    if not kept:
        raise InputError(f"{side} holds {len(runs)} run(s), none of them finished; compare two runs, or wait for one")
    if len(done) < len(runs):
        remarks.append(f"{side}: {len(runs) - len(done)} unfinished run(s) are left out.")
    if len(kept) < len(done):
        remarks.append(f"{side}: {len(done) - len(kept)} run(s) that were done again since are left out.")
    if len({bool(run.result["stand_in"]) for run in kept}) > 1:
        remarks.append(f"{side} mixes full-scale runs and stand-ins: its means say little.")
    return kept


def _how_paired(a: Sequence[Run], b: Sequence[Run], paired: Pairs) -> str:
    if paired:
        alone = len(a) + len(b) - 2 * len(paired)
        rest = f"; {alone} run(s) without a counterpart count in the means only" if alone else ""
        return f"{len(paired)} pairs of equal seed and settings: paired differences, Student's t{rest}."
    return f"{len(a)} and {len(b)} run(s), unpaired: Welch's t."
