"""Every figure that the suite logs: its unit, and which way is better. The one place that says so. No torch here.

A logged name is `phase/figure` or `phase/figure/class`. Tasks, metrics, detectors, protocols and analyses name the
group that they log as their `logs`; a card may name no other figure, unless it declares its own under `figures`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lit_vision import nearest
from lit_vision.errors import InputError

Better = Literal["lower", "higher", "near"]

PHASES = ("train", "val", "test", "analysis")
SIZES = ("s", "m", "l")


@dataclass(frozen=True)
class Kind:
    """What a figure is.

    Attributes:
        better: Which values are good: `lower`, `higher`, or those `near` the expected one.
        unit: For example `%`; empty where there is none.
    """

    better: Better
    unit: str = ""


Group = dict[str, Kind]


def _group(better: Better, unit: str, *names: str) -> Group:
    return dict.fromkeys(names, Kind(better, unit))


# A `#` stands for the number that an option sets: of detections, of proposals, of guesses.
ERRORS = _group("lower", "%", "error", "error#")
LOSSES = _group("lower", "nats", "loss")
PARTS_OF_LOSS = _group("lower", "", "cls", "box", "rpn_cls", "rpn_box", "mask")
COCO_AP = _group("higher", "%", "ap", "ap50", "ap75", *(f"ap_{size}" for size in SIZES))
COCO_AR = _group("higher", "%", "ar#", *(f"ar_{size}" for size in SIZES))
COCO = COCO_AP | COCO_AR
VOC = _group("higher", "%", "map")
PROPOSALS = _group("higher", "%", "proposal_ar#", *(f"proposal_ar_{size}#" for size in SIZES))
MASKS = _group("higher", "%", "mask_ar#", *(f"mask_ar_{size}#" for size in SIZES))
RECALL = _group("higher", "%", "proposal_ar#", "proposal_recall50_#")
LOCALISATION = _group("lower", "%", "loc_error", "loc_error#", "loc_error_given")
SLOPES = _group("near", "per layer", "forward_slope", "backward_slope")
TIMES = _group("lower", "ms", "ms")
SPEED = {"ap": COCO_AP["ap"]} | TIMES
# Of a two-stage detector (Faster R-CNN, Table 5): its parts, images in a second, and the proposals' part of the total.
STAGE_TIMES = (
    _group("lower", "ms", "conv_ms", "proposal_ms", "region_ms", "total_ms")
    | _group("higher", "1/s", "rate")
    | _group("lower", "%", "proposal_share")
)
# Of layer responses (ResNet paper, Figure 7): the paper calls smaller ones closer to an identity.
RESPONSES = (
    _group("lower", "", "median_std", "mean_std", "largest_std")
    | _group("near", "", "layers")
    | _group("higher", "%", "weaker")
)
# Of error curves: where they end, when they first reach a level, how much of the training lies above another run's.
CURVES = (
    _group("lower", "%", "train_error", "val_error")
    | _group("lower", "steps", "first_step")
    | _group("near", "%", "above")
)
# Of signals and gradients in networks with BatchNorm: what vanishes is small, or falls from layer to layer.
SIGNALS = _group("higher", "", "smallest_variance", "smallest_gradient") | _group("near", "per layer", "gradient_slope")
# Of networks without their weights: 1e9 multiply-adds for one image, millions of parameters.
COSTS = _group("near", "1e9", "multiply_adds") | _group("near", "1e6", "parameters")
ANCHORS = _group("near", "1e3", "anchors", "anchors_inside")
PROPOSAL_SIZES = _group("near", "pixels", "proposal_width", "proposal_height")
RECTIFIERS = _group("near", "", "slope_below", "slope_above")
# Of losses, by the right answer's probability in percent: how many times smaller they are than cross-entropy.
REDUCTIONS = _group("near", "times", "reduction#")
# Of a trained detector's anchors: how much of all their loss the hardest so many percent have.
LOSS_SHARES = _group("near", "%", "foreground_hardest#", "background_hardest#")
DEVIATIONS = _group("near", "", "std", "attenuation")
LEARNED = _group("near", "", "slope")
# Sides of the squares that mask proposals cover, by level (FPN, Figure 4).
REGIONS = _group("near", "px", "region_p#")
ANALYSES = (
    RESPONSES
    | CURVES
    | SIGNALS
    | COSTS
    | ANCHORS
    | PROPOSAL_SIZES
    | RECTIFIERS
    | REDUCTIONS
    | LOSS_SHARES
    | DEVIATIONS
    | LEARNED
    | REGIONS
)

VOCABULARY: Group = (
    ERRORS
    | LOSSES
    | PARTS_OF_LOSS
    | COCO
    | VOC
    | PROPOSALS
    | MASKS
    | RECALL
    | LOCALISATION
    | SLOPES
    | TIMES
    | STAGE_TIMES
    | ANALYSES
)


def find(name: str, own: Mapping[str, Kind] | None = None) -> Kind | None:
    """What a logged figure is; None if nothing declares it.

    Args:
        name: `test/ap50`, `test/ap/cat`, or without the phase `ap50`.
        own: Figures that a card declares, by logged name; each is logged in all phases.
    """
    parts = name.split("/")
    figure = parts[0] if len(parts) == 1 else parts[1]
    for declared, kind in (own or {}).items():
        if declared.split("/")[-1] == figure:
            return kind
    return VOCABULARY.get(figure) or VOCABULARY.get(re.sub(r"\d+$", "#", figure))


def better(name: str, own: Mapping[str, Kind] | None = None) -> Better | None:
    """Which way a figure is better; None if nothing declares it."""
    kind = find(name, own)
    return kind.better if kind else None


def lower_is_better(name: str) -> bool:
    """Whether small values of a figure are good."""
    return better(name) == "lower"


def check(name: str, where: str, own: Mapping[str, Kind] | None = None) -> None:
    """Checks that a card names a figure that something logs.

    Raises:
        InputError: Names the file and the key, and the nearest figure.
    """
    phase, _, figure = name.partition("/")
    if phase not in PHASES or not figure or find(name, own) is None:
        own_names = tuple(own or ())
        raise InputError(
            f"{where}: nothing logs {name!r}; {nearest.hint(name, (*_names(phase), *own_names))}\n"
            "a figure of your own metric is declared under card.figures: {test/name: {better: higher}}"
        )


def _names(phase: str) -> list[str]:
    """Full names to choose from, of this phase if there is such."""
    phases = (phase,) if phase in PHASES else PHASES[:3]
    return [f"{one}/{name.replace('#', number)}" for one in phases for name in VOCABULARY for number in ("5", "100")]
