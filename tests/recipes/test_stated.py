"""Detection recipes say what papers state: no threshold, number or width is left to a default in the code."""

import inspect

import pytest

from lit_vision.experiment import compose, recipes
from lit_vision.experiment import names as check
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN, RegionClassifier
from lit_vision.models.localiser import ClassProposals, Localiser
from lit_vision.models.mask_proposals import MaskProposals
from lit_vision.models.objective import DenseObjective
from lit_vision.models.rcnn import RCNN, CropClassifier
from lit_vision.models.retinanet import RetinaNet
from lit_vision.models.rpn import RPN, Balance, ProposalNetwork
from lit_vision.models.sliding import SlidingWindows
from lit_vision.ops.matching import Matcher
from lit_vision.ops.mining import HardExamples
from lit_vision.ops.roi import Pooler
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.selection import Selection
from lit_vision.ops.window import Windows
from lit_vision.tasks.detection import Detection

DETECTION = [
    (recipe, row)
    for recipe, _, row, entry in recipes.every_row()
    if not entry.quoted
    and compose.class_path(recipes.resolve([recipe], row).config.get("model") or {})
    == "lit_vision.tasks.detection.Detection"
]
# What a part is given by the part that makes it, or has nothing to do with how it learns and detects.
GIVEN = {"self", "num_classes", "channels", "normalise", "weights", "weights_rows", "network", "class_names"}
FREE = {"metrics", "channels_last", "compile", "schedule", "leave_out", "at_once"}
PLAIN = {
    "matcher": Matcher,
    "mining": HardExamples,
    "sampler": Sampler,
    "selection": Selection,
    "train": Selection,
    "test": Selection,
    "pooler": Pooler,
    "balance": Balance,
    "windows": Windows,
}
WHOLE = (
    *(RetinaNet, RPN, FasterRCNN, FastRCNN, SlidingWindows, MaskProposals, Localiser, RCNN),
    *(ProposalNetwork, ClassProposals, RegionClassifier, CropClassifier, DenseObjective),
)
HEADS = {
    "lit_vision.models.heads.dense.DenseHead": {"depth", "prior"},
    "lit_vision.models.heads.proposal.ProposalHead": {"width", "answer"},
    "lit_vision.models.heads.mask.MaskHead": {"width", "size"},
    "lit_vision.models.heads.box.BoxHead": {"width", "dropout"},
}


def silent(value, name, path):
    """Parameters of the detection parts below `value` that are left to their defaults."""
    if not isinstance(value, dict):
        return []
    path = f"{path}.{name}"
    if name in PLAIN:
        return [f"{path}.{key}" for key in inspect.signature(PLAIN[name]).parameters if key not in value]
    arguments = value.get("init_args") or {}
    found = [f"{path}.{key}" for key in expected(compose.class_path(value)) if key not in arguments]
    return found + [each for key, part in arguments.items() for each in silent(part, key, path)]


def expected(class_path):
    """Parameters that a recipe has to state of a class."""
    if class_path in HEADS:
        return HEADS[class_path]
    if class_path == "lit_vision.ops.anchor.Anchors":
        return set(inspect.signature(check.load(class_path)).parameters)
    if class_path in {f"{cls.__module__}.{cls.__name__}" for cls in (*WHOLE, Detection)}:
        return set(inspect.signature(check.load(class_path)).parameters) - GIVEN - FREE
    return set()


@pytest.mark.parametrize(("recipe", "row"), DETECTION, ids=lambda value: value)
def test_nothing_is_left_to_a_default(recipe, row):
    assert silent(recipes.resolve([recipe], row).config["model"], "model", "") == []


def test_there_are_such_recipes():
    assert {"fpn/faster_rcnn_coco", "retinanet/r50_fpn_coco", "quickstart/own_boxes"} <= {name for name, _ in DETECTION}
    given = {"class_path": "lit_vision.models.rpn.ProposalNetwork", "init_args": {"matcher": {"low": 0.3}}}
    assert {"net.proposals.matcher.high", "net.proposals.border"} < set(silent(given, "proposals", "net"))


def network(recipe, row):
    return recipes.resolve([recipe], row).config["model"]["init_args"]["network"]["init_args"]


def test_the_published_matching_is_the_papers_recipes():
    for recipe in ("retinanet/r50_fpn_coco", "retinanet/r101_fpn_coco"):
        for row in (name for name, entry in recipes.read_card(recipe).rows.items() if not entry.quoted):
            matcher = network(recipe, row)["objective"]["init_args"]["matcher"]
            assert matcher == {"low": 0.4, "high": 0.5, "keep_best": "from_low"}
    torchvision_s = network("verify/torchvision_detectors", "retinanet")["objective"]["init_args"]["matcher"]
    assert torchvision_s["keep_best"] == "always"
    for recipe, row in (("fpn/rpn_coco", "1c FPN"), ("fpn/faster_rcnn_coco", "R-50")):
        proposals = network(recipe, row)["proposals"]["init_args"]
        assert proposals["matcher"] == {"low": 0.3, "high": 0.7, "keep_best": "always"}  # Faster R-CNN's rule i


def test_borders_and_biases_are_those_of_what_the_recipe_is_judged_by():
    # Detectron's joint configuration drops anchors across the border; the paper keeps them (FPN's sheet, A.2)
    found = {}
    for recipe, row in (
        ("fpn/faster_rcnn_coco", "R-50"),
        ("fpn/rpn_coco", "1c FPN"),
        ("retinanet/r50_fpn_coco", "minival"),
    ):
        task = recipes.resolve([recipe], row).config["model"]["init_args"]
        proposals = network(recipe, row).get("proposals", {"init_args": {}})["init_args"]
        found[recipe] = proposals.get("border"), task["no_decay"], task["bias_rate"]
    assert found == {
        "fpn/faster_rcnn_coco": (0.0, ["bias"], 2.0),
        "fpn/rpn_coco": (None, ["bias"], 2.0),
        "retinanet/r50_fpn_coco": (None, [], 1.0),
    }
