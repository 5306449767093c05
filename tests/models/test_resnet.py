import functools
import math

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models import counts
from lit_vision.models.backbones import resnet
from lit_vision.models.backbones.blocks import Block, PadShortcut
from lit_vision.models.classifier import Classifier
from lit_vision.models.normalise import Normalise

BLOCKS = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18, 1202: 200}  # 6n + 2 layers (Section 4.2)


def build(name, **options):
    return getattr(resnet, name)(**options)


@functools.cache
def hollow(name, classes, **options):
    """A classifier of shapes alone: nothing is drawn, so that the deepest nets cost nothing."""
    normalise = Normalise()
    with torch.device("meta"):
        return Classifier(build(name, **options), classes, normalise)


def blocks(net):
    return [module for module in net.modules() if isinstance(module, Block)]


# Fact sheet, Section 1.4; the totals with option B are those that torchvision documents.
IMAGENET_PARAMETERS = [
    ("plain18", {}, 11_515_688),
    ("plain34", {}, 21_623_848),
    ("resnet18", {"shortcut": "A"}, 11_515_688),
    ("resnet34", {"shortcut": "A"}, 21_623_848),
    ("resnet18", {"shortcut": "B"}, 11_689_512),
    ("resnet34", {"shortcut": "B"}, 21_797_672),
    ("resnet50", {"shortcut": "B"}, 25_557_032),
    ("resnet101", {"shortcut": "B"}, 44_549_160),
    ("resnet152", {"shortcut": "B"}, 60_192_808),
    ("resnext101_32x8d", {}, 88_791_336),  # as torchvision documents
    ("resnet18", {"shortcut": "C"}, 12_043_816),
    ("resnet34", {"shortcut": "C"}, 22_716_840),
    ("resnet50", {"shortcut": "C"}, 40_128_552),
    ("resnet101", {"shortcut": "C"}, 76_981_288),
    ("resnet152", {"shortcut": "C"}, 107_335_720),
]


@pytest.mark.parametrize(("name", "options", "expected"), IMAGENET_PARAMETERS)
def test_parameters_of_imagenet_nets(name, options, expected):
    assert counts.parameters(hollow(name, 1000, **options)) == expected


# Fact sheet, Section 1.5. Without shortcut parameters a plain net is as large as a residual one.
CIFAR_PARAMETERS = [
    (20, 269_722, 272_474),
    (32, 464_154, 466_906),
    (44, 658_586, 661_338),
    (56, 853_018, 855_770),
    (110, 1_727_962, 1_730_714),
    (1202, 19_421_274, 19_424_026),
]


@pytest.mark.parametrize(("depth", "option_a", "option_b"), CIFAR_PARAMETERS)
def test_parameters_of_cifar_nets(depth, option_a, option_b):
    assert counts.parameters(hollow(f"resnet{depth}", 10)) == option_a
    assert counts.parameters(hollow(f"resnet{depth}", 10, shortcut="B")) == option_b
    if depth != 1202:  # the paper has no plain net of that depth
        assert counts.parameters(hollow(f"plain{depth}", 10)) == option_a


def test_a_cifar100_head_adds_5850_parameters():
    # 90 more rows of 64 weights and a bias: 90 * 65
    assert counts.parameters(hollow("resnet20", 100)) - counts.parameters(hollow("resnet20", 10)) == 5850


# Fact sheet, Section 1.4, in 1e9 at 224 pixels; Table 1 of the paper prints 1.8, 3.6, 3.8, 7.6, 11.3.
MULTIPLY_ADDS = [
    ("resnet18", {"shortcut": "B"}, 1.814),
    ("resnet34", {"shortcut": "B"}, 3.664),
    ("resnet50", {"stride_on": "1x1"}, 3.858),
    ("resnet50", {"stride_on": "3x3"}, 4.089),
    ("resnet101", {"stride_on": "1x1"}, 7.570),
    ("resnet101", {"stride_on": "3x3"}, 7.801),
    ("resnet152", {"stride_on": "1x1"}, 11.282),
    ("resnet152", {"stride_on": "3x3"}, 11.514),
]


@pytest.mark.parametrize(("name", "options", "expected"), MULTIPLY_ADDS)
def test_multiply_adds_of_imagenet_nets(name, options, expected):
    assert round(counts.multiply_adds(hollow(name, 1000, **options), (224, 224)) / 1e9, 3) == expected


@pytest.mark.parametrize(
    ("depth", "expected"), [(20, 40.6), (32, 68.9), (44, 97.2), (56, 125.5), (110, 252.9), (1202, 2829)]
)
def test_multiply_adds_of_cifar_nets(depth, expected):
    millions = counts.multiply_adds(hollow(f"resnet{depth}", 10), (32, 32)) / 1e6
    assert round(millions, 1 if depth < 1000 else 0) == expected


def test_the_stride_is_on_the_1x1_convolution_unless_told():
    def strides(**options):
        block = hollow("resnet50", 1000, **options).backbone.stages["3"][0]
        return [conv.stride[0] for conv in (block.conv1, block.conv2, block.conv3, block.shortcut.conv)]

    assert strides() == strides(stride_on="1x1") == [2, 1, 1, 2]
    assert strides(stride_on="3x3") == [1, 2, 1, 2]


NETS = [("plain18", 18), ("plain34", 34), *((f"resnet{depth}", depth) for depth in (18, 34, 50, 101, 152, *BLOCKS))]
NETS += [(f"plain{depth}", depth) for depth in BLOCKS if depth != 1202]


@pytest.mark.parametrize(("name", "depth"), NETS)
def test_depth_is_convolutions_and_the_last_layer_without_projections(name, depth):
    net = hollow(name, 10)
    layers = [key for key, module in net.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sum("shortcut" not in key for key in layers) == depth


def test_figure_3_plain_34_and_residual_34_have_the_same_layers():
    plain = {key: value.shape for key, value in hollow("plain34", 1000).state_dict().items()}
    residual = {key: value.shape for key, value in hollow("resnet34", 1000).state_dict().items()}
    assert plain == residual


def test_plain_nets_have_no_shortcut():
    net = build("plain20")
    assert [block.shortcut for block in blocks(net)] == [None] * 9
    # Without shortcut a block whose last scale and shift are zero forgets its input.
    block = blocks(net)[0].eval()
    nn.init.zeros_(block.last_norm.weight)
    assert torch.equal(block(torch.randn(1, 16, 4, 4)), torch.zeros(1, 16, 4, 4))


@pytest.mark.parametrize(
    ("name", "options", "kinds"),
    [
        # two blocks per level, the first of levels 3 to 5 halves the resolution
        ("resnet18", {}, ["Identity", "Identity"] + ["PadShortcut", "Identity"] * 3),
        ("resnet18", {"shortcut": "B"}, ["Identity", "Identity"] + ["Sequential", "Identity"] * 3),
        ("resnet18", {"shortcut": "C"}, ["Sequential"] * 8),
        # the first bottleneck widens 64 to 256 channels; 3, 4, 6, 3 blocks
        ("resnet50", {}, [kind for n in (3, 4, 6, 3) for kind in ["Sequential"] + ["Identity"] * (n - 1)]),
    ],
)
def test_shortcut_options(name, options, kinds):
    assert [type(block.shortcut).__name__ for block in blocks(hollow(name, 1000, **options))] == kinds


def test_option_a_pads_zeros_at_the_end_or_on_both_sides():
    x = torch.arange(2 * 3 * 3, dtype=torch.float32).reshape(1, 2, 3, 3) + 1
    # every second pixel of [[1 2 3] [4 5 6] [7 8 9]] and of the same plus 9
    kept = torch.tensor([[[1.0, 3.0], [7.0, 9.0]], [[10.0, 12.0], [16.0, 18.0]]])
    zero = torch.zeros(2, 2, 2)
    assert torch.equal(PadShortcut(2, 6, 2, "end")(x)[0], torch.cat([kept, zero, zero]))
    assert torch.equal(PadShortcut(2, 6, 2, "both")(x)[0], torch.cat([zero, kept, zero]))


@pytest.mark.parametrize(("pad", "padding"), [("end", (0, 16)), ("both", (8, 8))])
def test_pad_reaches_the_blocks(pad, padding):
    assert hollow("resnet20", 10, pad=pad).backbone.stages["1"][0].shortcut.channels == (0, 0, 0, 0, *padding)


def stem(pool):
    torch.manual_seed(0)
    return build("resnet18", pool=pool).stem.eval()


def test_pools_give_equal_sizes_at_224_but_other_values():
    images = torch.randn(1, 3, 224, 224)
    padded, ceil = stem("pad")(images), stem("ceil")(images)
    assert padded.shape == ceil.shape == (1, 64, 56, 56)
    assert not torch.equal(padded, ceil)


@pytest.mark.parametrize(
    ("size", "padded", "ceil"),
    # the convolution leaves 16, 16, 17, 17; 17 has a ninth window only with padding on its left
    [(32, 8, 8), (31, 8, 8), (33, 9, 8), (34, 9, 8)],
)
def test_pools_differ_by_a_pixel_after_an_odd_map(size, padded, ceil):
    images = torch.zeros(1, 3, size, size)
    assert [stem(pool)(images).shape[-1] for pool in ("pad", "ceil")] == [padded, ceil]


def test_pools_by_hand():
    row = torch.arange(1.0, 7.0).expand(1, 1, 6, 6)
    # pad: windows (-1, 0, 1), (1, 2, 3), (3, 4, 5); ceil, as in Caffe: (0, 1, 2), (2, 3, 4), (4, 5)
    assert stem("pad").pool(row)[0, 0, 0].tolist() == [2, 4, 6]
    assert stem("ceil").pool(row)[0, 0, 0].tolist() == [3, 5, 6]


@pytest.mark.parametrize("option", ["A", "B", "C"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_zero_init_starts_each_block_as_its_rectified_shortcut(name, option):
    net = build(name, shortcut=option, zero_init=True)
    for block in blocks(net)[:4]:  # in both nets these reach the first with stride 2
        inputs = block.conv1.in_channels
        x = torch.randn(2, inputs, 5, 5)
        assert torch.equal(block(x), torch.relu(block.shortcut(x)))
    assert all(block.last_norm.weight.abs().sum() == 0 for block in blocks(net))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("plain20", {}, "zero_init: a plain net has no shortcuts, so that its output would stay zero; leave it out"),
        (
            "resnet20",
            {"norm": "frozen"},
            "zero_init: norm: frozen would never train the scales away from zero; leave zero_init out",
        ),
    ],
)
def test_zero_init_is_refused_where_it_would_kill_the_network(name, options, message):
    with pytest.raises(InputError) as caught:
        build(name, zero_init=True, **options)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"shortcut": "D"}, "shortcut: 'D' is unknown; choose one of A, B, C"),
        ("plain18", {"shortcut": "b"}, "shortcut: 'b' is unknown; choose one of A, B, C"),
        ("resnet20", {"shortcut": "C"}, "shortcut: 'C' is unknown; choose one of A, B"),
        ("resnet50", {"pad": "start"}, "pad: 'start' is unknown; choose one of end, both"),
        ("resnet20", {"pad": "Both"}, "pad: 'Both' is unknown; choose one of end, both"),
        ("resnet18", {"pool": "caffe"}, "pool: 'caffe' is unknown; choose one of pad, ceil"),
        ("resnet50", {"stride_on": "1"}, "stride_on: '1' is unknown; choose one of 1x1, 3x3"),
        ("resnet50", {"norm": "batch"}, "norm: 'batch' is unknown; choose one of bn, sync, frozen, gn"),
    ],
)
def test_an_unknown_choice_is_refused_also_in_plain_python(name, options, message):
    with pytest.raises(InputError) as caught:
        build(name, **options)
    assert str(caught.value) == message


def test_without_zero_init_all_scales_start_at_one():
    assert all(block.last_norm.weight.eq(1).all() for block in blocks(build("resnet20")))


def test_convolutions_start_with_the_fan_out_form_of_he():
    torch.manual_seed(0)
    for module in build("resnet18").modules():
        # Eq. 14: Var = 2 / (k * k * outputs); the standard error of a std over n values is std / sqrt(2 n)
        if isinstance(module, nn.Conv2d):
            expected = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            assert module.weight.std().item() == pytest.approx(expected, rel=4 / math.sqrt(2 * module.weight.numel()))


def test_levels_and_channels_of_table_1():
    with torch.device("meta"):
        assert build("resnet34").channels == {2: 64, 3: 128, 4: 256, 5: 512}
        assert build("resnet50").channels == {2: 256, 3: 512, 4: 1024, 5: 2048}
        assert build("plain20").channels == {0: 16, 1: 32, 2: 64}
        features = build("resnet50")(torch.empty(2, 3, 224, 224))
    assert [tuple(features[level].shape) for level in (2, 3, 4, 5)] == [
        (2, 256, 56, 56),
        (2, 512, 28, 28),
        (2, 1024, 14, 14),
        (2, 2048, 7, 7),
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain20", {}),
        ("resnet20", {"pad": "both"}),
        ("resnet20", {"shortcut": "B", "norm": "gn"}),
        ("plain18", {}),
        ("resnet18", {"pool": "ceil"}),
        ("resnet18", {"shortcut": "C", "norm": "sync"}),
        ("resnet50", {"shortcut": "A"}),
        ("resnet50", {"stride_on": "3x3", "norm": "frozen"}),
    ],
)
def test_gradients_reach_all_trainable_parameters(name, options):
    torch.manual_seed(0)
    net = Classifier(build(name, **options), 10)
    loss = net(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)).logsumexp(1).sum()
    loss.backward()
    still = [key for key, p in net.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert still == []


def statistics(module):
    return {key: value.clone() for key, value in module.state_dict().items() if "running" in key or "tracked" in key}


def moved(net, before):
    """Names of the norm layers whose statistics have changed."""
    after = statistics(net)
    return {key.rpartition(".")[0] for key in before if not torch.equal(before[key], after[key])}


def test_frozen_levels_have_no_gradients_and_keep_their_statistics():
    torch.manual_seed(0)
    net = build("resnet20")
    net.freeze([0, 1])
    before = statistics(net)
    features = net.train()(torch.randn(4, 3, 16, 16))
    features[2].square().sum().backward()
    for part in (net.stem, net.stages["0"], net.stages["1"]):
        assert not any(p.requires_grad or p.grad is not None for p in part.parameters())
    assert all(p.grad is not None for p in net.stages["2"].parameters())
    assert moved(net, before) == {f"stages.2.{block}.norm{number}" for block in range(3) for number in (1, 2)}


def test_the_lowest_level_includes_the_stem_which_freezes_alone_one_level_below():
    def frozen(levels):
        net = build("resnet18", frozen_levels=levels)
        return {key.removeprefix("stages.")[0] for key, p in net.named_parameters() if not p.requires_grad}

    assert frozen([2]) == {"s", "2"}
    assert frozen([1]) == {"s"}
    assert frozen([3]) == {"3"}
    assert frozen([]) == set()


def test_frozen_levels_stay_frozen_inside_a_classifier_in_training():
    net = Classifier(build("resnet20", frozen_levels=[0]), 10)
    before = statistics(net)
    net.eval().train()(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert {key.removeprefix("backbone.stages.")[0] for key in moved(net, before)} == {"1", "2"}


def test_freezing_twice_adds_up():
    net = build("resnet20", frozen_levels=[0])
    net.freeze([2])
    assert {key.split(".")[1] for key, p in net.named_parameters() if p.requires_grad} == {"1"}


def test_an_unknown_level_cannot_be_frozen():
    with pytest.raises(InputError, match=r"^cannot freeze level 6: ResNet has levels \[1, 2, 3, 4, 5\]$"):
        build("resnet18", frozen_levels=[2, 6])


def test_norm_reaches_every_layer():
    with torch.device("meta"):
        net = build("resnet18", norm="gn")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert sum(isinstance(module, nn.GroupNorm) for module in net.modules()) == 17  # one per 3x3 convolution, and stem
