"""The steps of the ResNet paper's Table 9 on digit scenes, each through the real command."""

import json
from pathlib import Path

import pytest
import torch

from lit_vision import inference
from lit_vision.data import digit_scenes_source
from lit_vision.protocols.adjacent_scales import AdjacentScales
from lit_vision.protocols.ensemble import BoxUnion, RegionMean
from lit_vision.protocols.refined import Refined
from lit_vision.protocols.voted import Voted

RECIPE = ("--config", "quickstart/digit_regions")
# Everything that is found stays, however unsure: one step teaches nothing.
ALL = (
    *("--model.network.regions.selection.score", "0.0", "--model.network.regions.selection.limit", "20"),
    *("--model.network.proposals.test.limit", "8"),
)
SCENES = (
    *("--data.size", "32", "--data.train", "4", "--data.val", "1", "--data.test", "3", "--data.batch_size", "2"),
    *("--data.eval_batch_size", "2", "--trainer.max_steps", "1", "--trainer.val_check_interval", "1"),
    *("--trainer.precision", "32-true", "--trainer.logger", "false", "--trainer.accelerator", "cpu"),
)
SCALES = AdjacentScales(sides=(96, 128, 160), ideal=28)


def scores_of(folder):
    """The scores of each test scene's detections, best first."""
    found = [[], [], []]
    for entry in json.loads((folder / "detections_test.json").read_text()):
        found[entry["image_id"]].append(entry["score"])
    assert all(found)
    return [sorted(scores, reverse=True) for scores in found]


def folder_of(row, recipe="digit_regions", seed=1):
    folders = Path("runs/quickstart", recipe, row).iterdir()
    (found,) = (one for one in folders if json.loads((one / "result.json").read_text())["seed"] == seed)
    return found


def network(row, recipe="digit_regions", seed=1):
    return inference.load(folder_of(row, recipe, seed) / "checkpoints" / "last.ckpt").net


def wanted(protocol, *networks):
    first, *others = networks
    if protocol.members is not None:
        protocol.members.join(others)
    images = torch.stack([digit_scenes_source.scene(index, 32, "test").image for index in range(3)])
    found = protocol.detect(first.eval(), images, torch.full((3, 2), 32))
    return [pytest.approx(each.scores.tolist(), abs=1e-4) for each in found]


def only(row):
    (folder,) = Path("runs/quickstart/digit_regions", row).iterdir()
    return folder


def test_weights_are_tested_refined_and_with_a_detector_of_another_kind(command):
    command("fit", *RECIPE, *SCENES, *ALL)
    command("test", *RECIPE, "--row", "refined", "--run", only("regions"))
    assert scores_of(only("regions") / "tests" / "refined") == wanted(Voted(Refined()), network("regions"))
    assert scores_of(only("regions")) != scores_of(only("regions") / "tests" / "refined")

    command("fit", "--config", "quickstart/digit_scenes", *SCENES)
    command("test", *RECIPE, "--row", "two kinds")
    joint = "lit_vision.protocols.ensemble.RegionMean"
    told = command.error("test", *RECIPE, "--row", "two kinds", "--protocol", joint)
    assert told.startswith("error: protocol RegionMean scores regions, but RetinaNet has no second stage;\n")
    nets = network("regions"), network("digit-scenes", "digit_scenes")
    assert [type(net).__name__ for net in nets] == ["FasterRCNN", "RetinaNet"]
    assert scores_of(only("two-kinds")) == wanted(BoxUnion(), *nets)


def test_three_detectors_with_context_score_each_other_s_regions(command):
    for seed in (1, 2, 3):
        command("fit", *RECIPE, *SCENES, *ALL, "--row", "context", "--seed_everything", seed)
    nets = [network("context", seed=seed) for seed in (1, 2, 3)]
    assert nets[0].regions.head.cls.in_features == 2 * 512
    first = folder_of("context", seed=1)
    assert scores_of(first) == wanted(Voted(Refined()), nets[0])  # what the row trains is tested so
    command("test", *RECIPE, "--row", "multi-scale", "--run", first)
    assert scores_of(first / "tests" / "multi-scale") == wanted(Voted(Refined(SCALES)), nets[0])

    command("test", *RECIPE, "--row", "ensemble")  # members are found below runs/
    result = json.loads((only("ensemble") / "result.json").read_text())
    members = [(member["row"], member["seed"]) for member in result["members"]]
    assert members == [("context", 1), ("context", 2), ("context", 3)]
    assert scores_of(only("ensemble")) == wanted(Voted(Refined(RegionMean(SCALES))), *nets)

    told = command.error("test", *RECIPE, "--row", "ensemble", "--protocol", "lit_vision.protocols.voted.Voted")
    assert told == (
        "error: row 'ensemble' has members, but its protocol Voted joins none;\n"
        "set protocol to lit_vision.protocols.ensemble.Mean, or RegionMean or BoxUnion beside it for detectors"
    )


@pytest.mark.parametrize("protocol", ["refined.Refined", "adjacent_scales.AdjacentScales"])
def test_a_detector_without_a_second_stage_is_told(command, protocol):
    options = ("--protocol", f"lit_vision.protocols.{protocol}")
    told = command.error("fit", "--config", "quickstart/digit_scenes", *SCENES, *options)
    assert not Path("runs").exists()  # before anything is trained
    assert told == (
        f"error: protocol {protocol.split('.')[1]} scores regions, but RetinaNet has no second stage;\n"
        "Flip, voted.Voted and ensemble.BoxUnion take any detector"
    )


def test_an_ensemble_of_scores_is_not_refined_member_by_member(command):
    """`of` must propose and score, which refined boxes no longer do: the assembler refuses it, and names the key."""
    options = (
        *("--protocol", "lit_vision.protocols.ensemble.RegionMean"),
        *("--protocol.of", "lit_vision.protocols.refined.Refined"),
    )
    told = command.error("test", *RECIPE, "--row", "ensemble", *options)
    assert told.startswith(
        "error: --protocol.of: lit_vision.protocols.refined.Refined is no RegionProtocol; it lacks look;\n"
    )
