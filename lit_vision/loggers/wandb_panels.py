"""The panels that say why a run may have missed, as W&B tables, charts and pictures. No torch here.

Drawn from `diagnosis.json` and the pictures beside it, which `diagnosis/callback.py` leaves after the test pass, so
that training and `lit-vision sync` give the same panels.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wandb

from lit_vision.errors import InputError
from lit_vision.runs import plain_json

EMPTY: tuple[object, ...] = (None, [], {})
CELLS = 10_000  # rows that one of W&B's charts takes
CURVES = 20  # classes in the chart of precision and recall: more cannot be told apart

_WORST = ("name", "f1", "wrong", "missed")
_MISTAKE = ("name", "truth", "predicted", "score")


def read(folder: Path) -> dict[str, Any]:
    """The panels of a run by their keys in W&B; none where the run has no diagnosis.

    Args:
        folder: The run's folder.

    Raises:
        InputError: If the diagnosis is damaged.
    """
    file = folder / "diagnosis.json"
    if not file.is_file():
        return {}
    try:
        return of(plain_json.parse(file.read_bytes()), folder)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged ({type(error).__name__}: {' '.join(str(error).split())[:100]}); move it elsewhere,\n"
            f"or write it again with lit-vision test --run {folder}"
        ) from None


def of(diagnosis: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The panels of a diagnosis; what it leaves out or leaves empty has none.

    Args:
        diagnosis: Content of `diagnosis.json`.
        folder: The run's folder, to which the paths of pictures are relative.
    """
    names = diagnosis.get("class_names") or []
    parts: dict[str, Callable[[Any], Any]] = {
        "per_class": lambda value: _table(list(value[0]), ([*entry.values()] for entry in value)),
        "confusion": lambda value: _confusion(value, names),
        "mistakes": lambda value: _pictures(value, _MISTAKE, folder, names),
        "worst": lambda value: _pictures(value, _WORST, folder, names),
        "errors": _errors,
        "precision_recall": lambda value: _precision_recall(value, diagnosis.get("per_class") or []),
        "recall_iou": lambda value: _line(["iou", "recall"], zip(value["iou"], value["recall"], strict=True)),
        "calibration": _calibration,
        "calibration_error": float,
    }
    panels = {
        f"diagnosis/{key}": build(diagnosis[key]) for key, build in parts.items() if diagnosis.get(key) not in EMPTY
    }
    if "diagnosis/errors" in panels:
        panels["diagnosis/given_back"] = _given_back(diagnosis["errors"]["all"])
    return panels


def gallery(folder: Path) -> dict[str, Any]:
    """The gallery's pictures as they lie in the run's folder, by their keys in W&B."""
    found = {split: sorted((folder / "gallery").glob(f"{split}_*.jpg")) for split in ("val", "test")}
    pictures = {split: [_picture(folder, path) for path in paths] for split, paths in found.items()}
    return {f"{split}/gallery": [one for one in shown if one] for split, shown in pictures.items() if any(shown)}


def plots(folder: Path) -> dict[str, Any]:
    """The plots of a run's analyses, each under its row."""
    return {f"{path.parent.name}/plot": wandb.Image(path) for path in sorted(folder.glob("analyses/*/plot.png"))}


def _table(columns: list[str], rows: Any) -> wandb.Table:
    return wandb.Table(columns=[*columns], data=[list(row) for row in rows])


def _line(columns: list[str], rows: Any, stroke: str | None = None) -> Any:
    """A line chart of the second column over the first."""
    measured = [row for row in rows if None not in row]
    return wandb.plot.line(_table(columns, measured), columns[0], columns[1], stroke, f"{columns[1]} over {columns[0]}")


def _confusion(cells: list[list[int]], names: list[str]) -> Any:
    """W&B's own chart; with classes too many for all cells, the ones that are not zero, the most frequent first."""
    counts = {(truth, predicted): count for truth, predicted, count in cells}
    if len(names) ** 2 <= CELLS:
        counts = {(row, column): 0 for row in range(len(names)) for column in range(len(names))} | counts
    else:
        counts = dict(sorted(counts.items(), key=lambda entry: -entry[1])[:CELLS])
    columns = ["Actual", "Predicted", "nPredictions"]
    rows = [(names[truth], names[predicted], count) for (truth, predicted), count in counts.items()]
    fields = {column: column for column in columns}
    return wandb.plot_table("wandb/confusion_matrix/v1", _table(columns, rows), fields, {"title": "Confusion matrix"})


def _pictures(entries: list[dict[str, Any]], columns: tuple[str, ...], folder: Path, names: list[str]) -> wandb.Table:
    """A table with a picture a row, in the diagnosis' order: worst first."""

    def cell(entry: dict[str, Any], column: str) -> Any:
        value = entry.get(column)
        labelled = column in ("truth", "predicted") and isinstance(value, int)
        return names[value] if labelled else str(value) if column == "name" else value  # type: ignore[index]

    rows = [[_image(folder, entry), *(cell(entry, column) for column in columns)] for entry in entries]
    return _table(["picture", *columns], rows)


def _image(folder: Path, entry: dict[str, Any]) -> wandb.Image | None:
    return _picture(folder, folder / (entry.get("picture") or ""))


def _picture(folder: Path, path: Path) -> wandb.Image | None:
    """A picture to send; None for what is no picture of this folder, wherever a path or a link leads."""
    file = path.resolve()
    inside = file.is_relative_to(folder.resolve()) and file.suffix == ".jpg" and file.is_file()
    return wandb.Image(file) if inside else None


def _errors(errors: dict[str, Any]) -> wandb.Table:
    parts = {"all": errors["all"]}
    parts |= {f"size {size}": part for size, part in (errors.get("by_size") or {}).items()}
    parts |= {f"class {name}": part for name, part in (errors.get("by_class") or {}).items()}
    rows = [(where, *row) for where, part in parts.items() if part for row in _kinds(part)]
    return _table(["where", "error", "count", "AP50 given back"], rows)


def _kinds(part: dict[str, Any]) -> Iterator[tuple[str, int | None, float | None]]:
    for kind, entry in part.items():
        if isinstance(entry, dict):  # beside them stands the AP50 itself
            yield kind.replace("_", " "), entry.get("count"), entry.get("delta")


def _given_back(part: dict[str, Any]) -> Any:
    rows = [(kind, delta) for kind, _, delta in _kinds(part) if delta is not None]
    title = "AP50 points that mending an error gives back"
    return wandb.plot.bar(_table(["error", "AP50 given back"], rows), "error", "AP50 given back", title)


def _precision_recall(curves: dict[str, Any], per_class: list[dict[str, Any]]) -> Any:
    """All classes together, and the commonest ones."""
    ordered = sorted(per_class, key=lambda entry: -(entry.get("count") or 0))
    names = ["all", *[entry["class"] for entry in ordered if entry["class"] in curves][:CURVES]]
    rows = [
        (recall, precision, name)
        for name in names
        for recall, precision in zip(curves[name]["recall"], curves[name]["precision"], strict=True)
    ]
    return _line(["recall", "precision", "class"], rows, "class")


def _calibration(bins: list[dict[str, Any]]) -> Any:
    columns = ["score", "accuracy", "count"]
    return _line(columns, ([entry[column] for column in columns] for entry in bins))
