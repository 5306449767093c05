import hashlib
import re
from pathlib import Path

import pytest
import torch
from torchvision.models import WeightsEnum, get_weight, resnet50
from torchvision.models.detection import (
    FasterRCNN_ResNet50_FPN_Weights,
    RetinaNet_ResNet50_FPN_Weights,
    fasterrcnn_resnet50_fpn,
    retinanet_resnet50_fpn,
)

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.faster_rcnn import FasterRCNN
from lit_vision.models.pyramid import Pyramid
from lit_vision.models.retinanet import RetinaNet
from lit_vision.models.rpn import RPN

# COCO's first category is 1 (person), its eightieth 90 (toothbrush); 12 and others are missing
CATEGORIES = RetinaNet_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
IDS = [number for number, name in enumerate(CATEGORIES) if name not in ("__background__", "N/A")]


@pytest.fixture(scope="module")
def states():
    """torchvision's state dicts with 91 outputs, the class layers' rows numbered."""
    torch.manual_seed(0)
    retina = retinanet_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    faster = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    retina["head.classification_head.cls_logits.bias"] = torch.arange(91.0).repeat(9)
    faster["roi_heads.box_predictor.cls_score.bias"] = torch.arange(91.0)
    faster["roi_heads.box_predictor.bbox_pred.bias"] = torch.arange(91.0).repeat_interleave(4)
    return {"retinanet": without_counters(retina), "faster_rcnn": without_counters(faster)}


def without_counters(state):
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def retinanet(classes=80, weights=None, backbone=None, top_input="P5"):
    backbone = backbone or resnet.resnet50(stride_on="3x3", norm="frozen")
    return RetinaNet(Pyramid(backbone, range(3, 8), top="conv", top_input=top_input), classes, weights=weights)


def pyramid():
    return Pyramid(resnet.resnet50(stride_on="3x3", norm="frozen"), range(2, 7))


def saved(state, tmp_path, name="file.pth"):
    torch.save(state, tmp_path / name)
    return str(tmp_path / name)


def release(monkeypatch, state):
    """Let torchvision's releases be this state, and name them: files of 150 MB are slow on some disks."""
    for enum in (RetinaNet_ResNet50_FPN_Weights, FasterRCNN_ResNet50_FPN_Weights):
        monkeypatch.setattr(enum, "get_state_dict", lambda self, **options: dict(state))
    return "COCO_V1"


@pytest.fixture(scope="module")
def retina_file(states, tmp_path_factory):
    return saved(states["retinanet"], tmp_path_factory.mktemp("weights"))


def test_retinanet_s_91_outputs_become_80_classes(states, retina_file):
    net = retinanet(weights=retina_file)
    assert len(IDS) == 80
    assert (IDS[0], IDS[11], IDS[-1]) == (1, 13, 90)
    assert net.head.cls[-1].bias.tolist() == IDS * 9
    weight = states["retinanet"]["head.classification_head.cls_logits.weight"].view(9, 91, 256, 3, 3)
    assert torch.equal(net.head.cls[-1].weight.view(9, 80, 256, 3, 3), weight[:, IDS])
    theirs = states["retinanet"]
    assert torch.equal(net.pyramid.top["7"].weight, theirs["backbone.fpn.extra_blocks.p7.weight"])
    assert torch.equal(net.pyramid.lateral["3"].weight, theirs["backbone.fpn.inner_blocks.0.0.weight"])
    assert torch.equal(net.head.box[6].weight, theirs["head.regression_head.conv.3.0.weight"])


def test_faster_rcnn_s_background_becomes_the_last(monkeypatch, states):
    net = FasterRCNN(pyramid(), 80, weights=release(monkeypatch, states["faster_rcnn"]))
    assert net.regions.head.cls.bias.tolist() == [*IDS, 0]
    assert net.regions.head.box.bias.tolist() == [row for row in [*IDS, 0] for _ in range(4)]
    theirs = states["faster_rcnn"]
    assert torch.equal(net.proposals.head.conv.weight, theirs["rpn.head.conv.0.0.weight"])
    assert torch.equal(net.pyramid.smooth["5"].weight, theirs["backbone.fpn.layer_blocks.3.0.weight"])


def test_rpn_takes_a_faster_rcnn_s_first_stage(monkeypatch, states):
    net = RPN(pyramid(), 80, weights=release(monkeypatch, states["faster_rcnn"]))
    assert torch.equal(net.proposals.head.cls.weight, states["faster_rcnn"]["rpn.head.cls_logits.weight"])


def old_names(state):
    """The names that torchvision's published files have: without the wrapped activations."""
    old = {}
    for key, value in state.items():
        key = re.sub(
            r"(classification_head|regression_head)\.conv\.(\d)\.0", lambda m: f"{m[1]}.conv.{2 * int(m[2])}", key
        )
        key = re.sub(r"(inner_blocks|layer_blocks)\.(\d)\.0", r"\1.\2", key)
        old[key.replace("rpn.head.conv.0.0", "rpn.head.conv")] = value
    return old


@pytest.mark.parametrize(
    ("kind", "build"),
    [("retinanet", retinanet), ("faster_rcnn", lambda **options: FasterRCNN(pyramid(), 80, **options))],
)
def test_old_and_new_names_are_the_same(monkeypatch, states, kind, build):
    old = old_names(states[kind])
    assert set(old) != set(states[kind])
    one = build(weights=release(monkeypatch, states[kind])).state_dict()
    other = build(weights=release(monkeypatch, old)).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_as_many_outputs_as_classes_and_background(monkeypatch, states):
    net = FasterRCNN(pyramid(), 90, weights=release(monkeypatch, states["faster_rcnn"]))
    assert net.regions.head.cls.bias.tolist() == [*range(1, 91), 0]
    retina = release(monkeypatch, states["retinanet"])
    assert retinanet(91, retina).head.cls[-1].bias.tolist() == [*range(91)] * 9
    assert retinanet(90, retina).head.cls[-1].bias.tolist() == [*range(1, 91)] * 9


def test_other_classes_start_afresh_and_say_so(monkeypatch, states):
    name = release(monkeypatch, states["retinanet"])
    with pytest.warns(UserWarning, match=r"^COCO_V1 has 91 outputs for classes, the data 20 classes: head\.cls\.8 st"):
        net = retinanet(20, name)
    assert net.head.cls[-1].bias.unique().tolist() == [pytest.approx(-4.595, abs=1e-3)]
    assert torch.equal(net.head.box[-1].weight, states["retinanet"]["head.regression_head.bbox_reg.weight"])
    name = release(monkeypatch, states["faster_rcnn"])
    with pytest.warns(UserWarning, match=r"20 classes: regions\.head\.cls and regions\.head\.box start afresh$"):
        net = FasterRCNN(pyramid(), 20, weights=name)
    assert net.regions.head.cls.bias.count_nonzero() == 0


def small(classes=3, weights=None):
    return RetinaNet(Pyramid(resnet.resnet18(), range(3, 8), channels=8, top="conv"), classes, weights=weights)


@pytest.mark.parametrize("wrap", ["plain", "checkpoint"])
def test_our_own_files(tmp_path, wrap):
    source = small()
    state = source.state_dict()
    if wrap == "checkpoint":
        metric = {"test_metrics.0.seen": torch.zeros(1)}
        state = {"state_dict": {f"network.{key}": value for key, value in state.items()} | metric}
    copy = small(weights=saved(state, tmp_path))
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in copy.state_dict().items())


def test_our_own_file_of_other_classes(tmp_path):
    source = small(3)
    with pytest.warns(UserWarning, match=r"has 3 outputs for classes, the data 5 classes: head\.cls\.8 start afresh"):
        other = small(5, saved(source.state_dict(), tmp_path))
    assert torch.equal(other.head.cls[0].weight, source.head.cls[0].weight)
    source = FasterRCNN.example()  # three classes and background
    with pytest.warns(UserWarning, match="has 4 outputs for classes, the data 4 classes"):
        FasterRCNN(
            Pyramid(resnet.resnet18(), range(2, 7), channels=32), 4, weights=saved(source.state_dict(), tmp_path)
        )


def test_the_data_s_normalisation_stays(tmp_path):
    source = small()
    source.normalise.set((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))
    copy = small(weights=saved(source.state_dict(), tmp_path))
    assert copy.normalise.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@pytest.mark.parametrize("name", ["COCO_V1", "RetinaNet_ResNet50_FPN_Weights.COCO_V1"])
def test_release_by_name_computes_without_epsilon(monkeypatch, states, name):
    state = states["retinanet"] | {
        key: torch.full_like(value, 3e-5)
        for key, value in states["retinanet"].items()
        if key.endswith("bn1.running_var")
    }
    release(monkeypatch, state)
    net = retinanet(weights=name)
    body = resnet50(weights=None, norm_layer=type(net.pyramid.backbone.stem.norm))
    body.load_state_dict({k.removeprefix("backbone.body."): v for k, v in state.items() if ".body." in k}, strict=False)
    body.bn1.eps = 0.0  # as torchvision does for this release
    x = torch.randn(1, 64, 8, 8)
    torch.testing.assert_close(net.pyramid.backbone.stem.norm(x), body.bn1(x))
    body.bn1.eps = 1e-5
    assert (net.pyramid.backbone.stem.norm(x) - body.bn1(x)).abs().max() > 1


def test_a_copy_of_a_release_is_known_by_its_hash(monkeypatch, retina_file):
    digest = hashlib.sha256(Path(retina_file).read_bytes()).hexdigest()
    plain = retinanet(weights=retina_file).pyramid.backbone.stem.norm.weight
    released = RetinaNet_ResNet50_FPN_Weights.COCO_V1.value
    monkeypatch.setattr(released, "url", f"https://download.pytorch.org/models/retinanet-{digest[:8]}.pth")
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, **options: pytest.fail("the file is there"))
    known = retinanet(weights=retina_file).pyramid.backbone.stem.norm.weight
    torch.testing.assert_close(known, plain * (1 + 1e-5) ** 0.5)


def test_releases_have_a_hash_in_their_name():
    for enum in (RetinaNet.public.release, FasterRCNN.public.release):
        assert re.search(r"-[0-9a-f]{8}\.pth$", get_weight(f"{enum}.COCO_V1").url)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("DEFAULT", "weights: DEFAULT changes with torchvision's version; name RetinaNet_ResNet50_FPN_Weights.COCO_V1"),
        (
            "COCO_V9",
            "weights: torchvision's RetinaNet_ResNet50_FPN_Weights has no COCO_V9; name COCO_V1, or give a path",
        ),
        (
            "RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1",
            "weights: RetinaNet_ResNet50_FPN_V2_Weights belongs to another network; "
            "this one takes RetinaNet_ResNet50_FPN_Weights.COCO_V1",
        ),
        ("no/such/file", "weights: no file 'no/such/file'; give a path or a torchvision name such as COCO_V1"),
    ],
)
def test_bad_names_are_told(name, told):
    with pytest.raises(InputError) as error:
        retinanet(weights=name)
    assert str(error.value) == told


def test_networks_without_a_release_are_told():
    with pytest.raises(InputError, match="torchvision releases RetinaNet on ResNet-50 only; give the path of a file"):
        retinanet(weights="COCO_V1", backbone=resnet.resnet101(stride_on="3x3", norm="frozen"))
    with pytest.raises(InputError, match="theirs have shortcut: B and stride_on: 3x3"):
        retinanet(weights="COCO_V1", backbone=resnet.resnet50(norm="frozen"))


def test_unreachable_release_is_told(monkeypatch):
    def fail(self, **options):
        raise OSError("no route")

    monkeypatch.setattr(RetinaNet_ResNet50_FPN_Weights, "get_state_dict", fail)
    with pytest.raises(InputError) as error:
        retinanet(weights="COCO_V1")
    first, second = str(error.value).splitlines()
    assert first.endswith("COCO_V1 is not in torch's cache and could not be downloaded (no route)")
    assert second.startswith("fetch https://download.pytorch.org/models/retinanet_resnet50_fpn_coco-")


def test_misfits_are_told(retina_file):
    with pytest.raises(InputError, match=r"does not fit this network: 1 of another shape \(pyramid\.top\.6\.weight"):
        retinanet(weights=retina_file, top_input="C5")
    with pytest.raises(InputError, match=r"missing .*unexpected"):
        FasterRCNN(pyramid(), 80, weights=retina_file)
