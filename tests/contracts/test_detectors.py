"""What every detector promises; a new file in `lit_vision/models` is tested without an edit here."""

import importlib
import inspect
import pkgutil
import re

import pytest
import torch

from lit_vision import models
from lit_vision.experiment import figures
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.detector import Detector
from lit_vision.models.retinanet import RetinaNet
from lit_vision.types import Batch, Target


def subclasses(cls):
    for module in pkgutil.walk_packages(models.__path__, models.__name__ + "."):
        importlib.import_module(module.name)
    found = [*cls.__subclasses__()]
    for subclass in found:  # grows while it is walked
        found += subclass.__subclasses__()
    # Stand-ins of other tests, which the same process may have imported, promise nothing.
    ours = [each for each in dict.fromkeys(found) if each.__module__.startswith(f"{models.__name__}.")]
    return [each for each in ours if not inspect.isabstract(each)]


DETECTORS = pytest.mark.parametrize("detector", subclasses(Detector), ids=lambda cls: cls.__name__)
SIZES = torch.tensor([[96, 120], [80, 128]])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def images():
    return torch.randint(0, 256, (2, 3, 96, 128), dtype=torch.uint8)


def target(count, crowd=False, difficult=False):
    corners = torch.rand(count, 2) * 60
    boxes = torch.cat([corners, corners + 4 + torch.rand(count, 2) * 40], 1)
    flag = torch.full((count,), True)
    return Target(
        boxes,
        torch.randint(0, 3, (count,)),
        flag & crowd,
        flag & difficult,
        torch.ones(count, dtype=torch.float64),
        torch.tensor(1),
        torch.tensor([96, 120]),
        boxes.double(),
        regions(40),
        outlines(boxes),
    )


def outlines(boxes):
    """Masks that fill the boxes."""
    y, x = torch.arange(96)[:, None, None], torch.arange(120)[:, None]
    x1, y1, x2, y2 = boxes.unbind(1)
    return ((x1 <= x) & (x < x2) & (y1 <= y) & (y < y2)).permute(2, 0, 1)


def regions(count):
    """Regions inside both images."""
    corners = torch.rand(count, 2) * 50
    return torch.cat([corners, corners + 6 + torch.rand(count, 2) * 20], 1)


def detect(net, images):
    """What a detector finds; one that needs regions gets the same ones each time."""
    torch.manual_seed(3)
    given = ([regions(300), regions(300)],) if net.takes_proposals else ()
    return net.detect(images, SIZES, *given)


def batch(*targets):
    return Batch(images(), SIZES, list(targets))


def test_there_are_detectors():
    assert {"RetinaNet", "RPN", "FasterRCNN", "FastRCNN"} <= {cls.__name__ for cls in subclasses(Detector)}


@DETECTORS
def test_the_example_is_of_its_class(detector):
    net = detector.example()
    assert isinstance(net, detector)
    assert net.num_classes >= 1


@DETECTORS
@pytest.mark.parametrize(
    "targets",
    [
        pytest.param(lambda: (target(3), target(1)), id="few"),
        pytest.param(lambda: (target(0), target(2)), id="one-empty-image"),
        pytest.param(lambda: (target(0), target(0)), id="no-objects"),
        pytest.param(lambda: (target(2, crowd=True), target(1, difficult=True)), id="crowd-and-difficult"),
        pytest.param(lambda: (target(400), target(300)), id="hundreds"),
    ],
)
def test_losses_are_finite_and_reach_every_trainable_parameter(detector, targets):
    net = detector.example().train()
    losses = net.loss(batch(*targets()))
    assert all(loss.shape == () and loss.dtype == torch.float32 for loss in losses.values())
    assert all(torch.isfinite(loss) for loss in losses.values()), losses
    assert losses.keys() <= figures.VOCABULARY.keys()
    sum(losses.values()).backward()
    trainable = {name: p for name, p in net.named_parameters() if p.requires_grad}
    assert [name for name, p in trainable.items() if p.grad is None] == []
    assert [name for name, p in trainable.items() if not torch.isfinite(p.grad).all()] == []


@DETECTORS
def test_without_objects_only_scores_are_trained(detector):
    losses = detector.example().train().loss(batch(target(0), target(2, crowd=True)))
    assert {name for name, loss in losses.items() if loss == 0} == {
        name for name in losses if name.endswith(("box", "mask"))
    }


@DETECTORS
def test_losses_are_a_function_of_the_seed(detector):
    net, data = detector.example().eval(), batch(target(30), target(20))
    torch.manual_seed(5)
    first = net.loss(data)
    torch.manual_seed(5)
    assert net.loss(data) == first


def confident(net):
    """A fresh network finds nothing above a threshold: make all answers yes or no."""
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".cls" in name:
                parameter.normal_(std=0.3)
    return net.eval()


@DETECTORS
def test_detections_are_sorted_and_inside_their_image(detector):
    net = confident(detector.example())
    found = detect(net, images())
    assert len(found) == 2
    for each, (height, width) in zip(found, SIZES.tolist(), strict=True):
        assert 10 < len(each.scores) <= 1000
        assert each.boxes.shape == (len(each.scores), 4)
        assert each.boxes.dtype == each.scores.dtype == torch.float32
        assert each.labels.dtype == torch.int64
        assert not each.boxes.requires_grad
        assert (each.scores[:-1] >= each.scores[1:]).all()
        assert 0 <= each.labels.min() <= each.labels.max() < net.num_classes
        assert each.boxes.min() >= 0
        assert each.boxes[:, 2].max() <= width
        assert each.boxes[:, 3].max() <= height
        assert (each.boxes[:, :2] <= each.boxes[:, 2:]).all()


@DETECTORS
def test_detections_depend_on_neither_padding_nor_neighbours(detector):
    net = confident(detector.example())
    one, other = images(), images()
    other[1:, :, :80] = one[1:, :, :80]  # another first image, and other pixels in the second one's padding
    for first, second in zip(detect(net, one)[1], detect(net, other)[1], strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-3)


@DETECTORS
def test_under_autocast_losses_and_detections_are_float32(detector):
    net, data = detector.example(), batch(target(3), target(0))
    with torch.autocast("cpu", torch.bfloat16):
        losses = net.train().loss(data)
        found = detect(confident(net), data.images)
    assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values())
    assert all(each.boxes.dtype == each.scores.dtype == torch.float32 for each in found)


@DETECTORS
def test_state_round_trip(detector):
    source, copy = confident(detector.example()), detector.example().eval()
    copy.load_state_dict(source.state_dict())
    data = images()
    for first, second in zip(detect(source, data), detect(copy, data), strict=True):
        assert torch.equal(first.boxes, second.boxes)


@DETECTORS
def test_compiling_keeps_names_and_results(detector):
    net, data = confident(detector.example()), images()
    before, names = detect(net, data), list(net.state_dict())
    net.compile_static(backend="eager")
    after = detect(net, data)
    assert list(net.state_dict()) == names
    for first, second in zip(before, after, strict=True):
        torch.testing.assert_close(first.boxes, second.boxes)


@DETECTORS
def test_one_level_is_no_special_case(detector):
    net = detector.example()
    if not isinstance(net.pyramid, OneLevel):
        torch.manual_seed(0)
        net = detector(OneLevel(resnet.resnet18(), 4), 3)
    losses = net.train().loss(batch(target(2), target(0)))
    sum(losses.values()).backward()
    trainable = {name: p for name, p in net.named_parameters() if p.requires_grad}
    assert [name for name, p in trainable.items() if p.grad is None] == []
    found = detect(confident(net), images())
    assert all(len(each.boxes) for each in found)


def test_levels_of_different_width_are_told():
    with pytest.raises(
        ValueError, match=r"one head serves all levels, but those of ResNet have \{2: 64, 3: 128"
    ) as told:
        RetinaNet(resnet.resnet18(), 3)
    module, name = re.search(r"by (\S+)\.(\w+)$", str(told.value)).groups()
    assert getattr(importlib.import_module(f"lit_vision.{module}"), name) is OneLevel  # what it advises is there
