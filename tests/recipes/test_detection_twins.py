"""Each detection row trains on COCO's synthetic twin through the real command; the first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_detection_twins.py -m "slow or not slow"      pins them anew
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torchvision.models import detection

from lit_vision.experiment import recipes
from lit_vision.runs import folder as runs
from lit_vision.runs import trained
from tests.recipes import pins
from tests.twins import coco

# The only place where a detection recipe is cut down to its twin's size.
CUT = (
    *("--data.batch_size", "2", "--data.eval_batch_size", "2", "--data.num_workers", "0", "--trainer.max_steps", "2"),
    *("--trainer.val_check_interval", "2", "--trainer.log_every_n_steps", "1", "--trainer.logger", "false"),
    *("--trainer.accelerator", "cpu", "--data.pipeline.train", "[64]", "--data.pipeline.test", "64"),
)
# Without downloads there are no statistics to freeze.
UNFROZEN = ("--model.network.pyramid.backbone.weights", "null", "--model.network.pyramid.backbone.norm", "bn")

BY_DEFAULT = {
    "retinanet/r50_fpn_coco": ("minival", "from scratch"),
    "retinanet/r101_fpn_coco": (),
    "fpn/faster_rcnn_coco": ("R-50",),
    "quickstart/overfit_coco": ("retinanet",),
}


@pytest.fixture
def twin(tmp_path):
    root = coco.write(tmp_path / "twin")
    # The test split of the server: images alone.
    images = coco.content_of("test-dev2017", 2)["images"]
    named = [{"id": number, "name": name} for number, name in coco.COCO_CATEGORIES]
    coco.save(root / "annotations" / "image_info_test-dev2017.json", {"images": images, "categories": named})
    (root / "test2017").mkdir()
    sources = sorted((root / "val2017").iterdir())
    for image, source in zip(images, sources, strict=False):
        shutil.copy(source, root / "test2017" / image["file_name"])
    return root


@pytest.mark.parametrize(("recipe", "row"), pins.rows(BY_DEFAULT))
def test_first_losses(command, twin, recipe, row):
    options = () if row == "from scratch" else UNFROZEN
    if recipe.endswith("overfit_coco"):
        options = ("--data.only", "[10000, 10001, 10002]")
    command("fit", "--config", recipe, "--row", row, "--data.root", twin, *CUT, *options, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    losses = [line["train/loss"] for line in runs.read_metrics(Path("run/metrics.jsonl")) if "train/loss" in line]
    assert result["verdict"] == "stand-in"
    if recipes.read_card(recipe).rows[row].split == "test-dev":
        assert result["figures"]["test/ap"] is None  # its annotations are on the server
    else:
        assert 0 <= result["figures"][recipes.read_card(recipe).metric] <= 100
    pins.compare(recipe, row, losses)


@pytest.mark.slow
def test_a_retinanet_is_timed_and_its_loss_shared_out(command, tmp_path):
    root = coco.write(tmp_path / "twin", {"train2017": 4, "val2017": 7})  # five warm the clock up
    recipe = ("--config", "retinanet/r101_fpn_coco")
    command("fit", *recipe, "--row", "minival", "--data.root", root, *CUT, *UNFROZEN, "--run", "run")
    command("test", *recipe, "--row", "time at scale 600", "--run", "run", "--data.pipeline.test", "64")
    assert "stand-in" in command.out
    command("test", *recipe, "--row", "Figure 4", "--run", "run", "--data.pipeline.test", "64")
    said = trained.of_run(Path("run"), "retinanet/r101_fpn_coco", "minival").figures()
    assert said["time at scale 600"]["analysis/total_ms"] > said["time at scale 600"]["analysis/conv_ms"] > 0
    assert 0 < said["Figure 4"]["analysis/background_hardest1/gamma 2"] <= 100


@pytest.mark.parametrize(
    ("row", "build"),
    [("retinanet", detection.retinanet_resnet50_fpn), ("faster r-cnn", detection.fasterrcnn_resnet50_fpn)],
)
def test_torchvision_s_files_are_scored(command, twin, tmp_path, row, build):
    torch.manual_seed(0)
    torch.save(build(weights=None, weights_backbone=None).state_dict(), tmp_path / "published.pth")
    command(
        *("test", "--config", "verify/torchvision_detectors", "--row", row, "--data.root", twin),
        *("--model.network.weights", "published.pth", "--data.num_workers", "0", "--data.pipeline.test", "64"),
        *("--trainer.logger", "false", "--trainer.accelerator", "cpu", "--run", "run"),
    )
    result = json.loads(Path("run/result.json").read_text())
    assert result["figures"]["test/ap"] >= 0
    assert result["expected"] == {"retinanet": 36.4, "faster r-cnn": 37.0}[row]
    assert result["split"] == "minival"
