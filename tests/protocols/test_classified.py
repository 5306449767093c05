"""Boxes of one network with the class scores of another."""

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.classifier import Classifier
from lit_vision.models.localiser import Localiser, only
from lit_vision.protocols.base import ClassProtocol
from lit_vision.protocols.centre import Centre
from lit_vision.protocols.classified import Classified
from lit_vision.protocols.ensemble import BoxUnion
from lit_vision.protocols.flip import Flip
from lit_vision.protocols.scales import Scales
from lit_vision.types import Detections

SIZES = torch.tensor([[32, 32], [32, 32]])


class Boxes(nn.Module):
    """Finds a box of each of three classes in each image, two of the last; the score says nothing."""

    num_classes = 3

    def detect(self, images, sizes):
        boxes = torch.arange(16.0).reshape(4, 4)
        return [Detections(boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([2, 0, 1, 2]))] * len(images)


def classifier(classes=3):
    torch.manual_seed(0)
    return Classifier(resnet.resnet20(), classes)


@pytest.fixture
def file(tmp_path):
    """A classifier that tells images apart, and the checkpoint that its training left."""
    trained = classifier()
    with torch.no_grad():
        trained.fc.weight.normal_(std=2.0)
    state = {f"network.{name}": value for name, value in trained.state_dict().items()}
    torch.save({"state_dict": state | {"metric": torch.zeros(1)}}, tmp_path / "last.ckpt")
    return trained.eval(), str(tmp_path / "last.ckpt")


def test_scores_are_the_classifier_s_and_boxes_the_localiser_s(file):
    trained, path = file
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        expected = trained(images, SIZES).softmax(1)
    assert expected.std() > 0.05
    found = Classified([classifier()], [path]).detect(Boxes(), images, SIZES)
    for one, probabilities in zip(found, expected, strict=True):
        assert one.scores.tolist() == sorted(one.scores.tolist(), reverse=True)
        for box, score, label in zip(one.boxes, one.scores, one.labels, strict=True):
            assert score.item() == pytest.approx(probabilities[label].item(), abs=1e-6)
            assert box[0].item() in {2: (0, 12), 0: (4,), 1: (8,)}[int(label)]
        of_last = [box[0].item() for box, label in zip(one.boxes, one.labels, strict=True) if label == 2]
        assert of_last == [0, 12]  # the localiser's order within a class


def test_probabilities_of_several_are_averaged(file, tmp_path):
    first, path = file
    second = classifier().eval()
    with torch.no_grad():
        second.fc.weight.normal_(std=3.0)
    torch.save(second.state_dict(), tmp_path / "second.pt")
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        expected = (first(images, SIZES).softmax(1) + second(images, SIZES).softmax(1)) / 2
    protocol = Classified([classifier(), classifier()], [path, str(tmp_path / "second.pt")])
    for one, probabilities in zip(protocol.detect(Boxes(), images, SIZES), expected, strict=True):
        assert one.scores.tolist() == pytest.approx(probabilities[one.labels].tolist(), abs=1e-6)


class Stripes(ClassProtocol):
    """Says that what stands in an image's first pixel is its class."""

    def score(self, network, images, sizes):
        return torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 3) * 9.0 + torch.tensor([0.2, 0.1, 0.0])


def test_a_localiser_looks_for_the_most_probable_classes_of_each_image_alone(file):
    torch.manual_seed(0)
    net = Localiser(OneLevel(resnet.resnet18(), 4), 3).eval()
    images = torch.tensor([2, 0], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 32, 32)
    of = (None, Scales([32, 64]), Centre(32))
    for one in of:
        first, second = Classified([classifier()], [file[1]], one, Stripes(), guesses=2).detect(net, images, SIZES)
        assert (first.labels.tolist(), second.labels.tolist()) == ([2, 0], [0, 1])
    assert net.classes is None


def test_what_does_not_fit_is_refused(file, tmp_path):
    _, path = file
    with pytest.raises(InputError, match=r"has 1 classifier\(s\) and 0 file\(s\) of weights; name one file for each"):
        Classified([classifier()], [])
    with pytest.raises(InputError, match=r"has classifiers without weights; name their files by protocol\.weights"):
        Classified([classifier()]).detect(Boxes(), torch.zeros(2, 3, 32, 32, dtype=torch.uint8), SIZES)
    with pytest.raises(InputError, match="merge is mean, but Boxes has no second stage"):
        Classified([classifier()], of=Flip("mean")).check(Boxes())
    with pytest.raises(InputError, match="guesses is 0; look for at least one class"):
        Classified([classifier()], [path], guesses=0)
    with pytest.raises(InputError, match="does not fit this network"):
        Classified([classifier(4)], [path])
    four = classifier(4)
    torch.save(four.state_dict(), tmp_path / "four.pt")
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(InputError, match="a classifier has 4 classes, Boxes has 3"):
        Classified([classifier(4)], [str(tmp_path / "four.pt")]).detect(Boxes(), images, SIZES)


def test_the_members_of_a_row_look_for_these_classes_too(file):
    torch.manual_seed(0)
    first, second = (Localiser(OneLevel(resnet.resnet18(), 4), 3).eval() for _ in range(2))
    with torch.no_grad():
        second.proposals.head.cls.bias.fill_(3.0)  # the surer one, of all classes
    protocol = Classified([classifier()], [file[1]], BoxUnion(), Stripes(), guesses=2)
    protocol.members.join([second])
    images = torch.tensor([2, 0], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 32, 32)
    found = protocol.detect(first, images, SIZES)
    assert [one.labels.tolist() for one in found] == [[2, 0], [0, 1]]
    assert first.classes is None is second.classes
    with only(torch.tensor([2, 0]), [second]):
        (alone,) = second.detect(images[:1], SIZES[:1])
    places = [alone.labels.tolist().index(label) for label in (2, 0)]
    torch.testing.assert_close(found[0].boxes, alone.boxes[places])
