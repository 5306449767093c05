"""A comparison as a page, what differs first at its top. No torch here."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lit_vision.report import numbers
from lit_vision.report import statistics as stats
from lit_vision.report.collect import Run
from lit_vision.report.comparison.compare import Comparison
from lit_vision.report.comparison.curve_pairs import CurvePair
from lit_vision.report.comparison.differences import KINDS, Difference
from lit_vision.report.comparison.image_pairs import ImagePairs, Line
from lit_vision.report.comparison.pairing import FigureOfGroups
from lit_vision.report.document import Document, Grid, Section, without_empty_columns
from lit_vision.report.statistics import Estimate

SHOWN = 20  # images and steps of a list; --json has all
LONGEST = 60  # letters of a value
LEVEL = 0.05
NUMERIC = frozenset(
    {"B - A", "step", "n", "objects", "common steps", "equal up to", "differs at"}
    | {f"{name}{side}" for name in ("", "score ", "F1 ", "last ", "wrong ", "missed ") for side in "AB"}
)


def document(comparison: Comparison, a: Path, b: Path) -> Document:
    """The page.

    Args:
        comparison: What was compared.
        a: How A is called.
        b: How B is called.
    """
    sections = [
        Section("What differs", _counts(comparison.differences), tuple(_differences(comparison.differences))),
        Section("Figures", (), tuple(_figures(comparison.figures, comparison.grouped))),
        Section("Curves", (), tuple(_curves(comparison.curves))),
        Section("Classes", (), tuple(_classes(comparison))),
        Section(
            "Images", tuple(_verdict_on(comparison.images)), tuple(_images(comparison.images, _class_names(comparison)))
        ),
    ]
    return Document(
        "Comparison",
        (first(comparison), f"A: {_side(a, comparison.a)}", f"B: {_side(b, comparison.b)}", *comparison.remarks),
        tuple(section for section in sections if section.remarks or section.grids),
    )


def _side(path: Path, runs: Sequence[Run]) -> str:
    run = runs[0]
    same = all((other.recipe, other.row) == (run.recipe, run.row) for other in runs)
    what = f"{run.recipe}, {run.row or '-'}" if same else "several rows"
    seeds = ", ".join(dict.fromkeys(numbers.plain(run.seed) for run in runs))
    return f"{path} ({what}, {len(runs)} run(s), seed {seeds})"


def first(comparison: Comparison) -> str:
    """What differs first, in one sentence or two."""
    watched = comparison.watched
    if comparison.differences:
        kind = comparison.differences[0].kind
        same_kind = [difference for difference in comparison.differences if difference.kind == kind]
        shown = "; ".join(f"{d.key} {_values(d.a)} against {_values(d.b)}" for d in same_kind[:3])
        more = f"; and {len(same_kind) - 3} more" if len(same_kind) > 3 else ""
        before = ", ".join(KINDS[: KINDS.index(kind)])
        equal = f" (no difference in {before})" if before else ""
        text = f"What differs first is the {kind}{equal}: {shown}{more}."
    else:
        text = f"Nothing that was recorded differs: {', '.join(KINDS)} are the same."
    return f"{text} {_first_step(watched)}".rstrip()


def _first_step(watched: CurvePair | None) -> str:
    if watched is None:
        return ""
    if watched.differs_at is None:
        return f"{watched.name} is the same at all {len(watched.points)} common steps."
    since = "from the first common step" if watched.equal_until is None else f"equal up to step {watched.equal_until}"
    a, b = next((a, b) for step, a, b in watched.points if step == watched.differs_at)
    return f"{watched.name} differs at step {watched.differs_at} ({a:.6g} against {b:.6g}), {since}."


def _counts(found: Sequence[Difference]) -> Sequence[str]:
    kinds = [difference.kind for difference in found]
    same = [kind for kind in KINDS if kind not in kinds]
    return (f"The same on both sides: {', '.join(same)}.",) if same and found else ()


def _differences(found: Sequence[Difference]) -> Iterator[Grid]:
    if found:
        rows = [(item.kind, item.key, _values(item.a), _values(item.b)) for item in found]
        yield Grid(("kind", "what", "A", "B"), rows)


def _values(values: Sequence[Any]) -> str:
    texts = [_short(numbers.plain(value)) for value in values]
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _figures(figures: Sequence[FigureOfGroups], grouped: bool) -> Iterator[Grid]:
    if not figures:
        return
    rows = []
    for figure in figures:
        sides = [_mean(figure.a), _mean(figure.b)]
        rows.append((figure.name, *sides, numbers.signed(figure.estimate.value), *_interval(figure.estimate)))
    head = ("figure", "A", "B", "B - A", "95 % interval", "p", "n")
    yield without_empty_columns(
        Grid(head, rows if grouped else [(*row[:4], "", "", "") for row in rows], "", (), NUMERIC)
    )


def _mean(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    if len(values) < 2:
        return numbers.figure(mean)
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return numbers.spread(mean, spread)


def _interval(estimate: Estimate) -> tuple[str, str, str]:
    low, high, p = estimate.low, estimate.high, estimate.p
    pairs = "pairs" if estimate.method == "paired t" else ""
    n = " + ".join(map(str, estimate.n)) + (f" {pairs}" if pairs else "")
    interval = "-" if low is None else f"{numbers.signed(low)} to {numbers.signed(high)}"
    return interval, "-" if p is None else _chance(p), n


def _chance(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _curves(curves: Sequence[CurvePair]) -> Iterator[Grid]:
    if not curves:
        return
    rows = []
    for curve in curves:
        (step_a, last_a), (step_b, last_b) = curve.last
        equal = "-" if curve.equal_until is None else str(curve.equal_until)
        differs = "never" if curve.differs_at is None and curve.points else str(curve.differs_at or "-")
        ends = [f"{numbers.figure(value)} at {step}" for step, value in ((step_a, last_a), (step_b, last_b))]
        rows.append((curve.name, str(len(curve.points)), equal, differs, *ends))
    yield Grid(("figure", "common steps", "equal up to", "differs at", "last A", "last B"), rows, "", (), NUMERIC)
    for curve in [curve for curve in curves if curve.name in ("train/loss", "val/loss", "val/ap50", "val/error")]:
        if curve.points:
            steps = [(str(step), f"{a:.4g}", f"{b:.4g}", f"{b - a:+.3g}") for step, a, b in _sample(curve.points)]
            yield Grid(("step", "A", "B", "B - A"), steps, curve.name, (), NUMERIC)


def _sample(points: Sequence[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    """At most twelve of the points, evenly, first and last among them."""
    count = min(12, len(points))
    return [points[round(i * (len(points) - 1) / max(1, count - 1))] for i in range(count)]


def _classes(comparison: Comparison) -> Iterator[Grid]:
    classes = comparison.classes
    if not classes:
        return
    rows = [
        (
            item.name,
            numbers.count(item.count),
            numbers.figure(item.a),
            numbers.figure(item.b),
            numbers.signed(item.difference),
        )
        for item in classes[:SHOWN]
    ]
    remarks = (f"The {SHOWN} that differ most of {len(classes)}.",) if len(classes) > SHOWN else ()
    head = ("class", "n", "A", "B", "B - A")
    yield without_empty_columns(Grid(head, rows, f"{classes[0].metric} in percent, by class", remarks, NUMERIC))


def _verdict_on(images: ImagePairs | None) -> Iterator[str]:
    if images is None:
        return
    a, b = len(images.only_a), len(images.only_b)
    says = f"p = {_chance(images.p)}{_says(images.p, a + b)}"
    if images.task == "classification":
        yield f"{images.images} images: {images.both_right} both right, {images.both_wrong} both wrong."
        yield f"{a} only A right, {b} only B right: exact McNemar test {says}."
        return
    yield f"{images.images} images: F1 is higher in A on {a}, higher in B on {b}, equal on {images.both_right}."
    if images.unmeasured:
        yield f"The other {images.unmeasured} have no F1: they hold no object, and a side found nothing there either."
    yield f"Sign test {says}."
    if images.difference:
        low, high = images.difference.low, images.difference.high
        interval = "none" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"
        yield f"Mean F1, B - A: {images.difference.value:+.3f}, 95 % bootstrap interval {interval}."


def _says(p: float, decided: int) -> str:
    """What a p-value allows to say, which for a handful of images is nothing."""
    if p < LEVEL:
        return ""
    if stats.mcnemar(0, decided) >= LEVEL:
        return f": no difference shown, and {decided} image(s) that tell A and B apart are too few to show any"
    return ": no difference shown"


def _class_names(comparison: Comparison) -> Sequence[str]:
    names = comparison.a[0].diagnosis.get("class_names") if comparison.images else None
    return names if isinstance(names, list) else ()


def _label(label: Any, names: Sequence[str]) -> str:
    return str(names[label]) if isinstance(label, int) and 0 <= label < len(names) else str(label)


def _images(images: ImagePairs | None, names: Sequence[str]) -> Iterator[Grid]:
    if images is None:
        return
    better = ("A right, B wrong", "B right, A wrong") if images.task == "classification" else ("A better", "B better")
    for title, lines in zip(better, (images.only_a, images.only_b), strict=True):
        if lines:
            shown = (
                f"{title} ({len(lines)})" if len(lines) <= SHOWN else f"{title} (the clearest {SHOWN} of {len(lines)})"
            )
            yield _lines(lines[:SHOWN], images.task, shown, names)


def _lines(lines: Sequence[Line], task: str, title: str, names: Sequence[str]) -> Grid:
    if task == "classification":
        head: Sequence[str] = ("image", "name", "truth", "A says", "score A", "B says", "score B")
        rows = [
            (
                *_name(line),
                _label(line["truth"], names),
                *(text for side in "ab" for text in _says_of(line[side], names)),
            )
            for line in lines
        ]
    else:
        head = ("image", "name", "objects", "F1 A", "F1 B", "wrong A", "wrong B", "missed A", "missed B")
        rows = [
            (
                *(*_name(line), str(line["objects"])),
                *(f"{line[side]['f1']:.2f}" for side in "ab"),
                *(str(line[side][key]) for key in ("wrong", "missed") for side in "ab"),
            )
            for line in lines
        ]
    return Grid(head, rows, title, (), NUMERIC)


def _name(line: Line) -> tuple[str, str]:
    return str(line["image"]), str(line["name"] if line["name"] is not None else "")


def _says_of(side: Line, names: Sequence[str]) -> tuple[str, str]:
    score = numbers.finite(side.get("score"))
    return _label(side["predicted"], names), "-" if score is None else f"{score:.3f}"
