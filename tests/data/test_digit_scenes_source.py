import hashlib

import torch
from torchvision.ops import masks_to_boxes

from lit_vision.data import digit_scenes_source
from lit_vision.data.digits import Digits

SCENES = [digit_scenes_source.scene(index) for index in range(60)]


def test_shapes_and_ranges():
    for image, boxes, labels, masks in SCENES:
        assert (image.dtype, image.shape) == (torch.uint8, (3, 128, 128))
        assert (boxes.dtype, boxes.shape, labels.dtype) == (torch.float64, (len(labels), 4), torch.int64)
        assert len(labels) <= 6
        assert boxes.numel() == 0 or (boxes.min() >= 0 and boxes.max() <= 128)
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert torch.equal(boxes, boxes.round())
        assert (masks.dtype, masks.shape) == (torch.bool, (len(labels), 128, 128))
        assert torch.equal(masks_to_boxes(masks), (boxes - torch.tensor([0, 0, 1, 1])).float())  # inclusive


def test_every_digit_and_count_and_many_scales():
    labels = torch.cat([scene.labels for scene in SCENES])
    assert labels.unique().tolist() == list(range(10))
    counts = torch.tensor([len(scene.labels) for scene in SCENES]).bincount()
    assert (len(counts), 1 <= counts[0] <= 8, bool((counts[1:] > 0).all())) == (7, True, True)
    heights = torch.cat([scene.boxes[:, 3] - scene.boxes[:, 1] for scene in SCENES])
    assert heights.min() < 14
    assert heights.max() > 48
    assert heights.max() <= 56


def test_the_same_for_good():
    """The scenes of a run must be those of its repetition, on any machine: these sums are part of the data set."""
    again = digit_scenes_source.scene(7)
    assert torch.equal(again.image, SCENES[7].image)
    assert torch.equal(again.boxes, SCENES[7].boxes)
    found = hashlib.sha256()
    for image, boxes, labels, _ in SCENES[:8]:
        found.update(image.numpy().tobytes() + boxes.numpy().tobytes() + labels.numpy().tobytes())
    assert found.hexdigest()[:16] == "dc19d551f179acb4"


def test_index_split_and_size_all_matter():
    for other in (digit_scenes_source.scene(1), digit_scenes_source.scene(0, split="val")):
        assert not torch.equal(other.image, SCENES[0].image)
    assert digit_scenes_source.scene(0, size=64).image.shape == (3, 64, 64)
    boxes = torch.cat([digit_scenes_source.scene(index, size=256).boxes for index in range(30)])
    heights = boxes[:, 3] - boxes[:, 1]
    assert (heights.min() < 20, 80 < heights.max() <= 112) == (True, True)


def test_each_split_has_its_own_digits():
    whole = Digits().read()
    for split, count in (("train", 1198), ("val", 300), ("test", 299)):
        ink, labels = digit_scenes_source._digits(split)
        assert ink.shape == (count, 8, 8)
        assert labels == whole[split].labels.tolist()
        assert ink.tolist() == whole[split].images[:, 0].tolist()


def test_boxes_are_tight(monkeypatch):
    """Beside the ground alone, pixels differ within the boxes only, and along all four inner edges of each."""
    monkeypatch.setattr(digit_scenes_source, "_paint", lambda *_: None)
    for index, (image, boxes, *_) in enumerate(SCENES):
        inked = (image != digit_scenes_source.scene(index).image).any(0)
        for x1, y1, x2, y2 in boxes.long().tolist():
            edges = [inked[y1, x1:x2], inked[y2 - 1, x1:x2], inked[y1:y2, x1], inked[y1:y2, x2 - 1]]
            assert all(edge.any() for edge in edges)
        for x1, y1, x2, y2 in boxes.long().tolist():
            inked[y1:y2, x1:x2] = False
        assert not inked.any()


def test_digits_stand_out(monkeypatch):
    monkeypatch.setattr(digit_scenes_source, "_paint", lambda *_: None)
    for index, (image, boxes, *_) in enumerate(SCENES[:20]):
        change = (image.int() - digit_scenes_source.scene(index).image.int()).abs().float().mean(0)
        for x1, y1, x2, y2 in boxes.long().tolist():
            assert change[y1:y2, x1:x2].max() > 50


def test_little_overlap():
    for _, boxes, *_ in SCENES:
        for one in range(len(boxes)):
            for other in range(one):
                pair = boxes[[one, other]]
                shared = (pair[:, 2:].amin(0) - pair[:, :2].amax(0)).clamp(min=0).prod()
                assert shared <= 0.1 * (pair[:, 2:] - pair[:, :2]).prod(1).min()
