"""Another data class of the same kind keeps the settings that its kind takes; another kind keeps none."""

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import kinds, recipes

COCO = "lit_vision.data.coco.CocoFormat"
OWN = "quickstart/own_boxes"


def data(*options, config=OWN, row=None):
    return recipes.resolve([config], row, options).config["data"]


@pytest.mark.parametrize("key", ["data", "data.class_path"])
def test_boxes_in_another_format_keep_pipeline_and_batch(key):
    found = data((key, COCO), ("data.root", "here"))
    own = data()["init_args"]
    assert found["class_path"] == COCO
    assert found["init_args"] == {
        **{name: own[name] for name in ("batch_size", "eval_batch_size", "pipeline")},
        **{"root": "here", "seed": 1},
    }
    assert found["init_args"]["pipeline"]["init_args"] == {"train": [240], "test": 240, "cap": 400}


def test_arguments_that_are_given_with_the_class_take_precedence():
    found = data(("data", {"class_path": COCO, "init_args": {"batch_size": 2, "train": "a.json"}}))["init_args"]
    assert (found["batch_size"], found["train"], found["eval_batch_size"]) == (2, "a.json", 4)
    assert "root" not in found  # of the folder that the recipe names


def test_a_class_comes_before_its_arguments_in_whatever_order():
    one = data(("data.root", "here"), ("data.batch_size", 2), ("data", COCO))
    other = data(("data", COCO), ("data.root", "here"), ("data.batch_size", 2))
    assert one == other
    assert one["init_args"]["root"] == "here"


def test_what_belongs_to_one_data_set_stays_with_it():
    before = data(config="retinanet/r50_fpn_coco", row="from scratch")["init_args"]
    found = data(("data", "lit_vision.data.voc.VocFormat"), config="retinanet/r50_fpn_coco", row="from scratch")[
        "init_args"
    ]
    assert before["bad"] == "skip"  # COCO's files hold bad boxes; a user is told of their own
    assert found["pipeline"] == before["pipeline"]
    assert not {"bad", "root", "train", "val"} & found.keys()


def test_other_kinds_of_data_keep_nothing():
    folder = "lit_vision.data.image_folder.ImageFolder"
    assert data(("data", folder)) == {"class_path": folder, "init_args": {"seed": 1}}


@pytest.mark.parametrize("value", [COCO, 3, None, {"root": "x"}, "unknown.module.Data"])
def test_what_names_no_other_class_of_the_kind_is_taken_as_it_stands(value):
    before = {"class_path": COCO, "init_args": {"batch_size": 3}}
    assert kinds.carried(before, value) == value


def test_the_files_of_own_data_are_where_the_data_are_and_no_change():
    options = [("data.root", "x"), ("data.train", "a.json"), ("data.val", "b.json"), ("data.train_images", "pictures")]
    assert recipes.resolve([OWN], "coco format", options).changed == []
    assert recipes.resolve([OWN], "coco format", [("data.val", None)]).changed == ["data.val"]
    assert recipes.resolve([OWN], "coco format", [("data.batch_size", 3)]).changed == ["data.batch_size"]
    assert "data.train" in recipes.resolve([OWN], options=[("data.train", "trainval")]).changed  # a list of VOC's


@pytest.mark.parametrize(
    ("section", "word", "told"),
    [
        ("data", "CocoFormat", f"write {COCO}"),
        ("data", "CocoFormatt", f"write {COCO}"),
        ("data", "x", "write module and class, such as lit_vision.data."),
        ("model", "Detection", "write lit_vision.tasks.detection.Detection"),
    ],
)
def test_a_class_by_its_name_alone_is_told_with_its_path(section, word, told):
    with pytest.raises(InputError, match=f"--{section} is '{word}', which is no class path") as caught:
        recipes.resolve([OWN], options=[(f"{section}.root", "here"), (section, word)])
    assert told in str(caught.value)
