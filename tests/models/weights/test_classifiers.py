import hashlib
import pickle
import urllib.error
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file
from torch import nn
from torchvision.models._api import WeightsEnum

from lit_vision.errors import InputError
from lit_vision.models import norm
from lit_vision.models.backbones import resnet
from lit_vision.models.classifier import Classifier
from lit_vision.models.weights import classifiers as weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pixels(size, batch=2):
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)


def by_hand(images):
    return (images / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def trained(net, inputs):
    """Random statistics and scales as after training, and a last layer that makes logits of order one."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
            nn.init.uniform_(layer.weight, 0.3, 0.7)
            nn.init.normal_(layer.bias, std=0.1)
    last = net.fc if hasattr(net, "fc") else net.linear
    with torch.no_grad():
        last.weight /= net.eval()(inputs).std()
    return net


def save(content, path):
    torch.save(content, path)
    return str(path)


# torchvision's networks, which bear the same names, and the options that make ours equal them. A recipe's row with such
# a backbone has evidence level E3 (tests/golden/derive.py reads this literal).
PARITY = {
    "resnet18": {"shortcut": "B"},
    "resnet34": {"shortcut": "B"},
    "resnet50": {"stride_on": "3x3"},
    "resnet101": {"stride_on": "3x3"},
    "resnet152": {"stride_on": "3x3"},
    "resnext101_32x8d": {"stride_on": "3x3"},
}


@pytest.mark.parametrize("name", PARITY)
def test_torchvisions_networks_give_the_same_logits(name, tmp_path):
    torch.manual_seed(18)
    images = pixels(64)
    theirs = trained(getattr(torchvision.models, name)(num_classes=20), by_hand(images))
    file = save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = Classifier(getattr(resnet, name)(**PARITY[name]), 20, weights=file).eval()
    with torch.no_grad():
        wanted, found = theirs(by_hand(images)), ours(images)
    assert 0.3 < wanted.std() < 3
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


class PublicBlock(nn.Module):
    """As in the public CIFAR files: option A by padding planes // 4 on both sides."""

    def __init__(self, inputs, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.planes = planes if stride == 2 else 0

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.planes:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.planes // 4, self.planes // 4))
        return F.relu(y + x)


class PublicNet(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(*(PublicBlock(16, 16, 1) for _ in range(3)))
        self.layer2 = nn.Sequential(PublicBlock(16, 32, 2), *(PublicBlock(32, 32, 1) for _ in range(2)))
        self.layer3 = nn.Sequential(PublicBlock(32, 64, 2), *(PublicBlock(64, 64, 1) for _ in range(2)))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def test_the_public_cifar_layout_gives_the_same_logits(tmp_path):
    torch.manual_seed(0)
    images = pixels(32)
    theirs = trained(PublicNet(), by_hand(images))
    wrapped = {"module." + key: value for key, value in theirs.state_dict().items()}
    file = save({"state_dict": wrapped, "best_prec1": 91.7}, tmp_path / "theirs.th")
    ours = Classifier(resnet.resnet20(pad="both"), 10, weights=file).eval()
    with torch.no_grad():
        wanted = theirs(by_hand(images))
        assert 0.3 < wanted.std() < 3
        torch.testing.assert_close(ours(images), wanted, atol=1e-5, rtol=0)
        # The tensors cannot tell where the zeros go: with padding at the end they would be another network.
        other = Classifier(resnet.resnet20(pad="end"), 10).eval()
        other.load_state_dict(ours.state_dict())
        assert (other(images) - wanted).abs().max() > 0.01


def test_the_public_cifar_layout_is_refused_with_other_padding(tmp_path):
    file = save(PublicNet().state_dict(), tmp_path / "theirs.th")
    for build in (lambda: resnet.resnet20(weights=file), lambda: Classifier(resnet.resnet20(), 10, weights=file)):
        assert message(build) == (
            f"weights: {file} (the public CIFAR layout) needs pad: both, but the network has end\n"
            "set pad of the backbone to both; see docs/public-weights.md"
        )


@pytest.fixture(scope="module")
def ours():
    torch.manual_seed(0)
    images = pixels(16)
    return trained(Classifier(resnet.resnet20(), 10), images).eval()


def agrees(net, ours):
    """Whether all tensors, statistics included, are those of `ours`."""
    wanted = ours.state_dict()
    return all(torch.equal(value, wanted[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("prefixes", ["", "net.", "module.", "model.", "_orig_mod.", "net._orig_mod.", "module.net."])
@pytest.mark.parametrize("entry", [False, True])
def test_our_own_layout_also_wrapped(prefixes, entry, ours, tmp_path):
    state = {prefixes + key: value for key, value in ours.state_dict().items()}
    file = save({"state_dict": state, "epoch": 3} if entry else state, tmp_path / "ours.ckpt")
    assert agrees(Classifier(resnet.resnet20(), 10, weights=file), ours)


def test_safetensors(ours, tmp_path):
    file = tmp_path / "ours.safetensors"
    save_file(ours.state_dict(), file)
    assert agrees(Classifier(resnet.resnet20(), 10, weights=str(file)), ours)


def test_a_path_may_start_at_the_home_folder(ours, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(ours.state_dict(), tmp_path / "ours.pt")
    assert agrees(Classifier(resnet.resnet20(), 10, weights="~/ours.pt"), ours)


def test_a_backbone_takes_its_part_of_a_classifiers_file_or_a_file_of_its_own(ours, tmp_path):
    whole = save(ours.state_dict(), tmp_path / "whole.pt")
    alone = save(ours.backbone.state_dict(), tmp_path / "alone.pt")
    for file in (whole, alone):
        assert agrees(resnet.resnet20(weights=file), ours.backbone)


def test_a_backbone_drops_the_last_layer_of_the_public_layouts(tmp_path):
    theirs = torchvision.models.resnet18(num_classes=7)
    net = resnet.resnet18(shortcut="B", weights=save(theirs.state_dict(), tmp_path / "theirs.pth"))
    assert torch.equal(net.stem.conv.weight, theirs.conv1.weight)
    assert torch.equal(net.stages["5"][0].shortcut.conv.weight, theirs.layer4[0].downsample[0].weight)
    public = PublicNet()
    net = resnet.resnet20(pad="both", weights=save(public.state_dict(), tmp_path / "public.th"))
    assert torch.equal(net.stages["2"][2].conv2.weight, public.layer3[2].conv2.weight)


def test_weights_come_before_freezing(ours, tmp_path):
    file = save(ours.state_dict(), tmp_path / "ours.pt")
    net = resnet.resnet20(weights=file, frozen_levels=[0])
    assert agrees(net, ours.backbone)
    assert not net.stem.conv.weight.requires_grad


def test_frozen_norms_take_statistics_from_a_file_with_step_counters(ours, tmp_path):
    file = save(ours.state_dict(), tmp_path / "ours.pt")
    net = Classifier(resnet.resnet20(norm="frozen"), 10, weights=file).eval()
    norm.refuse_random_frozen(net)
    images = pixels(16)
    with torch.no_grad():
        torch.testing.assert_close(net(images), ours(images), atol=1e-5, rtol=1e-5)


def test_files_older_than_the_step_counter_load(ours, tmp_path):
    state = {key: value for key, value in ours.state_dict().items() if not key.endswith("num_batches_tracked")}
    net = Classifier(resnet.resnet20(), 10, weights=save(state, tmp_path / "old.pt"))
    assert torch.equal(net.backbone.stem.norm.running_var, ours.backbone.stem.norm.running_var)


def test_another_number_of_classes_fills_the_backbone_and_starts_the_last_layer_afresh(ours, tmp_path):
    file = save(ours.state_dict(), tmp_path / "ours.pt")
    with pytest.warns(UserWarning, match="starts afresh") as caught:
        net = Classifier(resnet.resnet20(), 100, weights=file)
    assert [str(warning.message) for warning in caught] == [
        f"{file} knows 10 classes, the data 100: the last layer starts afresh"
    ]
    assert agrees(net.backbone, ours.backbone)
    assert net.fc.weight.shape == (100, 64)
    assert net.fc.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert net.fc.bias.eq(0).all()


def test_the_same_number_of_classes_warns_of_nothing(ours, tmp_path):
    file = save(ours.state_dict(), tmp_path / "ours.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Classifier(resnet.resnet20(), 10, weights=file)


def message(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    text = str(caught.value)
    assert text.count("\n") <= 2
    return text


ADVICE = "compare depth, shortcut option, norm and number of classes with those that the file was made with"


def test_missing_names_are_told_and_nothing_is_loaded(ours, tmp_path):
    state = ours.state_dict()
    del state["backbone.stem.conv.weight"], state["fc.bias"]
    file = save(state, tmp_path / "ours.pt")
    net = Classifier(resnet.resnet20(), 10)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert message(weights.load, file, net.backbone, net.fc) == (
        f"weights: {file} does not fit this network: 2 missing (backbone.stem.conv.weight, fc.bias)\n{ADVICE}"
    )
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_unexpected_names_are_told(ours, tmp_path):
    # ResNet-20 in a file, a net with one block less per stage asked for: 3 blocks of 2 * (1 + 4) tensors that matter
    file = save(ours.state_dict(), tmp_path / "ours.pt")
    assert message(resnet.cifar, 2, True, weights=file) == (
        f"weights: {file} does not fit this network: 30 unexpected (backbone.stages.0.2.conv1.weight, "
        f"backbone.stages.0.2.conv2.weight, backbone.stages.0.2.norm1.bias, …)\n{ADVICE}"
    )


def test_other_shapes_are_told(ours, tmp_path):
    state = ours.state_dict()
    state["backbone.stem.conv.weight"] = torch.zeros(16, 1, 3, 3)
    file = save(state, tmp_path / "ours.pt")
    assert message(resnet.resnet20, weights=file) == (
        f"weights: {file} does not fit this network: "
        f"1 of another shape (backbone.stem.conv.weight [16, 1, 3, 3] instead of [16, 3, 3, 3])\n{ADVICE}"
    )


def test_all_problems_are_told_together(ours, tmp_path):
    state = ours.state_dict() | {"fc.bias": torch.zeros(11)}
    file = save(state, tmp_path / "ours.pt")
    # one block less per stage, as above, and two projections of 1 + 4 tensors
    text = message(Classifier, resnet.cifar(2, True, shortcut="B"), 10, weights=file)
    assert "10 missing (backbone.stages.1.0.shortcut.conv.weight, " in text
    assert "; 30 unexpected (backbone.stages.0.2.conv1.weight, " in text
    assert "; 1 of another shape (fc.bias [11] instead of [10])" in text


class Malicious:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (self.file, "w")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_file_is_refused_and_not_executed(legacy, tmp_path):
    trace = tmp_path / "executed"
    file = tmp_path / "weights.pth"
    if legacy:
        file.write_bytes(pickle.dumps({"fc.bias": Malicious(str(trace))}, protocol=2))
    else:
        torch.save({"fc.bias": Malicious(str(trace))}, file)
    assert message(resnet.resnet20, weights=str(file)) == (
        f"weights: {file} is damaged, or holds Python objects, which could run code and are never read\n"
        "save the tensors alone: torch.save(net.state_dict(), …) or safetensors"
    )
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b".", b"hello\n", b"<!DOCTYPE html>", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_is_none_is_told(content, suffix, tmp_path):
    file = tmp_path / f"weights.{suffix}"
    file.write_bytes(content)
    text = message(resnet.resnet20, weights=str(file))
    assert text.startswith((f"weights: {file} is damaged", f"weights: cannot read {file}: "))


def test_a_cut_off_file_is_told(ours, tmp_path):
    file = tmp_path / "ours.pt"
    save(ours.state_dict(), file)
    file.write_bytes(file.read_bytes()[:5000])
    text = message(resnet.resnet20, weights=str(file))
    assert text.startswith(f"weights: cannot read {file}: ")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"fc.bias": 3}}, {"epoch": 3}])
def test_a_file_without_state_dict_is_told(content, tmp_path):
    file = save(content, tmp_path / "weights.pt")
    assert message(resnet.resnet20, weights=file) == (
        f"weights: {file} holds no state dict, that is, no table of tensors by name"
    )


@pytest.mark.parametrize("source", ["nowhere.pth", "imagenet1k_v1", ""])
def test_no_such_file(source):
    assert message(resnet.resnet20, weights=source) == (
        f"weights: no file {source!r}; give a path or a torchvision name such as IMAGENET1K_V1"
    )


def resnet50(**options):
    return resnet.resnet50(stride_on="3x3", **options)


@pytest.mark.parametrize("source", ["DEFAULT", "ResNet50_Weights.DEFAULT"])
def test_default_is_refused(source):
    assert message(resnet50, weights=source) == (
        "weights: DEFAULT changes with torchvision's version; name ResNet50_Weights.IMAGENET1K_V1"
    )


def test_the_enumeration_of_another_network_is_refused():
    assert message(resnet50, weights="ResNet101_Weights.IMAGENET1K_V1") == (
        "weights: ResNet101_Weights belongs to another network; this one takes ResNet50_Weights.IMAGENET1K_V1"
    )


def test_an_unknown_release_is_refused():
    assert message(resnet50, weights="IMAGENET1K_V9") == (
        "weights: torchvision's ResNet50_Weights has no IMAGENET1K_V9; name IMAGENET1K_V1, or give a path"
    )


@pytest.mark.parametrize(
    ("build", "options", "reason"),
    [
        (resnet.resnet50, {}, "theirs have shortcut: B and stride_on: 3x3"),
        (resnet.resnet50, {"stride_on": "3x3", "shortcut": "C"}, "theirs have shortcut: B and stride_on: 3x3"),
        (resnet.resnet18, {}, "theirs are residual with shortcut: B"),
        (resnet.plain34, {"shortcut": "B"}, "theirs are residual with shortcut: B"),
        (resnet.resnet20, {}, "it has none for CIFAR"),
    ],
)
def test_no_release_fits_other_options(build, options, reason):
    assert message(build, weights="IMAGENET1K_V1", **options) == (
        f"weights: no torchvision release fits this network: {reason}"
    )


def test_other_depths_have_no_release():
    assert message(resnet.imagenet_basic, (1, 1, 1, 1), True, shortcut="B", weights="IMAGENET1K_V1") == (
        "weights: no torchvision release fits this network: torchvision has none of 10 layers"
    )


@pytest.mark.parametrize("source", ["IMAGENET1K_V2", "ResNet50_Weights.IMAGENET1K_V2"])
def test_a_failed_download_tells_what_to_fetch(source, monkeypatch):
    def fail(self, *arguments, **options):
        raise urllib.error.URLError("Network is unreachable")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    url = torchvision.models.ResNet50_Weights.IMAGENET1K_V2.url
    assert message(resnet50, weights=source) == (
        "weights: ResNet50_Weights.IMAGENET1K_V2 is not in torch's cache and could not be downloaded "
        "(<urlopen error Network is unreachable>)\n"
        f"fetch {url} elsewhere, and give its path as weights:"
    )


@pytest.mark.parametrize("options", [{}, {"stride_on": "3x3", "pool": "ceil"}])
def test_torchvisions_layout_with_another_option_is_told(options, tmp_path, monkeypatch):
    file = save(torchvision.models.resnet50(num_classes=5).state_dict(), tmp_path / "theirs.pth")
    name, theirs, ours = ("pool", "pad", "ceil") if options else ("stride_on", "3x3", "1x1")
    told = f"weights: {file} (torchvision's ResNet layout) needs {name}: {theirs}, but the network has {ours}"
    # Files of other trainers have the same names and the paper's stride.
    with pytest.warns(UserWarning, match="needs") as caught:
        resnet.resnet50(weights=file, **options)
    assert [str(warning.message) for warning in caught] == [
        f"{told}; unless this file was made with {ours}, its figures will be wrong"
    ]
    # A copy of a release, known by its hash, was certainly not made so.
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(torchvision.models.ResNet50_Weights.IMAGENET1K_V2.value, "url", f"https://x/y-{digest}.pth")
    assert message(resnet.resnet50, weights=file, **options) == (
        f"{told}\nset {name} of the backbone to {theirs}; see docs/public-weights.md"
    )


@pytest.mark.parametrize(("depth", "options"), [(18, {"shortcut": "B"}), (50, {"stride_on": "3x3"})])
def test_a_release_is_read_by_name_with_its_hash_and_without_code(depth, options, monkeypatch):
    asked = []

    def stored(self, *arguments, **options):
        asked.append((self, options))
        return getattr(torchvision.models, f"resnet{depth}")().state_dict()

    monkeypatch.setattr(WeightsEnum, "get_state_dict", stored)
    getattr(resnet, f"resnet{depth}")(weights="IMAGENET1K_V1", **options)
    (release, given) = asked[0]
    assert str(release) == f"ResNet{depth}_Weights.IMAGENET1K_V1"
    assert given["check_hash"]
    assert given["weights_only"]
