"""Figures of `diagnosis.json`: what kind of errors a run makes, where, and how sure it is of them. No torch here.

The keys are those that `diagnosis/callback.py` leaves; every one may be missing.
"""

from typing import Any

from lit_vision.report.dashboard import figures
from lit_vision.report.dashboard.figures import Figure

Diagnosis = dict[str, Any]

# As the files call them, and as pages do: there, `missed` is an object that no box found of those that pictures show.
KINDS = {name: name for name in ("classification", "localisation", "both", "duplicate", "background")}
KINDS["missed"] = "unseen"
MEANING = {
    "classification": "right place, wrong class",
    "localisation": "right class, box too loose",
    "both": "wrong class and loose box",
    "duplicate": "a second box on one object",
    "background": "a box where no object is",
    "unseen": "an object that no box of any score is about",
}
SIZES = ("small", "medium", "large")
EVERY_SCORE = "Boxes of every score count here, up to 100 of a class in an image."
SHOWN = {"detection": 0.5, "classification": 0.0}  # scores in use where the diagnosis does not say them
MOST_CLASSES = 60  # of a matrix that can still be read; above, the list of confusions has to do
CONFUSIONS = 20


def miss_figures(diagnosis: Diagnosis) -> dict[str, Figure]:
    """All figures that the diagnosis allows, by name."""
    found = {
        "errors": _errors(diagnosis.get("errors") or {}),
        "pr": _precision_recall(diagnosis.get("precision_recall") or {}),
        "recall": _recall(diagnosis.get("recall_iou") or {}),
        "confusion": _confusion(diagnosis),
    }
    return {name: figure for name, figure in found.items() if figure}


def by_cost(errors: dict[str, Any]) -> list[tuple[str, float, int]]:
    """Kinds of error with the AP50 that fixing them gives back and their number, dearest first."""
    found = [
        (shown, errors[kind].get("delta") or 0.0, errors[kind].get("count") or 0)
        for kind, shown in KINDS.items()
        if kind in errors
    ]
    return sorted(found, key=lambda entry: -entry[1])


def _errors(errors: dict[str, Any]) -> Figure | None:
    if not errors.get("all"):
        return None
    choices = {"all objects": _kinds("all objects", errors["all"])}
    sizes = {size: found for size in SIZES if (found := (errors.get("by_size") or {}).get(size))}
    if sizes:
        choices["by size"] = _sizes(sizes)
    choices |= {f"class {name}": _kinds(name, found) for name, found in (errors.get("by_class") or {}).items()}
    return figures.variants("errors of", choices)


def _kinds(name: str, errors: dict[str, Any]) -> Figure:
    found = by_cost(errors)
    hover = [f"{kind}: {MEANING[kind]}; {count:,} of them" for kind, _, count in found]
    trace = figures.trace(
        "AP50 it would give back", [kind for kind, _, _ in found], [c for _, c, _ in found], hover=hover
    )
    told = "; ".join(f"{kind} {cost:.3g} ({count:,})" for kind, cost, count in found)
    title = "what each kind of error costs"
    return figures.bars(
        title, f"Points of AP50 that fixing each kind gives back, {name}: {told}. {EVERY_SCORE}", [trace], "", "AP50"
    )


def _sizes(sizes: dict[str, Any]) -> Figure:
    traces = [
        figures.trace(size, list(KINDS.values()), [(errors.get(kind) or {}).get("delta") or 0.0 for kind in KINDS])
        for size, errors in sizes.items()
    ]
    told = "; ".join(f"{size}: {kind} {cost:.3g}" for size, e in sizes.items() for kind, cost, _ in by_cost(e)[:1])
    text = f"Points of AP50 that fixing each kind gives back, by object size. Dearest: {told}."
    return figures.bars("what each kind of error costs", text, traces, "", "AP50")


def _precision_recall(curves: dict[str, Any]) -> Figure | None:
    choices = {
        ("all classes" if name == "all" else f"class {name}"): _pr_curve(name, curve) for name, curve in curves.items()
    }
    return figures.variants("curve of", choices) if choices else None


def _pr_curve(name: str, curve: dict[str, Any]) -> Figure:
    recall, precision = curve.get("recall") or [], curve.get("precision") or []
    hover = [f"score {score:.2f}" if score is not None else "" for score in curve.get("score") or []]
    trace = figures.trace(name, recall, precision, role="val", hover=hover)
    known = [value for value in precision if value is not None]
    area = 100 * sum(known) / len(known) if known else 0.0
    text = f"Precision by recall at IoU 0.5, {name}: mean precision {area:.3g} %."
    return figures.lines(
        "precision and recall", text, [trace], "recall", "precision", x_range=[0, 1], y_range=[0, 1.02]
    )


def _recall(curve: dict[str, Any]) -> Figure | None:
    if not curve.get("iou") or len(curve["iou"]) != len(curve.get("recall") or []):
        return None
    trace = figures.trace("recall", curve["iou"], curve["recall"], role="val", mode="lines+markers")
    ends = f"from {_percent(curve['recall'][0])} at IoU {curve['iou'][0]:g}"
    text = f"Share of objects found {ends} to {_percent(curve['recall'][-1])} at IoU {curve['iou'][-1]:g}."
    return figures.lines("recall by overlap", text, [trace], "IoU asked for", "recall", y_range=[0, 1.02])


def _confusion(diagnosis: Diagnosis) -> Figure | None:
    names, cells = [str(name) for name in diagnosis.get("class_names") or []], diagnosis.get("confusion") or []
    if not cells or len(names) > MOST_CLASSES:
        return None
    matrix = [[0] * len(names) for _ in names]
    for truth, predicted, count in cells:
        matrix[truth][predicted] = count
    told = "; ".join(f"{truth} taken for {predicted}: {count}" for truth, predicted, count in confusions(diagnosis)[:5])
    text = f"Images by true and predicted class. Most frequent confusions: {told or 'none'}."
    return figures.heat("confusion matrix", text, matrix, names, "predicted", "true class")


def confusions(diagnosis: Diagnosis) -> list[tuple[str, str, int]]:
    """True class, predicted class and number of images, most frequent first; right ones left out."""
    names = diagnosis.get("class_names") or []
    wrong = [cell for cell in diagnosis.get("confusion") or [] if cell[0] != cell[1]]
    ordered = sorted(wrong, key=lambda cell: -cell[2])[:CONFUSIONS]
    return [(str(names[truth]), str(names[predicted]), count) for truth, predicted, count in ordered]


def class_name(diagnosis: Diagnosis, label: Any) -> str:
    """Name of a class; its number where it has none."""
    names = diagnosis.get("class_names") or []
    return str(names[label]) if isinstance(label, int) and 0 <= label < len(names) else str(label)


def shown_score(diagnosis: Diagnosis) -> float:
    """The score from which on a prediction is used."""
    return float(diagnosis.get("shown_score", SHOWN.get(diagnosis.get("task", ""), 0.0)))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.3g} %"
