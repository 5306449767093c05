"""Several scales of an image, by hand."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.localiser import Localiser
from lit_vision.protocols.scales import Scales
from lit_vision.types import Candidates, Detections


class Halves:
    """Finds the right half of each image, whatever its size; notes what it was given."""

    def __init__(self):
        self.seen = []

    def extract(self, images, sizes):
        self.seen.append((tuple(images.shape[-2:]), sizes.tolist()))
        return {}

    def candidates(self, features, shape, sizes):
        height, width = sizes[0].tolist()
        boxes = torch.tensor([[width / 2, 0.0, width, height]])
        return [Candidates(boxes, torch.tensor([0.1 * len(self.seen)]), torch.tensor([0]), torch.tensor([0]))]

    limits = None

    def select(self, candidates, limits):
        return [Detections(boxes, scores, labels) for boxes, scores, groups, labels in candidates]


def test_candidates_of_all_scales_are_in_the_pixels_of_the_image():
    net, images = Halves(), torch.zeros(2, 3, 12, 20, dtype=torch.uint8)
    first, second = Scales([6, 24]).detect(net, images, torch.tensor([[12, 20], [10, 15]]))
    # The second image without its padding; long sides are rounded down.
    assert net.seen == [
        *(((6, 10), [[6, 10]]), ((24, 40), [[24, 40]])),
        *(((6, 9), [[6, 9]]), ((24, 36), [[24, 36]])),
    ]
    assert first.boxes.tolist() == [[10, 0, 20, 12]] * 2
    assert first.scores.tolist() == pytest.approx([0.1, 0.2])
    torch.testing.assert_close(second.boxes, torch.tensor([[7.5, 0, 15, 10]] * 2))


def test_the_scale_of_the_image_changes_nothing_and_two_give_one_box_of_a_class():
    torch.manual_seed(0)
    net = Localiser.example().eval()
    with torch.no_grad():
        net.proposals.head.cls.weight.normal_(std=0.05)
    images, sizes = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8), torch.tensor([[64, 96]])
    (plain,) = net.detect(images, sizes)
    for one, other in zip(Scales([64]).detect(net, images, sizes)[0], plain, strict=True):
        assert torch.equal(one, other)
    (small,), (large,) = Scales([64]).detect(net, images, sizes), Scales([96]).detect(net, images, sizes)
    (found,) = Scales([64, 96]).detect(net, images, sizes)
    of_small, of_large, of_both = (
        dict(zip(each.labels.tolist(), each.scores.tolist(), strict=True)) for each in (small, large, found)
    )
    assert of_both == {label: max(of_small[label], of_large[label]) for label in range(20)}
    assert of_small != of_large


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match=r"protocol\.sides is \[\]; give at least one short side"):
        Scales([])
    with pytest.raises(InputError, match="Scales looks for regions itself, but those of Halves are given"):
        Scales([4]).detect(Halves(), torch.zeros(1, 3, 4, 4), torch.tensor([[4, 4]]), [torch.zeros(1, 4)])
