"""Faster R-CNN on COCO: each row of the paper trains on COCO's twin of 2014; the first losses are pinned.

WRITE_LOSSES=1 python -m pytest tests/recipes/test_coco_twins.py -m "slow or not slow"      pins them anew
"""

import json
from pathlib import Path

import pytest

from lit_vision.experiment import card, recipes
from tests.recipes import pins
from tests.recipes.stage_losses import first_two
from tests.recipes.test_pyramid_twins import given
from tests.recipes.test_voc_twins import CUT, OF_PROPOSALS, earlier_stages
from tests.twins import coco

RECIPE = "faster_rcnn/coco"
ON_FILES = "Fast R-CNN on SS"
LISTED = (("train", "instances_train2014"), ("val", "instances_val2014"))


@pytest.fixture
def twin(tmp_path):
    root = coco.write(tmp_path / "twin", {"train2014": 4, "val2014": 3})
    coco.write_unlabelled(root, "test-dev2015", "test2015", 2)
    return root


def of_the_paper(row):
    return row.trains and row.source == card.PAPER


@pytest.mark.parametrize(("recipe", "row"), pins.rows({RECIPE: (ON_FILES,)}, of_the_paper))
def test_first_losses(command, twin, tmp_path, recipe, row):
    options = given(twin, tmp_path, LISTED) if row == ON_FILES else OF_PROPOSALS
    command("fit", "--config", recipe, "--row", row, "--data.root", twin, *CUT, *options, "--run", "run")
    result = json.loads(Path("run/result.json").read_text())
    split = recipes.read_card(recipe).row(row).split
    assert (result["verdict"], result["split"]) == ("stand-in", split)
    assert (result["figures"]["test/ap"] is None) == (split == "test-dev")  # its annotations are on the server
    assert sorted(path.name for path in Path("run").glob("stages/*")) == earlier_stages(recipe, row)
    pins.compare(recipe, row, first_two(Path("run")))


def test_a_detector_of_given_regions_is_tested_on_those_of_another_split(command, twin, tmp_path):
    options = given(twin, tmp_path, LISTED)
    command("fit", "--config", RECIPE, "--row", ON_FILES, "--data.root", twin, *CUT, *options, "--run", "run")
    others = given(twin, tmp_path, [("test", "image_info_test-dev2015")])
    command("test", "--config", RECIPE, "--row", f"{ON_FILES}, test-dev", "--run", "run", *others)
    (folder,) = Path("run/tests").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert (result["split"], result["steps"], result["samples_seen"]) == ("test-dev", 2, 0)
    (written,) = folder.glob("detections_*.json")
    assert {each["image_id"] for each in json.loads(written.read_text())} <= set(ids(twin))


def ids(root):
    listed = json.loads((root / "annotations" / "image_info_test-dev2015.json").read_text())["images"]
    return [image["id"] for image in listed]
