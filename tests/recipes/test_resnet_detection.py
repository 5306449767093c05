"""The ResNet paper's rows of detection: its figures, typed a second time from the fact sheet, and what tests them."""

import pytest

from lit_vision.data.names import VOC_CLASSES
from lit_vision.experiment import compose, recipes

COCO, VOC = "resnet/coco_detection", "resnet/voc_detection"

# Tables 8 and 9: AP over all overlaps, then at 0.5, and where it was measured.
TABLES_8_AND_9 = {
    "ResNet-101": (27.2, 48.4, "val"),
    "VGG-16": (21.2, 41.5, "val"),
    "+ box refinement": (29.9, 49.9, "val"),
    "+ context": (30.0, 51.1, "val"),
    "+ multi-scale testing": (32.5, 53.8, "val"),
    "+ context, test-dev": (32.2, 53.3, "test-dev"),
    "+ multi-scale testing, test-dev": (34.9, 55.7, "test-dev"),
    "ensemble": (37.4, 59.0, "test-dev"),
}
# Tables 7, 10 and 11: mAP, then AP in the order of the classes' columns.
TABLES_7_10_AND_11 = {
    "VGG-16, 07+12": (
        *(73.2, 76.5, 79.0, 70.9, 65.5, 52.1, 83.1, 84.7, 86.4, 52.0, 81.9),
        *(65.7, 84.8, 84.6, 77.5, 76.7, 38.8, 73.6, 73.9, 83.0, 72.6),
    ),
    "ResNet-101, 07+12": (
        *(76.4, 79.8, 80.7, 76.2, 68.3, 55.9, 85.1, 85.3, 89.8, 56.7, 87.8),
        *(69.4, 88.3, 88.9, 80.9, 78.4, 41.7, 78.6, 79.8, 85.3, 72.0),
    ),
    "baseline+++, 07+12": (
        *(85.6, 90.0, 89.6, 87.8, 80.8, 76.1, 89.9, 89.9, 89.6, 75.5, 90.0),
        *(80.7, 89.6, 90.3, 89.1, 88.7, 65.4, 88.1, 85.6, 89.0, 86.8),
    ),
    "VGG-16, 07++12": (
        *(70.4, 84.9, 79.8, 74.3, 53.9, 49.8, 77.5, 75.9, 88.5, 45.6, 77.1),
        *(55.3, 86.9, 81.7, 80.9, 79.6, 40.1, 72.6, 60.9, 81.2, 61.5),
    ),
    "ResNet-101, 07++12": (
        *(73.8, 86.5, 81.6, 77.2, 58.0, 51.0, 78.6, 76.6, 93.2, 48.6, 80.4),
        *(59.0, 92.1, 85.3, 84.8, 80.7, 48.1, 77.3, 66.5, 84.7, 65.6),
    ),
    "baseline+++, 07++12": (
        *(83.8, 92.1, 88.4, 84.8, 75.9, 71.4, 86.3, 87.8, 94.2, 66.8, 89.4),
        *(69.2, 93.9, 91.9, 90.9, 89.6, 67.9, 88.2, 76.8, 90.3, 80.0),
    ),
}
SCALES = [200, 400, 600, 800, 1000]


def printed(recipe):
    card = recipes.read_card(recipe)
    return {name: card.row(name) for name, row in card.rows.items() if row.value is not None}


def resolved(recipe, row):
    return recipes.resolve([recipe], row).config


def network(recipe, row):
    return resolved(recipe, row)["model"]["init_args"]["network"]["init_args"]


def protocols(recipe, row):
    """The row's protocol and what it looks by, from the outermost on: class name to arguments."""
    found, part = {}, resolved(recipe, row).get("protocol")
    while part:
        arguments = part["init_args"]
        found[part["class_path"].rpartition(".")[2]] = {key: value for key, value in arguments.items() if key != "of"}
        part = arguments.get("of")
    return found


def test_coco_s_values_are_the_paper_s():
    rows = printed(COCO)
    assert {name: (row.value, row.also["test/ap50"], row.split) for name, row in rows.items()} == TABLES_8_AND_9
    assert {row.source for row in rows.values()} == {"paper"}


def test_voc_s_values_are_the_paper_s():
    rows = printed(VOC)
    assert {name: (row.value, *row.by_class) for name, row in rows.items()} == TABLES_7_10_AND_11
    assert VOC_CLASSES[0] == "aeroplane"  # the order of the columns
    assert VOC_CLASSES[-1] == "tvmonitor"
    assert {name: row.split for name, row in rows.items()} == {
        name: "server" if name.endswith("07++12") else "test" for name in rows
    }
    # A mean that is not the classes' would be a misprint here: 20 figures, each rounded
    means = {name: sum(row.by_class) / 20 for name, row in rows.items()}
    assert all(abs(means[name] - row.value) < 0.06 for name, row in rows.items())


def test_each_step_has_its_own_batch_and_the_paper_s_lengths():
    config = resolved(COCO, "ResNet-101")
    steps = {stage["name"]: stage.get("set") or {} for stage in config["stages"]}
    assert [steps[name]["data.batch_size"] for name in ("rpn 1", "rpn 3")] == [8, 8]
    assert not {"trainer.max_steps", "model.schedule.milestones"} & {key for each in steps.values() for key in each}
    task = config["model"]["init_args"]
    assert (config["data"]["init_args"]["batch_size"], config["trainer"]["max_steps"]) == (16, 240_000 + 80_000)
    assert (task["optimizer"]["init_args"]["lr"], task["schedule"]["init_args"]["milestones"]) == (1e-3, [240_000])
    assert config["data"]["init_args"]["pipeline"]["init_args"]["train"] == [600]


@pytest.mark.parametrize(
    ("row", "steps", "drops"),
    [("ResNet-101, 07+12", 60_000, [30_000]), ("ResNet-101, 07++12", 100_000, [40_000, 80_000])],
)
def test_voc_s_lengths_are_faster_r_cnn_s(row, steps, drops):
    config = resolved(VOC, row)
    theirs = resolved(
        *{"07+12": ("faster_rcnn/voc_vgg", "shared 07+12"), "07++12": ("faster_rcnn/voc12_vgg", "shared 07++12")}[
            row[12:]
        ]
    )
    for each in (config, theirs):
        assert each["trainer"]["max_steps"] == steps
        assert each["model"]["init_args"]["schedule"]["init_args"]["milestones"] == drops
        first = each["stages"][0]["set"]
        assert (first["trainer.max_steps"], first["model.schedule.milestones"]) == (60_000 + 20_000, [60_000])
    assert config["model"]["init_args"]["metrics"] == theirs["model"]["init_args"]["metrics"]


@pytest.mark.parametrize(("recipe", "row"), [(COCO, "ResNet-101"), (COCO, "VGG-16"), (VOC, "ResNet-101, 07+12")])
def test_c4_is_shared_and_what_is_above_it_is_the_head(recipe, row):
    found = network(recipe, row)
    assert (found["pyramid"]["init_args"]["level"], found["proposals"]["init_args"]["test"]["limit"]) == (4, 300)
    head, backbone = found["regions"]["init_args"]["head"], found["pyramid"]["init_args"]["backbone"]
    kind = compose.class_path(head).rpartition(".")[2]
    assert kind == ("BoxHead" if row == "VGG-16" else "StageHead")
    if kind == "StageHead":
        assert head["init_args"]["backbone"] == backbone
        assert backbone["init_args"]["norm"] == "frozen"
    frozen = [
        stage["name"]
        for stage in resolved(recipe, row)["stages"]
        if "model.network.pyramid.frozen" in (stage.get("set") or {})
    ]
    assert frozen == ["rpn 3", "fast 4"]


def test_table_9_is_cumulative():
    rows = recipes.read_card(COCO).rows
    refined = {"Voted": {"overlap": 0.5}, "Refined": {"nms": 0.3}}
    scaled = {"AdjacentScales": {"sides": SCALES, "cap": 2000, "proposed_at": 600}}
    wanted = {
        "+ box refinement": ("ResNet-101", refined),
        "+ context": ("context", refined),
        "+ multi-scale testing": ("context", refined | scaled),
        "+ context, test-dev": ("context, trainval", refined),
        "+ multi-scale testing, test-dev": ("context, trainval", refined | scaled),
    }
    assert {name: (rows[name].weights_of, protocols(COCO, name)) for name in wanted} == wanted
    assert [name for name, row in rows.items() if row.weights_of] == list(wanted)
    three = {(member.row, member.seed) for member in rows["ensemble"].members}
    assert three == {("context, trainval", seed) for seed in (1, 2, 3)}
    assert protocols(COCO, "ensemble") == refined | {"RegionMean": {}} | scaled
    seen = {
        row: network(COCO, row)["regions"]["init_args"]["head"]["init_args"]["context"]
        for row in ("ResNet-101", "context", "ensemble")
    }
    assert seen == {"ResNet-101": False, "context": True, "ensemble": True}


def test_the_largest_scale_is_the_image_that_the_pipeline_hands_over():
    for recipe in (COCO, VOC):
        for name, row in recipes.read_card(recipe).rows.items():
            pipeline = resolved(recipe, name)["data"]["init_args"]["pipeline"]["init_args"]
            scaled = "AdjacentScales" in protocols(recipe, name)
            assert (pipeline["test"], pipeline["cap"]) == ((1000, 2000) if scaled else (600, 1000)), (name, row)


def test_trainval_is_tested_on_the_server_alone():
    data = resolved(COCO, "context, trainval")["data"]["init_args"]
    chosen = {key: data[key] for key in ("train", "val", "test", "monitor")}
    assert chosen == {"train": "trainval2014", "val": None, "test": "test-dev2015", "monitor": "test"}


def test_baseline_plus_plus_plus_starts_from_the_coco_model_of_table_9():
    rows = recipes.read_card(VOC).rows
    scaled = protocols(COCO, "+ multi-scale testing, test-dev")
    for data in ("07+12", "07++12"):
        assert rows[f"baseline+++, {data}"].weights_of == f"COCO+{data}"
        assert rows[f"COCO+{data}"].origin == (COCO, "context, trainval")
        assert protocols(VOC, f"baseline+++, {data}") == scaled
        ours, theirs = network(VOC, f"COCO+{data}"), network(COCO, "context, trainval")
        for found in (ours, theirs):  # where ImageNet's weights would come from
            del found["pyramid"]["init_args"]["backbone"]["init_args"]["weights"]
            del found["regions"]["init_args"]["head"]["init_args"]["backbone"]["init_args"]["weights"]
        assert ours["pyramid"] == theirs["pyramid"]
        assert ours["regions"] == theirs["regions"]
        assert ours["proposals"]["init_args"]["anchors"] == theirs["proposals"]["init_args"]["anchors"]
        assert resolved(VOC, f"COCO+{data}")["data"]["init_args"]["train"] == data


def test_vgg_on_voc_is_the_training_of_faster_r_cnn_s_recipes():
    ours = recipes.read_card(VOC).rows
    for data in ("07+12", "07++12"):
        recipe, row = ours[f"VGG-16, {data}"].parent
        theirs = recipes.read_card(recipe).rows[row]
        assert (theirs.value, theirs.by_class) == (ours[f"VGG-16, {data}"].value, ours[f"VGG-16, {data}"].by_class)
        assert resolved(VOC, f"VGG-16, {data}") == resolved(recipe, row)
