import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from lit_vision.errors import InputError
from lit_vision.models import norm
from lit_vision.models.backbones import resnet


@pytest.mark.parametrize(
    ("kind", "layer"),
    [("bn", nn.BatchNorm2d), ("sync", nn.SyncBatchNorm), ("frozen", FrozenBatchNorm2d), ("gn", nn.GroupNorm)],
)
def test_names(kind, layer):
    assert type(norm.make(kind)(64)) is layer


def test_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match="norm: 'batch' is unknown; choose one of bn, sync, frozen, gn"):
        norm.make("batch")


@pytest.mark.parametrize(
    ("channels", "groups"), [(2048, 32), (96, 32), (64, 32), (32, 16), (16, 8), (12, 4), (7, 1), (1, 1)]
)
def test_groups(channels, groups):
    layer = norm.make("gn")(channels)
    assert layer.num_groups == groups


def test_gn_does_not_depend_on_the_batch():
    net = resnet.resnet20(norm="gn").train()
    images = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(net(images)[2][:1], net(images[:1])[2], rtol=1e-4, atol=1e-5)


def test_frozen_has_no_statistics_to_learn():
    net = resnet.resnet20(norm="frozen").train()
    before = {name: value.clone() for name, value in net.named_buffers()}
    net(torch.randn(2, 3, 16, 16))
    assert all(torch.equal(before[name], value) for name, value in net.named_buffers())
    assert not any("norm" in name for name, _ in net.named_parameters())


def test_random_frozen_is_refused_naming_the_remedy():
    net = resnet.resnet20(norm="frozen")  # building it is allowed
    # 1 + 6n norm layers, n = 3; option A brings none
    with pytest.raises(InputError, match=r"19 of 19 frozen layers hold none \(first: stem.norm\)") as caught:
        norm.refuse_random_frozen(net)
    assert "weights: …" in str(caught.value)
    assert "norm: bn or norm: gn" in str(caught.value)


def test_loaded_frozen_is_accepted():
    source = resnet.resnet20()
    source.train()(torch.randn(4, 3, 16, 16))  # real statistics
    net = resnet.resnet20(norm="frozen")
    net.load_state_dict({k: v for k, v in source.state_dict().items() if not k.endswith("num_batches_tracked")})
    norm.refuse_random_frozen(net)


@pytest.mark.parametrize("kind", ["bn", "gn"])
def test_other_norms_are_never_refused(kind):
    norm.refuse_random_frozen(resnet.resnet20(norm=kind))


def test_one_image_a_device_is_warned_about():
    with pytest.warns(UserWarning, match=r"norm: bn normalises 19 layers by the statistics of a single image") as told:
        norm.tell_of_batch_statistics(resnet.resnet20(), 1, 2)
    assert "norm: gn, norm: frozen (loaded weights) or, on several GPUs, norm: sync" in str(told[0].message)


@pytest.mark.parametrize(("kind", "images"), [("bn", 2), ("gn", 1)])
def test_others_are_not_warned_about(kind, images, recwarn):
    norm.tell_of_batch_statistics(resnet.resnet20(norm=kind), images, 2)
    assert not recwarn.list


def test_sync_on_several_cpu_processes_is_refused():
    net = resnet.resnet20(norm="sync")
    with pytest.raises(InputError, match=r"norm: sync runs on GPUs only, and here are 2 processes on the CPU"):
        norm.refuse_sync_on_cpu(net, 2, torch.device("cpu"))
    norm.refuse_sync_on_cpu(net, 1, torch.device("cpu"))
    norm.refuse_sync_on_cpu(net, 2, torch.device("cuda"))
    norm.refuse_sync_on_cpu(resnet.resnet20(norm="bn"), 2, torch.device("cpu"))
