"""Parts of a model that start from another run's weights."""

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.runs import checkpoints
from lit_vision.session import starting


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.network = nn.ModuleDict({"pyramid": nn.Linear(2, width), "head": nn.Linear(width, 2)})


@pytest.fixture
def source(tmp_path):
    model = Model(3)
    checkpoints.write(tmp_path / "one.ckpt", {"state_dict": model.state_dict()})
    return model, tmp_path / "one.ckpt"


def test_the_part_is_filled_and_nothing_else(source):
    trained, file = source
    model = Model(3)
    before = model.network["head"].weight.clone()
    starting.fill(model, {"model.network.pyramid": file})
    assert torch.equal(model.network["pyramid"].weight, trained.network["pyramid"].weight)
    assert torch.equal(model.network["head"].weight, before)


@pytest.mark.parametrize("key", ["model.network.pyramid", "model.network.regions"])
def test_a_part_that_does_not_fit_is_named(source, key):
    with pytest.raises(InputError, match=rf"start of {key} from .*one\.ckpt: the part does not fit"):
        starting.fill(Model(4), {key: source[1]})
