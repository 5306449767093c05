"""Models that start from the weights of other runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.experiment.card import Row
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.fast_rcnn import FastRCNN
from lit_vision.models.faster_rcnn import FasterRCNN, RegionClassifier
from lit_vision.models.heads.stage import StageHead
from lit_vision.models.rpn import RPN
from lit_vision.ops.roi import Pooler
from lit_vision.runs import checkpoints, trained
from lit_vision.session import starting, weights


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


def c4(kind, classes, **stages):
    """A detector on C4 of a ResNet-18, whose fifth stage is the head where there is one."""
    torch.manual_seed(classes)
    if kind is not RPN:
        head = lambda *sizes: StageHead(*sizes, resnet.resnet18())  # noqa: E731
        stages["regions"] = lambda *sizes: RegionClassifier(*sizes, head=head, pooler=Pooler(14, levels=[4]))
    return kind(OneLevel(resnet.resnet18(), 4), classes, **stages)


@pytest.mark.parametrize("kind", [RPN, FastRCNN, FasterRCNN])
def test_a_stage_takes_the_parts_that_it_has_over_and_begins_other_classes_afresh(tmp_path, kind):
    trained = c4(FasterRCNN, 80)
    state = {f"network.{name}": value for name, value in trained.state_dict().items()}
    checkpoints.write(tmp_path / "last.ckpt", {"state_dict": state})
    network = c4(kind, 20)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    starting.take_over(network, SimpleNamespace(folder=SimpleNamespace(last=tmp_path / "last.ckpt")))
    after, theirs = network.state_dict(), trained.state_dict()
    afresh = {name for name in after if name.startswith(("regions.head.cls", "regions.head.box"))}
    assert len(afresh) == (0 if kind is RPN else 4)
    assert [name for name in after if name in afresh and not torch.equal(after[name], before[name])] == []
    taken = [name for name in after if name not in afresh and not name.startswith("normalise.")]
    assert [name for name in taken if not torch.equal(after[name], theirs[name])] == []
    assert any(not torch.equal(before[name], theirs[name]) for name in taken)


def test_what_is_no_detector_takes_nothing_over():
    with pytest.raises(InputError, match=r"^starts_from fills detectors so far, not a Linear; name a file by weights"):
        starting.take_over(nn.Linear(1, 1), SimpleNamespace())


@pytest.mark.parametrize(("starts_from", "recipe"), [("mine: whole", "mine"), ("whole", "this")])
def test_a_run_in_stages_goes_on_from_what_it_has_begun_with(monkeypatch, starts_from, recipe):
    newer = SimpleNamespace(seed=1, folder=SimpleNamespace(path="runs/newer"))
    monkeypatch.setattr(trained, "find", lambda *asked: iter([newer] if asked == (recipe, "whole") else []))
    monkeypatch.setattr(trained, "of_run", lambda *asked: asked)
    experiment = SimpleNamespace(name="this", expected=lambda: Row(starts_from=starts_from))
    assert weights.origin(experiment) is newer
    assert weights.origin(experiment, "runs/older") == (Path("runs/older"), recipe, "whole", "starts_from")
    assert weights.origin(SimpleNamespace(name="this", expected=Row), "runs/older") is None
