"""Parameters and multiply-adds of a row's network, built for its shapes alone: hundreds of rows in a minute."""

import functools
import json
from typing import Any, NamedTuple

import torch
from torch import nn

from lit_vision import build
from lit_vision.experiment import compose
from lit_vision.experiment.recipes import Experiment
from lit_vision.models import counts
from lit_vision.runs import checkpoints


class Counts(NamedTuple):
    """What a network costs.

    Attributes:
        parameters: All of them, frozen ones too.
        multiply_adds: For one image; None where images have no fixed size.
    """

    parameters: int
    multiply_adds: int | None


def of(experiment: Experiment) -> Counts:
    """Counts of a row; rows that differ in their training alone are built once.

    Args:
        experiment: A resolved recipe and row. No data are read and no weights fetched.
    """
    return _count(*_parts(experiment.config))


def skeleton(config: compose.Config) -> tuple[nn.Module, tuple[int, int] | None]:
    """A configuration's network on the `meta` device, and height and width of its images; None where they vary."""
    part, num_classes, size = _parts(config)
    return _built(part, num_classes), size


def _parts(asked: compose.Config) -> tuple[str, int | None, tuple[int, int] | None]:
    """The network's configuration as JSON, its number of classes, and the size of its images."""
    config = checkpoints.without_downloads(asked)
    data: Any = _data(json.dumps(config["data"], sort_keys=True))
    network = (config["model"].get("init_args") or {}).get("network")
    if network is None:
        return json.dumps(config["model"], sort_keys=True), None, None
    size = getattr(data.pipeline, "input_size", None)
    return json.dumps(network, sort_keys=True), data.num_classes, size and tuple(size)


@functools.cache
def _data(config: str) -> Any:
    return build.part(object, json.loads(config))


@functools.cache
def _count(config: str, num_classes: int | None, size: tuple[int, int] | None) -> Counts:
    network = _built(config, num_classes)
    return Counts(counts.parameters(network), counts.multiply_adds(network, size) if size else None)


def _built(config: str, num_classes: int | None) -> nn.Module:
    part = json.loads(config)
    own = (part.get("init_args") or {}) if compose.is_part(part) else {}
    follows = {} if num_classes is None or "num_classes" in own else {"num_classes": num_classes}
    with torch.device("meta"):
        network: nn.Module = build.part(nn.Module, part, **follows)
    return network
