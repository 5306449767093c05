"""Whether weights of a file belong to a network."""

import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.runs import contents


def test_a_mean_image_belongs_to_any_network_and_other_shapes_do_not():
    """A network is built with three averages; the file of one that was trained with a mean image brings it."""
    trained, built = Classifier(resnet.resnet20(), 10), Classifier(resnet.resnet20(), 10)
    trained.normalise.set(torch.full((3, 8, 8), 0.4), torch.full((3, 1, 1), 1 / 255))
    contents.refuse_other_network(trained.state_dict(), built, "last.ckpt")
    built.load_state_dict(trained.state_dict())
    assert built.normalise.mean.shape == (3, 8, 8)
    with pytest.raises(InputError, match=r"of another network: fc.weight is \[10, 64\] there and \[9, 64\] here"):
        contents.refuse_other_network(trained.state_dict(), Classifier(resnet.resnet20(), 9), "last.ckpt")
