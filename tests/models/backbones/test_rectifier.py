"""The rectifiers paper's networks and VGG's: sizes, parameters and costs of Tables 1 and 3 (computed in the sheet)."""

import pytest
import torch
import torchvision
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models import counts
from lit_vision.models.activation import Rectified
from lit_vision.models.backbones import rectifier, vgg
from lit_vision.models.backbones.one_level import OneLevel
from lit_vision.models.classifier import Classifier
from lit_vision.models.heads.spp import SPP, Flat
from lit_vision.models.weights import torchvision_vgg
from tests.models.test_activation import classifier

# Parameters of backbone and head, multiply-adds of all layers for an image of 224 pixels.
NETWORKS = {
    "net14": (1_682_688, 73_311_208, 980_914_880),
    "net30": (5_881_088, 73_311_208, 2_417_464_000),
    "model_a": (25_014_400, 153_002_984, 19_058_106_368),
    "model_b": (30_324_096, 153_002_984, 23_219_904_512),
    "model_c": (78_509_952, 252_093_416, 53_463_130_112),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_costs(name):
    net = classifier(name)
    found = (counts.parameters(net.backbone), counts.parameters(net.fc), counts.multiply_adds(net, (224, 224)))
    assert found == NETWORKS[name]


def test_costs_are_table_3_s():
    """Operations x 1e10, within 1 % of what the table prints; C costs about 2.3 times B."""
    printed = {"model_a": 1.90, "model_b": 2.32, "model_c": 5.30}
    for name, value in printed.items():
        assert NETWORKS[name][2] / 1e10 == pytest.approx(value, rel=0.01)
    with torch.device("meta"):
        nineteen = Classifier(vgg.vgg19(), 1000, head=Flat)
        assert counts.parameters(nineteen) == counts.parameters(torchvision.models.vgg19()) == 143_667_240
    assert counts.multiply_adds(nineteen, (224, 224)) / 1e10 == pytest.approx(1.96, rel=0.01)
    assert NETWORKS["model_c"][2] / NETWORKS["model_b"][2] == pytest.approx(2.3, abs=0.05)


def shapes(net, size=224):
    """Shape of each layer's answer in order, of a batch of one."""
    found = []
    for module in net.modules():
        if isinstance(module, Rectified | nn.MaxPool2d):
            module.register_forward_hook(lambda _, inputs, output: found.append(tuple(output.shape[1:])))
    with torch.device("meta"):
        net.to("meta")(torch.empty(1, 3, size, size))
    return found


def test_the_small_net_is_table_1_s():
    """Maps of 36 and 18 cells "dominantly": sizes go up and down by one, and are as printed at the end of a stage."""
    found = shapes(rectifier.net14())
    stage_2, stage_3 = [(128, 37, 37), (128, 36, 36)] * 2, [(256, 19, 19), (256, 18, 18)] * 3
    assert found == [(64, 109, 109), (64, 36, 36), *stage_2, (128, 18, 18), *stage_3]
    layers = [module.layer for module in rectifier.net14().modules() if isinstance(module, Rectified)]
    assert [layer.kernel_size for layer in layers] == [(7, 7)] + [(2, 2)] * 10
    assert len(layers) + 3 == 14


def test_thirty_layers_are_sixteen_more():
    fourteen, thirty = shapes(rectifier.net14()), shapes(rectifier.net30())
    assert thirty[: len(fourteen)] == fourteen
    assert thirty[len(fourteen) :] == [(256, 19, 19), (256, 18, 18)] * 8
    assert sum(isinstance(module, Rectified) for module in rectifier.net30().modules()) + 3 == 30


@pytest.mark.parametrize(
    ("name", "depth", "widths"),
    [("model_a", 5, (256, 512, 512)), ("model_b", 6, (256, 512, 512)), ("model_c", 6, (384, 768, 896))],
)
def test_large_nets_are_table_3_s(name, depth, widths):
    expected = [(96, 112, 112)]
    for side, before, width in zip((56, 28, 14), (96, *widths), widths, strict=False):
        expected += [(before, side, side), *[(width, side, side)] * depth]
    net = getattr(rectifier, name)()
    assert shapes(net) == expected
    assert net.channels == {1: 96, **dict(zip((2, 3, 4), widths, strict=True))}


def theirs(name, width=16):
    """torchvision's network with narrow hidden layers and weights that give logits of order one."""
    with torch.device("meta"):
        net = getattr(torchvision.models, name)(init_weights=False)
    between = [nn.ReLU(), nn.Dropout()]
    sizes = (nn.Linear(25_088, width), *between, nn.Linear(width, width), *between, nn.Linear(width, 20))
    net.classifier = nn.Sequential(*sizes)
    for module in net.to_empty(device="cpu").modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.normal_(module.bias, std=0.05)
    return net.eval()


def by_hand(images):
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    return (images / 255 - mean[:, None, None]) / std[:, None, None]


@pytest.mark.parametrize("name", ["vgg16", "vgg19"])
def test_torchvision_s_files_give_the_same_logits(name, tmp_path):
    torch.manual_seed(0)
    public = theirs(name)
    torch.save(public.state_dict(), tmp_path / "theirs.pth")
    head = lambda channels, classes: Flat(channels, classes, width=16)  # noqa: E731
    ours = Classifier(getattr(vgg, name)(), 20, head=head, weights=str(tmp_path / "theirs.pth")).eval()
    images = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        wanted, found = public(by_hand(images)), ours(images)
        dense = ours.dense(images)
    assert 0.3 < wanted.std() < 30
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(dense[:, :, 0, 0], wanted, atol=1e-4, rtol=1e-4)


def test_a_file_of_other_classes_fills_all_but_the_last_layer(tmp_path):
    torch.manual_seed(0)
    head = lambda channels, classes: Flat(channels, classes, width=8)  # noqa: E731
    saved = Classifier(vgg.vgg16(), 20, head=head)
    torch.save(saved.state_dict(), tmp_path / "ours.pth")
    with pytest.warns(UserWarning, match="knows 20 classes, the data 3: the last layer starts afresh"):
        net = Classifier(vgg.vgg16(), 3, head=head, weights=str(tmp_path / "ours.pth"))
    assert torch.equal(net.fc.fc2.layer.weight, saved.fc.fc2.layer.weight)
    assert net.fc.fc3.weight.shape == (3, 8)
    assert net.fc.fc3.weight.std().item() == pytest.approx(0.001, rel=0.5)


def test_conv5_is_what_detectors_stand_on(tmp_path):
    """Level 4 with stride 16, from public features alone; conv1 and conv2 are not trained."""
    torch.manual_seed(0)
    public = theirs("vgg16")
    state = {name: value for name, value in public.state_dict().items() if name.startswith("features.")}
    torch.save(state, tmp_path / "features.pth")
    net = OneLevel(vgg.vgg16(frozen_levels=[0, 1], weights=str(tmp_path / "features.pth")), 4)
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        found = net(image)[4]
        torch.testing.assert_close(found, public.features[:30](image))
    assert found.shape == (1, 512, 4, 6)
    assert net.channels == {4: 512}
    frozen = [name for name, parameter in net.named_parameters() if not parameter.requires_grad]
    assert frozen == [
        f"backbone.stages.{stage}.{n}.layer.{kind}"
        for stage, ns in ((0, (0, 1)), (1, (1, 2)))
        for n in ns
        for kind in ("weight", "bias")
    ]


def test_a_file_with_norm_is_not_taken_for_one_without():
    with torch.device("meta"):
        assert torchvision_vgg.knows(torchvision.models.vgg16().state_dict())
        assert not torchvision_vgg.knows(torchvision.models.vgg16_bn().state_dict())
        assert not torchvision_vgg.knows(torchvision.models.alexnet().state_dict())


def test_spp_and_maps_agree_about_224_pixels():
    assert shapes(rectifier.net14())[-1][1:] == (18, 18)
    with torch.device("meta"):
        assert SPP(256, 5, bins=(6, 3, 2, 1), window=18)(torch.empty(1, 256, 18, 18)).shape == (1, 5)


def test_the_nets_of_trials_have_the_layers_that_they_name():
    small = rectifier.small_net([3, 2, 2], [32, 64, 128])
    features = small(torch.rand(2, 3, 32, 32))
    assert {level: tuple(map_.shape[1:]) for level, map_ in features.items()} == {
        0: (32, 32, 32),
        1: (64, 16, 16),
        2: (128, 8, 8),
    }
    assert sum(isinstance(module, nn.Conv2d) for module in small.modules()) == 7
    connected = rectifier.connected_net(depth=29, width=16, size=8)
    assert connected(torch.rand(2, 3, 8, 8))[0].shape == (2, 16, 1, 1)
    assert sum(isinstance(module, nn.Conv2d) for module in connected.modules()) == 29
    with pytest.raises(InputError, match=r"depths are \[3\] and widths \[32, 64\]; give one of each per row"):
        rectifier.small_net([3], [32, 64])
