"""Why a classifier may have missed: which classes it takes for which, how surely, and on which images."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_vision.diagnosis import calibration, confusion, drawing, pictures
from lit_vision.diagnosis.pictures import Examination, Report, Rows
from lit_vision.types import Batch

_SIDE = 320  # pixels; more would make the page of a run heavy


class ClassificationDiagnosis(Examination):
    """Keeps six numbers of each image: 40 bytes, 2 MB for ImageNet's 50,000.

    The score is the softmax's of the predicted class, the first of equals.
    """

    task = "classification"

    def __init__(self) -> None:
        self._batches: list[Rows] = []

    def keep(self, outputs: Tensor, batch: Batch[Tensor], number: int) -> None:
        """Takes the logits of one batch, [B, K]; stays on the device, which need not be waited for."""
        chances = outputs.detach().float().softmax(1)
        score, predicted = chances.max(1)
        truth_score = chances.gather(1, batch.targets[:, None])[:, 0]
        place = torch.stack([torch.full_like(batch.targets, number), torch.arange(len(score)).to(batch.targets)], 1)
        columns = {"place": place, "truth": batch.targets, "predicted": predicted}
        self._batches.append(columns | {"score": score, "truth_score": truth_score})

    def rows(self) -> Rows:
        """Of all batches so far."""
        return {name: torch.cat([batch[name] for batch in self._batches]).cpu() for name in self._batches[0]}

    def report(self, parts: list[Rows], data: Any, folder: Path) -> Report:
        """See `Examination`."""
        rows = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        image = torch.stack([data.tested[batch][position] for batch, position in rows.pop("place").tolist()])
        order = image.argsort()
        names = data.image_names("test")
        columns = {"image": image[order].tolist()} | {name: values[order].tolist() for name, values in rows.items()}
        images = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        images = [{"image": one["image"], "name": names[one["image"]], **one} for one in images]
        return self._summary({name: values[order] for name, values in rows.items()}, images, data, folder), images

    def _summary(self, rows: Rows, images: list[dict[str, Any]], data: Any, folder: Path) -> dict[str, Any]:
        truth, predicted, scores = (rows[name].numpy() for name in ("truth", "predicted", "score"))
        count, error = confusion.by_class(truth, predicted, data.num_classes)
        by_class = zip(data.class_names, count.tolist(), error.tolist(), strict=True)
        chosen = confusion.most_confident(truth, predicted, scores, pictures.SHOWN).tolist()
        return {
            "class_names": data.class_names,
            "images": len(images),
            **pictures.calibrated(calibration.bins(scores, truth == predicted)),
            "confusion": confusion.cells(truth, predicted, data.num_classes),
            "per_class": [{"class": name, "count": n, "error": percent} for name, n, percent in by_class],
            "mistakes": [_mistake(number, images[row], data, folder) for number, row in enumerate(chosen)],
        }


def _mistake(number: int, image: dict[str, Any], data: Any, folder: Path) -> dict[str, Any]:
    """An entry of `mistakes`, and its picture."""
    picture = pictures.save(
        folder,
        f"mistake_{number:02d}",
        lambda: drawing.fitted(drawing.opened(data.original("test", image["image"])), _SIDE, _SIDE),
    )
    kept = {name: image[name] for name in ("image", "name", "truth", "predicted", "score")}
    return kept | {"picture": picture}
