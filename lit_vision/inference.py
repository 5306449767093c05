"""A checkpoint as an object with `predict`, for classifiers and detectors.

predictor = inference.load("runs/…/checkpoints/last.ckpt")
predictor.predict(["cat.jpg"])
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeGuard, TypeVar, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from lit_vision import build
from lit_vision.data.pipelines import decode
from lit_vision.data.pipelines.collate import pad_batch
from lit_vision.data.pipelines.pipeline import Pipeline
from lit_vision.errors import InputError
from lit_vision.models.detector import Detector
from lit_vision.ops import pixels
from lit_vision.protocols.base import BoxProtocol, ClassProtocol, Protocol
from lit_vision.protocols.plain import Plain
from lit_vision.runs import checkpoints, contents

Picture = str | Path | Image.Image | np.ndarray[Any, Any] | Tensor
"""What can be predicted on: a file, a Pillow image, uint8 [H, W, 3] as an array, uint8 [3, H, W] as a tensor."""


class Prediction(NamedTuple):
    """Classes of one image, best first.

    Attributes:
        classes: Names.
        scores: Probabilities, in the same order.
    """

    classes: list[str]
    scores: list[float]


class Boxes(NamedTuple):
    """Objects found in one image, best first.

    Attributes:
        boxes: `x1 y1 x2 y2` in the image's own pixels.
        scores: 0..1, in the same order.
        classes: Names.
    """

    boxes: list[list[float]]
    scores: list[float]
    classes: list[str]


P = TypeVar("P", Prediction, Boxes)


class Predictor(ABC, Generic[P]):
    """A trained network with its own preprocessing.

    Args:
        net: The network; takes uint8 images.
        class_names: Names by index.
        prepare: Turns one decoded image into one of the size the network is tested at.
        device: Where the network lives.
        protocol: How it looks at an image.
    """

    def __init__(
        self, net: nn.Module, class_names: Sequence[str], prepare: Any, device: torch.device, protocol: Any
    ) -> None:
        self.net = net
        self.class_names = list(class_names)
        self.prepare = prepare
        self.device = device
        self.protocol = protocol

    def predict(
        self, images: Picture | Iterable[Picture], top: int = 5, score: float = 0.5, batch_size: int = 8
    ) -> Iterator[P]:
        """One result per image, in order.

        Args:
            images: One, or several; see `Picture`.
            top: Classes that a classifier returns for each image.
            score: Least score of a detector's boxes.
            batch_size: Images per forward pass.

        Raises:
            InputError: If a file cannot be decoded, or an array has another shape or type; names it.
        """
        batch: list[Tensor] = []
        several = [images] if _is_one(images) else cast(Iterable[Picture], images)
        for image in several:
            batch.append(pixels_of(image))
            if len(batch) == batch_size:
                yield from self._forward(batch, top, score)
                batch = []
        if batch:
            yield from self._forward(batch, top, score)

    @abstractmethod
    def _forward(self, images: list[Tensor], top: int, score: float) -> Iterator[P]:
        """Results of some decoded images."""


class ClassPredictor(Predictor[Prediction]):
    """Classes of images."""

    protocol: ClassProtocol

    @torch.inference_mode()
    def _forward(self, images: list[Tensor], top: int, score: float) -> Iterator[Prediction]:
        prepared = [self.prepare(image) for image in images]
        sizes = torch.tensor([image.shape[-2:] for image in prepared])
        batch = pad_batch(prepared, sizes)
        scores = self.protocol.score(self.net, batch.to(self.device), sizes.to(self.device)).softmax(1).cpu()
        best, indices = scores.topk(min(top, scores.shape[1]))
        for row, classes in zip(best.tolist(), indices.tolist(), strict=True):
            yield Prediction([self.class_names[index] for index in classes], row)


class BoxPredictor(Predictor[Boxes]):
    """Objects in images."""

    net: Detector
    protocol: BoxProtocol

    @torch.inference_mode()
    def _forward(self, images: list[Tensor], top: int, score: float) -> Iterator[Boxes]:
        prepared = [self.prepare(image) for image in images]
        sizes = torch.tensor([image.shape[-2:] for image in prepared])
        batch = pad_batch(prepared, sizes, always=True)
        detections = self.protocol.detect(self.net, batch.to(self.device), sizes.to(self.device))
        for image, size, one in zip(images, sizes, detections, strict=True):
            found = pixels.to_original(one, size, torch.tensor(image.shape[-2:]))
            sure = found.scores >= score
            names = [self.class_names[label] for label in found.labels[sure].tolist()]
            yield Boxes(found.boxes[sure].tolist(), found.scores[sure].tolist(), names)


def _is_one(images: Picture | Iterable[Picture]) -> TypeGuard[Picture]:
    """Whether it is a picture; an array of four dimensions holds several."""
    if isinstance(images, np.ndarray | Tensor):
        return images.ndim == 3
    return isinstance(images, str | Path | Image.Image)


def pixels_of(image: Picture) -> Tensor:
    """A picture as uint8 [3, H, W].

    Raises:
        InputError: If it cannot be decoded, or is no such array.
    """
    if isinstance(image, str | Path):
        return decode.read(Path(image))
    if isinstance(image, Image.Image):
        image = np.array(image.convert("RGB"))
    found = torch.from_numpy(image).permute(2, 0, 1) if isinstance(image, np.ndarray) and image.ndim == 3 else image
    if not isinstance(found, Tensor) or found.ndim != 3 or found.shape[0] != 3 or found.dtype != torch.uint8:
        raise InputError(
            f"an image is uint8, [3, H, W] as a tensor or [H, W, 3] as an array; got {image.dtype} {list(image.shape)}"
        )
    return found


def load(
    file: str | Path, device: str | torch.device = "cpu", trust_code: bool = False
) -> ClassPredictor | BoxPredictor:
    """Rebuilds the network of a checkpoint that `lit-vision fit` wrote.

    Args:
        file: The checkpoint.
        device: Where to put the network.
        trust_code: Whether the checkpoint may name classes that are not on the list of `trust`.

    Raises:
        InputError: If the file is no such checkpoint, or names classes that are not trusted.
    """
    place = device_of(device)
    content = checkpoints.read(str(file))
    config = checkpoints.configuration(content, str(file), trust_code)
    names = contents.class_names(content, str(file))
    if not names:
        raise InputError(f"{file} does not name its classes (class_names); name a file that lit-vision fit wrote")
    net = build.part(nn.Module, contents.network(config, str(file)), num_classes=len(names))
    prefix, whole = "network.", contents.state(content, str(file))
    state = {key.removeprefix(prefix): value for key, value in whole.items() if key.startswith(prefix)}
    contents.refuse_other_network(state, net, str(file))
    net.load_state_dict(state)
    pipeline: Pipeline[Any, Any] = build.part(Pipeline, checkpoints.pipeline(content, str(file), trust_code))
    kind = BoxPredictor if isinstance(net, Detector) else ClassPredictor
    protocol = build.part(Protocol, config["protocol"]) if config.get("protocol") else Plain()
    return kind(net.eval().to(place), names, pipeline.prepare, place, protocol)


def device_of(name: str | torch.device) -> torch.device:
    """The device of this name, if it is here.

    Raises:
        InputError: If there is no such device.
    """
    known = "cpu" + "".join(f", cuda:{number}" for number in range(torch.cuda.device_count()))
    known += ", mps" if torch.backends.mps.is_available() else ""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (AssertionError, NotImplementedError, RuntimeError):
        raise InputError(f"device {str(name)!r} is not here; choose from: {known}") from None
    return device
