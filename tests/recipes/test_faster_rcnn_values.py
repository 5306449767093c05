"""Faster R-CNN's figures that are no mAP on VOC, typed a second time from the fact sheet."""

from lit_vision.experiment import recipes

# Table 1, width and height in pixels.
TABLE_1 = {
    **{"128 2:1": (188, 111), "128 1:1": (113, 114), "128 1:2": (70, 92)},
    **{"256 2:1": (416, 229), "256 1:1": (261, 284), "256 1:2": (174, 332)},
    **{"512 2:1": (768, 437), "512 1:1": (499, 501), "512 1:2": (355, 715)},
}
# Table 5, milliseconds of the convolutions, the proposals, the regions and in all, and images in a second.
TABLE_5 = {
    ("faster_rcnn/voc_vgg", "timing of SS"): (146, 1510, 174, 1830, 0.5),
    ("faster_rcnn/voc_vgg", "timing"): (141, 10, 47, 198, 5),
    ("faster_rcnn/voc_zf", "timing"): (31, 3, 25, 59, 17),
}
# Table 11, AP and AP50 by split.
TABLE_11 = {
    "VGG-16": ("val", 21.2, 41.5),
    "VGG-16, test-dev": ("test-dev", 21.5, 42.1),
    "VGG-16, trainval": ("test-dev", 21.9, 42.7),
    "Fast R-CNN on SS": ("val", 18.9, 38.6),
    "Fast R-CNN on SS, test-dev": ("test-dev", 19.3, 39.3),
    "Fast R-CNN": ("test-dev", 19.7, 35.9),
}
# Figure 7 of the journal version: correct, misplaced, similar and other classes, background.
FIGURE_7 = {"errors, 07+12": (77.1, 8.1, 2.0, 1.3, 11.6), "errors, COCO+07+12": (83.3, 7.1, 1.7, 1.3, 6.7)}


def printed(recipe, row):
    """All figures of a row by name."""
    found = recipes.read_card(recipe).row(row)
    return {found.metric: found.value} | found.also


def test_mean_sizes_of_proposals():
    found = printed("faster_rcnn/voc_zf", "proposal sizes")
    sides = ("width", "height")
    assert found == {
        f"analysis/proposal_{side}/{name}": size
        for name, sizes in TABLE_1.items()
        for side, size in zip(sides, sizes, strict=True)
    }


def test_milliseconds():
    names = ("conv_ms", "proposal_ms", "region_ms", "total_ms", "rate")
    for place, times in TABLE_5.items():
        assert printed(*place) == {f"analysis/{name}": time for name, time in zip(names, times, strict=True)}
        assert not recipes.read_card(place[0]).rows[place[1]].judged


def test_coco():
    card = recipes.read_card("faster_rcnn/coco")
    found = {name: card.row(name) for name in TABLE_11}
    assert {name: (row.split, row.value, row.also["test/ap50"]) for name, row in found.items()} == TABLE_11
    data = recipes.resolve(["faster_rcnn/coco"], "VGG-16, trainval").config["data"]["init_args"]
    assert (data["train"], data["val"], data["test"]) == ("trainval2014", None, "test-dev2015")


def test_kinds_of_errors_have_a_single_source():
    for row, shares in FIGURE_7.items():
        assert tuple(printed("faster_rcnn/voc_vgg", row).values()) == shares
        assert abs(sum(shares) - 100) < 0.2
        (deviation,) = recipes.read_card("faster_rcnn/voc_vgg").rows[row].deviations
        assert deviation.startswith("single source")


def test_what_starts_from_coco_has_coco_s_network():
    """All of its parameters are filled from the file, but those of classes that VOC lacks."""
    coco, voc = (
        recipes.resolve([recipe]).config["model"]["init_args"]["network"]["init_args"]
        for recipe in ("faster_rcnn/coco", "faster_rcnn/coco_to_voc")
    )
    for part in ("anchors", "head"):
        assert coco["proposals"]["init_args"][part] == voc["proposals"]["init_args"][part]
    assert coco["regions"]["init_args"]["pooler"] == voc["regions"]["init_args"]["pooler"]
    assert voc["weights_rows"] == "coco_to_voc"


def test_the_six_steps_begin_with_the_four():
    four, six = (recipes.resolve(["faster_rcnn/voc_zf"], row).config["stages"] for row in ("shared", "six steps"))
    assert [stage["name"] for stage in six][6:] == ["rpn 5", "boxes 5", "fast 6", "whole"]
    assert six[:6] == four[:6]
    frozen = [stage["name"] for stage in six if "model.network.pyramid.backbone.frozen_levels" in stage.get("set", {})]
    assert frozen == ["rpn 3", "fast 4", "rpn 5", "fast 6"]
