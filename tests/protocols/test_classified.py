"""Boxes of one network with the class scores of another."""

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.protocols.classified import Classified
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
    found = Classified(classifier(), path).detect(Boxes(), images, SIZES)
    for one, probabilities in zip(found, expected, strict=True):
        assert one.scores.tolist() == sorted(one.scores.tolist(), reverse=True)
        for box, score, label in zip(*one, strict=True):
            assert score.item() == pytest.approx(probabilities[label].item(), abs=1e-6)
            assert box[0].item() in {2: (0, 12), 0: (4,), 1: (8,)}[int(label)]
        of_last = [box[0].item() for box, label in zip(one.boxes, one.labels, strict=True) if label == 2]
        assert of_last == [0, 12]  # the localiser's order within a class


def test_what_does_not_fit_is_refused(file, tmp_path):
    _, path = file
    with pytest.raises(InputError, match=r"a classifier without weights; name its file by protocol\.weights"):
        Classified(classifier())
    with pytest.raises(InputError, match="does not fit this network"):
        Classified(classifier(4), path)
    four = classifier(4)
    torch.save(four.state_dict(), tmp_path / "four.pt")
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(InputError, match="the classifier has 4 classes, Boxes has 3"):
        Classified(classifier(4), str(tmp_path / "four.pt")).detect(Boxes(), images, SIZES)
