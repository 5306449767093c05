"""Outlines of annotation files as masks, against pycocotools, and what must never reach its C code."""

import json
import math
import re

import pytest
import torch
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from lit_vision.data.coco import CocoFormat
from lit_vision.data.formats import annotations, coco_json, masks
from lit_vision.data.voc import VOC
from lit_vision.errors import InputError
from tests.twins import coco, voc

SIZE = 10, 12
SQUARE = [1.0, 2, 6, 2, 6, 7, 1, 7]


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("LIT_VISION_CACHE", str(tmp_path_factory.mktemp("cache")))


def dense(runs):
    return masks.pixels(masks.pack([runs]).rows(0, 1), *SIZE)[0]


def compressed(outline):
    return masks.compress(masks.slim({"segmentation": outline})["segmentation"], *SIZE)


def box(x1, y1, x2, y2):
    found = torch.zeros(SIZE, dtype=torch.bool)
    found[y1:y2, x1:x2] = True
    return found


def test_polygons_belong_to_one_object():
    assert torch.equal(dense(compressed([SQUARE])), box(1, 2, 6, 7))
    both = dense(compressed([SQUARE, [8, 0, 11, 0, 11, 4, 8, 4]]))
    assert torch.equal(both, box(1, 2, 6, 7) | box(8, 0, 11, 4))


def test_polygons_end_at_the_border():
    assert torch.equal(dense(compressed([[8, 6, 20, 6, 20, 15, 8, 15]])), box(8, 6, 12, 10))


def test_run_lengths_plain_and_compressed():
    plain = {"size": list(SIZE), "counts": [10, 10, 100]}
    text = coco_mask.frPyObjects(plain, *SIZE)["counts"].decode()
    assert torch.equal(dense(compressed(plain)), box(1, 0, 2, 10))
    assert compressed({"size": list(SIZE), "counts": text}) == compressed(plain) == text.encode()


@pytest.mark.parametrize("seed", range(5))
def test_compressed_text_is_read_as_pycocotools_writes_it(seed):
    wanted = torch.rand(SIZE, generator=torch.Generator().manual_seed(seed)) < 0.4
    (runs,) = masks.of_pixels(wanted[None])
    assert compressed({"size": list(SIZE), "counts": runs.decode()}) == runs
    assert torch.equal(dense(runs), wanted)


@pytest.mark.parametrize(
    ("outline", "told"),
    [
        (None, "expected polygons or run lengths, got None"),
        ([], r"expected polygons or run lengths, got \[\]"),
        ("1,2", "expected polygons or run lengths, got '1,2'"),
        ([[1, 2, 3, 4]], r"a polygon is x, y of at least three points, got array\(\[1., 2., 3., 4.\]\)"),
        ([[1, 2, 3, 4, 5, 6, 7]], "at least three points"),
        ([SQUARE, [1, "a", 3, 4, 5, 6]], r"at least three points, got \[1, 'a', 3, 4, 5, 6\]"),
        ([[1, 2, 3, 4, 5, math.nan]], r"a polygon has the point \[5.0, nan\] in 12 x 10 pixels"),
        ([[1, 2, 3, 4, 1e12, 6]], r"a polygon has the point \[1000000000000.0, 6.0\] in 12 x 10 pixels"),
        ({"size": [12, 10], "counts": [120]}, r"run lengths are of size \[12, 10\], the image of \[10, 12\]"),
        ({"size": [10, 12], "counts": [119]}, r"do not add up to 12 x 10 pixels, got \[119\]"),
        ({"size": [10, 12], "counts": [130, -10]}, r"do not add up to 12 x 10 pixels, got \[130, -10\]"),
        ({"size": [10, 12], "counts": [120.0]}, "do not add up"),
        ({"size": [10, 12], "counts": "0" * 50}, "do not add up to 12 x 10 pixels, got '000"),
        ({"size": [10, 12], "counts": "oooooooooo"}, "do not add up"),
        ({"size": [10, 12], "counts": "\u00ff"}, "do not add up"),
        ({"counts": [120]}, "run lengths are of size None"),
    ],
)
def test_what_is_no_outline_is_told_and_never_drawn(outline, told):
    found = compressed(outline)
    assert isinstance(found, str)
    assert re.search(told, found), found


def test_masks_of_many_objects_lie_in_one_tensor():
    wanted = torch.stack([box(0, 0, 1, 1), box(2, 1, 9, 8), torch.zeros(SIZE, dtype=torch.bool), box(0, 0, 12, 10)])
    kept = masks.pack(masks.of_pixels(wanted))
    assert (kept.runs.dtype, kept.starts.shape) == (torch.uint8, (5,))
    assert torch.equal(masks.pixels(kept.rows(0, 4), *SIZE), wanted)
    assert torch.equal(masks.pixels(kept.rows(1, 2), *SIZE), wanted[1:2])
    assert masks.pixels(kept.rows(2, 2), *SIZE).shape == (0, *SIZE)
    assert torch.equal(masks.pixels(kept.take(torch.tensor([3, 0])).rows(0, 2), *SIZE), wanted[[3, 0]])
    assert kept.take(torch.zeros(0, dtype=torch.int64)).starts.tolist() == [0]
    joined = masks.concat([kept, kept.take(torch.tensor([1]))])
    assert torch.equal(masks.pixels(joined.rows(3, 5), *SIZE), wanted[[3, 1]])


def read(root, split="val2017", **options):
    return coco_json.read(root / "annotations" / f"instances_{split}.json", root / split, masks=True, **options)


def test_a_file_s_masks_are_pycocotools_own(tmp_path):
    root = coco.write(tmp_path, {"val2017": 5})
    found, faults = read(root)
    assert faults == []
    theirs = COCO(str(root / "annotations" / "instances_val2017.json"))
    for index, number in enumerate(found.image_ids.tolist()):
        target = found.target(index)
        expected = theirs.loadAnns(theirs.getAnnIds(imgIds=number))
        mine = masks.pixels(target.original_masks, *target.original_size.tolist())
        pairs = {tuple(each["bbox"][:2]): theirs.annToMask(each) for each in expected}
        assert len(mine) == len(expected)
        for pixels, (x, y, *_) in zip(mine, target.original_boxes.tolist(), strict=True):
            assert torch.equal(pixels, torch.from_numpy(pairs[x, y]).bool())
    crowd = found.target(3)
    assert not len(crowd.masks)  # pixels are the pipeline's work
    assert coco_json.read(root / "annotations" / "instances_val2017.json", root / "val2017").annotations.masks is None


def test_splits_with_masks_are_taken_apart_and_joined(tmp_path):
    found = read(coco.write(tmp_path, {"val2017": 5})).annotations
    parts = found.take(torch.tensor([1, 4])), found.take(torch.tensor([0, 2, 3]))
    assert torch.equal(parts[0].target(0).original_masks, found.target(1).original_masks)
    joined = annotations.concat(parts)
    assert torch.equal(joined.target(4).original_masks, found.target(3).original_masks)
    assert parts[0].target(1).original_masks.shape == (0, 0)


def test_an_object_without_a_sound_outline_is_named(tmp_path):
    root = coco.write(tmp_path)
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    objects = {entry["id"]: entry for entry in content["annotations"]}
    objects[300000]["segmentation"] = [[1, 1, 5, 5]]
    del objects[300010]["segmentation"]
    path.write_text(json.dumps(content))
    found, faults = read(root)
    assert [(fault.name, fault.kind, fault.fatal, fault.image) for fault in faults] == [
        ("annotation 300010 of image 30001", "bad segmentation", True, "000000030001.jpg"),
        ("annotation 300000 of image 30000", "bad segmentation", True, "000000030000.jpg"),
    ]
    assert faults[0].text == "expected polygons or run lengths, got None"
    assert found.starts.tolist() == [0, 0, 1, 1]
    assert len(found.masks.starts) == 2


def test_the_first_images_are_those_with_the_lowest_ids(tmp_path):
    root = coco.write(tmp_path, {"val2017": 5})
    path = root / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    content["images"] = content["images"][::-1]
    path.write_text(json.dumps(content))
    (root / "val2017" / "000000030004.jpg").unlink()  # what is not asked for is not looked at
    assert read(root, first=2).annotations.image_ids.tolist() == [30000, 30001]


def test_an_image_with_a_bad_outline_may_be_in_quarantine(tmp_path):
    root = coco.write(tmp_path)
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    objects = {entry["id"]: entry for entry in content["annotations"]}
    objects[100000]["segmentation"] = [[1, 1, 5, 5]]
    path.write_text(json.dumps(content))
    listed = tmp_path / "quarantine.tsv"
    listed.write_text("train\t000000010000.jpg\n")
    splits = {"train": "annotations/instances_train2017.json", "val": "annotations/instances_val2017.json"}
    data = CocoFormat(str(root), **splits, masks=True, quarantine=str(listed))
    data.setup("fit")
    assert "000000010000.jpg" not in data.splits["train"].names
    assert len(data.splits["train"].target(0).original_masks) == 2  # of the second image


def test_a_user_s_own_file_keeps_masks(tmp_path):
    root = coco.write(tmp_path)
    splits = {"train": "annotations/instances_train2017.json", "val": "annotations/instances_val2017.json"}
    data = CocoFormat(str(root), **splits, masks=True)
    data.setup("fit")
    assert len(data.splits["train"].target(0).original_masks) == 1
    plain = CocoFormat(str(root), **splits)
    plain.setup("fit")
    assert plain.fingerprint() != data.fingerprint()


def test_data_of_boxes_alone_have_none(tmp_path):
    root = voc.write(tmp_path, {"2007": {"train": 4, "val": 3, "test": 3}}) / "VOCdevkit"
    with pytest.raises(InputError, match=r"^data.masks is true, but files of VOC hold boxes alone; set it to false$"):
        VOC(str(root), train="07", test="07", masks=True).setup("fit")
