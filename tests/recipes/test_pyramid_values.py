"""FPN's printed figures, typed a second time from the paper's fact sheet, and what its rows vary."""

import pytest

from lit_vision.experiment import compose, recipes

PROPOSALS = ("test/proposal_ar100", "test/proposal_ar_s1000", "test/proposal_ar_m1000", "test/proposal_ar_l1000")
BOXES = ("test/ap50", "test/ap_s", "test/ap_m", "test/ap_l")
MASKS = ("test/mask_ar_s1000", "test/mask_ar_m1000", "test/mask_ar_l1000", "test/ms")
REGIONS = ("analysis/region_p3/5x5", "analysis/region_p5/5x5")

TABLE1 = {
    "1a conv4": (48.3, 36.1, 32.0, 58.7, 62.2),
    "1b conv5": (44.9, 36.3, 25.3, 55.5, 64.2),
    "1c FPN": (56.3, 44.0, 44.9, 63.4, 66.2),
    "1d bottom-up pyramid": (49.5, 37.4, 30.5, 59.9, 68.0),
    "1e top-down without lateral": (46.1, 34.5, 26.5, 57.4, 64.7),
    "1f finest only": (51.3, 38.4, 35.1, 59.7, 67.6),
}
TABLE2 = {
    "2a conv4": (31.9, 54.7, 15.7, 36.5, 45.5),
    "2b conv5": (28.8, 52.9, 11.9, 32.4, 43.4),
    "2c FPN": (33.9, 56.9, 17.8, 37.7, 45.8),
    "2d bottom-up": (24.9, 44.9, 10.9, 24.4, 38.5),
    "2e top-down without lateral": (31.3, 54.0, 13.3, 35.2, 45.3),
    "2f finest only": (33.4, 56.3, 17.3, 37.3, 45.6),
}
TABLES3_TO_5 = {
    "(*) He et al.": (26.3, 47.3),
    "conv4": (31.6, 53.1, 13.2, 35.6, 47.1),
    "conv5": (28.0, 51.7, 9.6, 31.9, 43.1),
    "unshared": (33.9, 56.9, 17.8, 37.7, 45.8),
    "R-101, twice as long": (35.6,),
    "R-101, twice as long, test-dev": (36.2, 59.1, 18.2, 39.0, 48.2),
    "R-101, twice as long, test-std": (35.8, 58.5, 17.5, 38.7, 47.8),
    "G-RMI": (34.7,),
    "AttractioNet": (35.7, 53.4, 15.6, 38.0, 52.7),
    "AttractioNet on test-std": (35.3, 52.9, 14.7, 37.6, 51.9),
    "Faster R-CNN+++": (34.9, 55.7, 15.6, 38.7, 50.9),
    "MultiPath": (31.5, 49.6),
    "ION": (31.2, 53.4, 12.8, 32.9, 45.2),
    "ION on test-std": (30.7, 52.9, 11.8, 32.8, 44.8),
    "unshared R-101": (35.0, 58.0),
    "shared": (34.3, 57.2),
    "shared R-101": (35.2, 58.2),
    "time of R-50": (148,),
    "time of R-101": (172,),
    "time of conv4": (320,),
}
TABLE6 = {
    "DeepMask": (37.1, 15.8, 50.1, 54.9, 490),
    "SharpMask": (39.8, 17.4, 53.1, 59.1, 770),
    "InstanceFCN": (39.2, 1500),
    "5x5": (43.4, 32.5, 49.2, 53.7),
    "7x7": (43.5, 30.0, 49.6, 57.8),
    "5x5 and 7x7": (45.7, 31.9, 51.5, 60.8),
    "masks of 28x28": (46.7, 31.7, 53.1, 63.2),
    "twice as long": (48.1, 32.6, 54.2, 65.6),
    "time of 5x5": (150,),
    "time of 7x7": (190,),
    "time of 5x5 and 7x7": (240,),
    "time of masks of 28x28": (250,),
    "time of twice as long": (250,),
    "regions": (160, 80, 320),  # Figure 4
}


@pytest.mark.parametrize(
    ("recipe", "also", "printed"),
    [
        ("fpn/rpn_coco", PROPOSALS, TABLE1),
        ("fpn/mask_proposals_coco", MASKS + REGIONS, TABLE6),
        ("fpn/fast_rcnn_coco", BOXES, TABLE2),
        ("fpn/faster_rcnn_stages_coco", BOXES, TABLES3_TO_5),
        ("fpn/costs", (), {"conv4": (47,), "conv5": (12,), "FPN": (200,), "finest only": (750,)}),
    ],
)
def test_values_are_the_paper_s(recipe, also, printed):
    rows = {name: row for name, row in recipes.read_card(recipe).rows.items() if row.value is not None}
    assert {name: (row.value, *(row.also[f] for f in also if f in row.also)) for name, row in rows.items()} == printed


def network(recipe, row):
    return recipes.resolve([recipe], row).config["model"]["init_args"]["network"]["init_args"]


@pytest.mark.parametrize("recipe", ["fpn/rpn_coco", "fpn/faster_rcnn_stages_coco"])
def test_every_row_has_anchors_of_32_to_512_pixels(recipe):
    for name, row in recipes.read_card(recipe).rows.items():
        if row.quoted:
            continue
        found = network(recipe, name)
        pyramid, anchors = found["pyramid"]["init_args"], found["proposals"]["init_args"]["anchors"]["init_args"]
        levels = pyramid.get("levels", [pyramid.get("level")])
        sides = [anchors["base"] * 2**level * scale for level in levels for scale in anchors["scales"]]
        assert sides == [32, 64, 128, 256, 512], name
        assert len(anchors["ratios"]) == 3


def test_rows_of_table_2_see_the_same_proposals_and_differ_in_features_alone():
    found = {row: recipes.resolve(["fpn/fast_rcnn_coco"], row) for row in TABLE2}
    assert len({str(each.config["data"]) for each in found.values()}) == 1
    parts = {row: network("fpn/fast_rcnn_coco", row)["regions"]["init_args"] for row in TABLE2}
    assert {row: (part["pooler"]["size"], part["pooler"]["levels"]) for row, part in parts.items()} == {
        "2a conv4": (14, [4]),
        "2b conv5": (7, [5]),
        "2c FPN": (7, [2, 3, 4, 5]),
        "2d bottom-up": (7, [2, 3, 4, 5]),
        "2e top-down without lateral": (7, [2, 3, 4, 5]),
        "2f finest only": (7, [2]),
    }
    heads = {row: compose.class_path(part["head"]).rpartition(".")[2] for row, part in parts.items()}
    assert {row for row, head in heads.items() if head == "StageHead"} == {"2a conv4"}
    assert {part["pooler"]["op"] for part in parts.values()} == {"pool"}


def test_stages_train_as_long_as_the_paper_says():
    content = recipes.resolve(["fpn/faster_rcnn_stages_coco"], "R-101, twice as long").config
    first = content["stages"][0]["set"]
    assert (first["trainer.max_steps"], first["model.schedule.milestones"]) == (40_000, [30_000])
    assert content["trainer"]["max_steps"] == 160_000
    shared = recipes.resolve(["fpn/faster_rcnn_stages_coco"], "shared").config
    assert (shared["trainer"]["max_steps"], shared["data"]["init_args"]["batch_size"]) == (80_000, 16)
    frozen = [
        stage["name"] for stage in shared["stages"] if (stage.get("set") or {}).get("model.network.pyramid.frozen")
    ]
    assert frozen == ["rpn 3", "fast 4"]
