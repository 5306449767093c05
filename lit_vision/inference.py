"""A checkpoint as an object with `predict`.

predictor = inference.load("runs/…/checkpoints/last.ckpt")
predictor.predict(["cat.jpg"])
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lit_vision import build, checkpoints
from lit_vision.data import decode
from lit_vision.data.pipeline import Pipeline


class Prediction(NamedTuple):
    """Classes of one image, best first.

    Attributes:
        classes: Names.
        scores: Probabilities, in the same order.
    """

    classes: list[str]
    scores: list[float]


@dataclass
class Predictor:
    """A trained network with its own preprocessing.

    Attributes:
        net: The network; takes uint8 images.
        class_names: Names by index.
        prepare: Turns one decoded image into one of the size the network is tested at.
        device: Where the network lives.
    """

    net: nn.Module
    class_names: Sequence[str]
    prepare: Any
    device: torch.device

    def predict(
        self, images: Iterable[str | Path | Tensor], top: int = 5, batch_size: int = 32
    ) -> Iterator[Prediction]:
        """Classes and scores, one result per image, in order.

        Args:
            images: Paths, or uint8 [3, H, W] tensors.
            top: Classes to tell for each image.
            batch_size: Images per forward pass.

        Raises:
            InputError: If a file cannot be decoded; names it.
        """
        batch: list[Tensor] = []
        for image in images:
            pixels = image if isinstance(image, Tensor) else decode.read(Path(image))
            batch.append(self.prepare(pixels))
            if len(batch) == batch_size:
                yield from self._forward(batch, top)
                batch = []
        if batch:
            yield from self._forward(batch, top)

    @torch.inference_mode()
    def _forward(self, images: list[Tensor], top: int) -> Iterator[Prediction]:
        scores = self.net(torch.stack(images).to(self.device)).float().softmax(1).cpu()
        best, indices = scores.topk(min(top, scores.shape[1]))
        for row, classes in zip(best.tolist(), indices.tolist(), strict=True):
            yield Prediction([self.class_names[index] for index in classes], row)


def load(file: str | Path, device: str | torch.device = "cpu", trust_code: bool = False) -> Predictor:
    """Rebuilds the network of a checkpoint that `lit-vision fit` wrote.

    Args:
        file: The checkpoint.
        device: Where to put the network.
        trust_code: Whether the checkpoint may name classes outside the known packages.

    Raises:
        InputError: If the file is no such checkpoint, or names classes that are not trusted.
    """
    content = checkpoints.read(str(file))
    config = checkpoints.configuration(content, str(file), trust_code)
    names = content["lit_vision"]["class_names"]
    net = build.part(nn.Module, config["model"]["init_args"]["net"], num_classes=len(names))
    state = {key.removeprefix("net."): value for key, value in content["state_dict"].items() if key.startswith("net.")}
    net.load_state_dict(state)
    pipeline: Pipeline[Any, Any] = build.part(Pipeline, content["lit_vision"]["pipeline"])
    return Predictor(net.eval().to(device), names, pipeline.prepare, torch.device(device))
