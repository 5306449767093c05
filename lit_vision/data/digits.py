"""Handwritten digits that scikit-learn ships: the data set of the quickstart."""

from typing import Any

import torch
from sklearn.datasets import load_digits

from lit_vision.data.base import ImageData, stratified, take
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split
from lit_vision.data.pipelines.small import SmallImages

_VAL, _TEST = 1 / 6, 1 / 6


class Digits(ImageData):
    """1,797 real handwritten digits of 8 x 8 pixels (UCI, optical recognition of handwritten digits).

    Grey levels 0..16 become 0..255 in three equal channels. The split is fixed and stratified, the same for every seed:
    1,198 train, 300 val, 299 test (each class 29 to 31 in val and test).

    Args:
        pipeline: None crops at random after padding by one pixel, black as the ground of the digits, without flips: a
            mirrored digit is no digit.
        kwargs: See `ImageData`.
    """

    def __init__(self, pipeline: ImagePipeline | None = None, **kwargs: Any) -> None:
        super().__init__([str(digit) for digit in range(10)], pipeline or SmallImages(**_PIPELINE), **kwargs)
        self._own_pipeline = pipeline is None

    @property
    def pipeline_config(self) -> dict[str, Any] | None:
        """The default pipeline."""
        own = {"class_path": "lit_vision.data.pipelines.small.SmallImages", "init_args": _PIPELINE}
        return own if self._own_pipeline else None

    def read(self) -> dict[str, Split]:
        """All three splits, from the installed package."""
        digits = load_digits()
        grey = torch.from_numpy(digits.images * (255 / 16)).round().byte()
        whole = Split(grey[:, None].expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(digits.target).long())
        held, rest = stratified(whole.labels, _VAL + _TEST)
        evaluation = take(whole, held)
        test, val = stratified(evaluation.labels, _TEST / (_VAL + _TEST))
        return {"train": take(whole, rest), "val": take(evaluation, val), "test": take(evaluation, test)}

    def official(self) -> dict[str, int]:
        """Images of the three splits."""
        return {"train": 1198, "val": 300, "test": 299}

    def nominal_train(self) -> int:
        """Training images."""
        return 1198


_PIPELINE: dict[str, Any] = {"pad": 1, "flip": False, "size": 8, "fill": "black"}
