import pytest
import torch
from torchvision.models.detection._utils import Matcher as TheirMatcher

from lit_vision.errors import InputError
from lit_vision.ops import matching
from lit_vision.ops.anchor import Anchors
from lit_vision.ops.matching import IGNORED, NEGATIVE, Matcher
from lit_vision.types import Target

# Three objects and six anchors
OVERLAP = torch.tensor(
    [
        [0.9, 0.5, 0.4, 0.1, 0.0, 0.0],
        [0.2, 0.6, 0.45, 0.3, 0.2, 0.0],
        [0.0, 0.1, 0.1, 0.3, 0.35, 0.0],
    ]
)


def target(boxes, labels=None, crowd=None, difficult=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    no = torch.zeros(len(boxes), dtype=torch.bool)
    return Target(
        boxes,
        torch.arange(len(boxes)) if labels is None else torch.tensor(labels),
        no if crowd is None else torch.tensor(crowd),
        no if difficult is None else torch.tensor(difficult),
        torch.ones(len(boxes), dtype=torch.float64),
        torch.tensor(7),
        torch.tensor([100, 100]),
        boxes.double(),
    )


def test_thresholds_by_hand():
    # 0.9 and 0.6 are matches, 0.45 lies between, 0.3, 0.35 and 0 are background
    assert matching.match(OVERLAP, 0.4, 0.5).tolist() == [0, 1, IGNORED, NEGATIVE, NEGATIVE, NEGATIVE]


def test_borders_belong_to_the_upper_side():
    overlap = torch.tensor([[0.5, 0.4, 0.39]])
    assert matching.match(overlap, 0.4, 0.5).tolist() == [0, IGNORED, NEGATIVE]


def test_kept_best_match_by_hand():
    # The last object has no match, so its best anchor (0.35) becomes its own
    assert matching.match(OVERLAP, 0.4, 0.5, keep_best="always").tolist() == [0, 1, IGNORED, NEGATIVE, 2, NEGATIVE]


def test_best_matches_below_low_are_background_in_retinanet_s_code():
    # RetinaNet's sheet, D.3: of three objects' best anchors 0.45 would be ignored and is kept; 0.35 is background
    overlap = torch.tensor([[0.9, 0.42, 0.0, 0.1], [0.0, 0.2, 0.45, 0.1], [0.0, 0.0, 0.1, 0.35]])
    assert matching.match(overlap, 0.4, 0.5, "never").tolist() == [0, IGNORED, IGNORED, NEGATIVE]
    assert matching.match(overlap, 0.4, 0.5, "from_low").tolist() == [0, IGNORED, 1, NEGATIVE]
    assert matching.match(overlap, 0.4, 0.5, "always").tolist() == [0, IGNORED, 1, 2]


def test_a_best_match_at_low_itself_is_kept():
    assert matching.match(torch.tensor([[0.4, 0.39]]), 0.4, 0.5, "from_low").tolist() == [0, NEGATIVE]


@pytest.mark.parametrize(
    ("size", "overlap", "kept"),
    [
        # In the smallest anchors, of 1,024 pixels: 64 / 1024
        ((8, 8), 64 / 1024, 4),
        # In anchors of 287 x 144, the widest that lie within its length: 287 * 60 / (36,000 + 287 * 144 - 287 * 60)
        ((600, 60), 17_241 / (36_000 + 41_285 - 17_241), 18),
    ],
)
def test_small_and_thin_objects_are_background_under_the_published_rule(size, overlap, kept):
    maps = {level: torch.zeros(1, 1, -(-800 // 2**level), -(-800 // 2**level)) for level in range(3, 8)}
    anchors, _ = Anchors(base=4, scales=3)(maps, (800, 800))
    box = torch.tensor([[100.0, 100, 100 + size[0], 100 + size[1]]])
    assert matching.box_iou(box, anchors).max().item() == pytest.approx(overlap, rel=1e-3)
    positives = {rule: int((Matcher(0.4, 0.5, rule)(box, anchors) >= 0).sum()) for rule in ("from_low", "always")}
    assert positives == {"from_low": 0, "always": kept}


def test_a_kept_anchor_keeps_its_own_best_object():
    # Anchor 0 is the best of both objects, but overlaps the first one more (Faster R-CNN, sheet A.4)
    overlap = torch.tensor([[0.3, 0.1], [0.25, 0.0]])
    assert matching.match(overlap, 0.4, 0.5, keep_best="always").tolist() == [0, NEGATIVE]


def test_ties_are_all_kept():
    assert matching.match(torch.tensor([[0.2, 0.2, 0.1]]), 0.4, 0.5, keep_best="always").tolist() == [0, 0, NEGATIVE]


def test_an_object_that_overlaps_nothing_keeps_nothing():
    assert matching.match(torch.zeros(1, 3), 0.4, 0.5, keep_best="always").tolist() == [NEGATIVE] * 3


def test_no_objects_and_no_anchors():
    assert matching.match(torch.zeros(0, 4), 0.4, 0.5, keep_best="always").tolist() == [NEGATIVE] * 4
    assert matching.match(torch.zeros(2, 0), 0.4, 0.5, keep_best="always").tolist() == []


@pytest.mark.parametrize(("keep_best", "theirs"), [("never", False), ("always", True)])
def test_is_torchvision_s(keep_best, theirs):
    corners = torch.rand(2, 300, 4, generator=torch.Generator().manual_seed(1)) * 50
    corners[..., 2:] += corners[..., :2] + 5
    objects, anchors = corners[0, :8], corners[1]
    overlap = matching.box_iou(objects, anchors)
    found = Matcher(0.3, 0.5, keep_best)(objects, anchors)
    assert torch.equal(found, TheirMatcher(0.5, 0.3, theirs)(overlap))
    assert {NEGATIVE, IGNORED} < set(found.tolist())


def test_crowd_difficult_and_empty_objects_are_not_there():
    boxes = [[0, 0, 10, 10], [0, 0, 20, 20], [5, 5, 9, 9], [3, 3, 3, 8], [3, 8, 9, 8]]
    mixed = target(boxes, [4, 3, 2, 1, 0], [False, True, False, False, False], [False, False, True, False, False])
    kept, labels = matching.trainable(mixed)
    assert kept.tolist() == [[0, 0, 10, 10]]
    assert labels.tolist() == [4]
    anchors = torch.tensor([[0.0, 0, 20, 20], [0, 0, 10, 10]])
    # The anchor on the crowd is background for the object that is left (overlap 1/4)
    assert Matcher(0.4, 0.5)(kept, anchors).tolist() == [NEGATIVE, 0]


def test_only_crowd_is_no_object():
    kept, labels = matching.trainable(target([[0, 0, 10, 10]], crowd=[True]))
    assert kept.shape == (0, 4)
    assert labels.shape == (0,)


def test_assign_counts_over_the_batch_and_labels_follow():
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 22]])
    objects = [torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]]), torch.zeros(0, 4), anchors[1:2]]
    matched = torch.stack(matching.assign(Matcher(0.4, 0.5), objects, [anchors] * 3))
    assert matched.tolist() == [[0, 1, IGNORED], [NEGATIVE] * 3, [NEGATIVE, 2, NEGATIVE]]
    labels = matching.labels_of(matched, torch.tensor([5, 0, 9]))
    assert labels.tolist() == [[5, 0, IGNORED], [NEGATIVE] * 3, [NEGATIVE, 9, NEGATIVE]]
    assert matching.labels_of(matched[1], torch.zeros(0, dtype=torch.int64)).tolist() == [NEGATIVE] * 3


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.4), (-0.1, 0.5), (0.4, 1.1)])
def test_bad_thresholds_are_told(low, high):
    with pytest.raises(InputError, match=rf"^matching: needs 0 <= low <= high <= 1, got low {low} and high {high}$"):
        Matcher(low, high)


def test_an_unknown_rule_is_told():
    told = r"^matching: keep_best 'yes' is unknown; choose one of never, from_low, always$"
    with pytest.raises(InputError, match=told):
        Matcher(0.4, 0.5, "yes")
