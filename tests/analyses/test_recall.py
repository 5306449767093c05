"""Recall over the overlap, by hand: ours and from files."""

import numpy as np
import pytest
import torch
from torch import nn

from lit_vision.analyses.base import Findings
from lit_vision.analyses.recall import Recall
from lit_vision.data.formats import proposals
from lit_vision.data.pipelines import scenes
from lit_vision.data.voc import VOC
from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.rpn import RPN, TEST, ProposalNetwork
from lit_vision.types import Batch, Target
from tests.analyses import subjects
from tests.twins import voc

SIDE = torch.tensor([100, 100])


def target(image_id, *boxes):
    found = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    flags = torch.zeros(len(found), dtype=torch.bool)
    labels = torch.arange(len(found))
    area = (found[:, 2:] - found[:, :2]).prod(1)
    return Target(found.float(), labels, flags, flags, area, torch.tensor(image_id), SIDE, found)


def batch(*targets, side=50):
    """The images are half as large as their files."""
    count = len(targets)
    images = torch.zeros(count, 3, side, side, dtype=torch.uint8)
    return Batch(images, torch.tensor([[side, side]] * count), list(targets))


class Fixed(nn.Module):
    """Proposes the same regions of each image, as many as it may keep."""

    def __init__(self, *boxes):
        super().__init__()
        self.boxes = torch.tensor(boxes)
        self.proposals = ProposalNetwork(1)

    def extract(self, images, sizes):
        return {4: images}

    def propose(self, features, image_size, sizes):
        assert (features[4].shape[-2:], tuple(image_size)) == ((50, 50), (50, 50))
        return [self.boxes[: self.proposals.test_selection.limit]] * len(sizes)


# Two objects of 20 x 20 pixels. In the file's pixels the first proposal is far, the second covers the first object by
# 0.8, the third the second object wholly.
OBJECTS = ([0, 0, 20, 20], [40, 40, 60, 60])
NET = ([40.0, 0, 50, 10], [0.0, 0, 10, 8], [20.0, 20, 30, 30])


def test_by_hand_in_the_pixels_of_the_file():
    net = Fixed(*NET)
    found = Recall((1, 2, 3)).look([subjects.of(net, [batch(target(1, *OBJECTS))])])
    assert found.arrays["iou"] == pytest.approx([*np.arange(0.5, 1.0, 0.05), 1.0])
    assert found.arrays["network 1"].tolist() == [0] * 11
    assert found.arrays["network 2"].tolist() == [50] * 7 + [0] * 4  # up to 0.8
    assert found.arrays["network 3"].tolist() == [100] * 7 + [50] * 4
    assert found.figures == {
        **{"proposal_ar1": 0, "proposal_recall50_1": 0, "proposal_ar2": 35, "proposal_recall50_2": 50},
        **{"proposal_ar3": 85, "proposal_recall50_3": 100},
    }
    assert net.proposals.test_selection is TEST
    assert all(figures.find(f"analysis/{name}") in Recall.logs.values() for name in found.figures)


def test_as_many_as_are_asked_for_whatever_the_network_was_tested_with():
    net = Fixed(*([[40.0, 0, 50, 10]] * TEST.limit), [0.0, 0, 10, 10])
    found = Recall((TEST.limit, TEST.limit + 1)).look([subjects.of(net, [batch(target(1, *OBJECTS))])])
    assert [found.figures[f"proposal_ar{TEST.limit + more}"] for more in (0, 1)] == [0, 50]


@pytest.fixture
def file(tmp_path):
    boxes = [torch.tensor([[0.0, 0, 20, 20]]), torch.tensor([[0.0, 0, 20, 10], [40, 40, 60, 60]])]
    names = ["000007.jpg", "COCO_val2014_000000000009.jpg"]
    proposals.write(tmp_path / "ss.npz", proposals.join(names, boxes, [torch.ones(1), torch.ones(2)]))
    return str(tmp_path / "ss.npz")


def test_a_file_beside_the_network_by_image_number(file):
    images = [batch(target(9, *OBJECTS)), batch(target(7, *OBJECTS))]
    found = Recall((1, 2), {"SS": file}).look([subjects.of(Fixed(*NET), images)])
    assert found.arrays["SS 1"].tolist() == [50] + [25] * 10  # of four objects: one at exactly 0.5, one wholly
    assert found.arrays["SS 2"].tolist() == [75] + [50] * 10
    assert found.figures["proposal_recall50_2/SS"] == 75
    assert found.figures["proposal_recall50_2"] == 50
    assert figures.find("analysis/proposal_recall50_2/SS") == figures.Kind("higher", "%")
    alone = Recall((1, 2), {"SS": file}, ours=False).look([subjects.of(nn.Identity(), images)])
    assert alone.arrays.keys() == {"iou", "SS 1", "SS 2"}
    assert alone.arrays["SS 2"].tolist() == found.arrays["SS 2"].tolist()


def test_an_image_without_proposals_is_named(file):
    with pytest.raises(InputError, match=r"ss\.npz: image 8 of the test split has no proposals; is it another split's"):
        Recall((1,), {"SS": file}).look([subjects.of(Fixed(*NET), [batch(target(8, *OBJECTS))])])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ours": False}, "has nothing to look at: name analysis.files, or set analysis.ours"),
        ({"files": {"network": "a.npz"}}, "analysis.files: 'network' is no label"),
        ({"files": {"a/b": "a.npz"}}, "analysis.files: 'a/b' is no label"),
        ({"files": {"SS": "none.mat"}}, "there is no file none.mat"),
        ({"proposals": (300, 100)}, "max_proposals is"),
    ],
)
def test_options_that_say_nothing_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Recall(**options)


def test_a_network_without_proposals_is_told_so():
    with pytest.raises(InputError, match=r"FastRCNN makes none; set analysis\.ours to false"):
        Recall().look([subjects.of(FastRCNN.example(), [])])


@pytest.mark.parametrize("kind", [RPN, FasterRCNN])
def test_real_networks_on_real_batches(kind, tmp_path):
    torch.manual_seed(0)
    small = scenes.short_side(train=[64], test=64, cap=128)
    data = VOC(str(voc.write(tmp_path) / "VOCdevkit"), batch_size=2, pipeline=small)
    data.setup("test")
    net = kind.example().eval()
    found = Recall((10, 2000)).look([subjects.of(net, data.test_dataloader())])
    assert found.figures["proposal_recall50_2000"] == 100  # boxes all over a small image
    assert found.figures["proposal_recall50_10"] < 100


def test_the_plot_has_a_panel_for_each_number_and_a_line_for_each_source():
    line = np.linspace(100, 0, 11)
    arrays = {"iou": np.linspace(0.5, 1, 11), "network 300": line, "network 1000": line, "SS 300": line / 2}
    figure = Recall((300, 1000)).draw(Findings({}, arrays), "RPN")
    assert [axes.get_title() for axes in figure.axes] == ["300 proposals", "1000 proposals"]
    assert [[drawn.get_label() for drawn in axes.lines] for axes in figure.axes] == [["network", "SS"], ["network"]]
    assert figure.axes[0].lines[1].get_ydata().tolist() == (line / 2).tolist()
