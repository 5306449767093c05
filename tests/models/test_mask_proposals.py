"""Mask proposals: what is sampled and lost, by hand; sparse and dense answers agree; what is found has masks."""

import math

import pytest
import torch
from torch import nn

from lit_vision.errors import InputError
from lit_vision.models.backbones import resnet
from lit_vision.models.heads.mask import MaskHead
from lit_vision.models.mask_proposals import MaskProposals
from lit_vision.models.pyramid import Pyramid
from lit_vision.ops import mask
from lit_vision.ops.sampling import Sampler
from lit_vision.ops.window import Windows
from lit_vision.types import Batch, Target

SIZE = torch.tensor([64, 96])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def target(*boxes, masks=True):
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    flags = torch.zeros(len(corners), dtype=torch.bool)
    pixels = torch.zeros(len(corners), 64, 96, dtype=torch.bool)
    for outline, (x1, y1, x2, y2) in zip(pixels, corners.long().tolist(), strict=True):
        outline[y1:y2, x1:x2] = True
    made = Target(
        corners, flags.long(), flags, flags, torch.ones(len(corners)), torch.tensor(1), SIZE, corners.double()
    )
    return made._replace(masks=pixels) if masks else made


def network(**options):
    options = {"windows": Windows((5, 7)), "sampler": Sampler(10_000, 1.0)} | options
    pyramid = Pyramid(resnet.resnet18(), range(2, 7), channels=8)
    return MaskProposals(pyramid, head=lambda channels, cells: MaskHead(channels, cells, 16, 4), **options).eval()


def batch(*targets):
    images = torch.randint(0, 256, (len(targets), 3, 64, 96), dtype=torch.uint8)
    return Batch(images, SIZE.expand(len(targets), 2), list(targets))


@pytest.mark.parametrize("window", [1, 5, 7])
def test_a_head_says_the_same_of_some_cells_and_of_all(window):
    head = MaskHead(6, window, width=8, size=3)
    feature = torch.randn(2, 6, 5, 9)
    cells = torch.arange(45).repeat(2)
    scores, masks = head.at(feature, torch.arange(2).repeat_interleave(45), cells)
    torch.testing.assert_close(scores, head({3: feature}).flatten())
    dense = head.mask(torch.relu(head.conv(feature))).permute(0, 2, 3, 1).reshape(90, 3, 3)
    torch.testing.assert_close(masks, dense)


def test_parameters_are_those_of_the_paper_s_layers():
    # 5x5 convolution from 128 channels to 512, then 14 x 14 outputs and one (fact sheet, A.5)
    count = sum(parameter.numel() for parameter in MaskHead(128, 5).parameters())
    assert count == (25 * 128 + 1) * 512 + (512 + 1) * 196 + (512 + 1)
    assert MaskHead(128, 7, size=28).mask.out_channels == 784


def silent(net, score=0.0, outline=0.0):
    """Heads that answer everything alike."""
    with torch.no_grad():
        for head in net.heads:
            for layer in (head.conv, head.cls, head.mask):
                layer.weight.zero_()
            head.cls.bias.fill_(score)
            head.mask.bias.fill_(outline)
    return net


def test_losses_by_hand():
    # All places are sampled. The object has 32 pixels and its centre on a cell of P2: nine places of 5x5 are positive
    data = batch(target([16, 16, 48, 48]), target())
    net = silent(network(), score=2.0, outline=-1.0)
    places = net.windows.places(net.extract(data.images, data.sizes))
    total, positive = 2 * len(places.centres), 9
    losses = net.loss(data)
    yes, no = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert losses["cls"].item() == pytest.approx((positive * yes + (total - positive) * no) / total, rel=1e-5)
    on = [
        mask.crop(data.targets[0].masks, torch.tensor([0]), torch.tensor([[x - 20.0, y - 20, x + 20, y + 20]]), 4)
        for y in (28, 32, 36)
        for x in (28, 32, 36)
    ]
    share = torch.cat(on).float().mean().item()
    assert 0.4 < share < 1
    wanted = share * math.log(1 + math.exp(1)) + (1 - share) * math.log(1 + math.exp(-1))
    assert losses["mask"].item() == pytest.approx(10 * wanted, rel=1e-5)


def test_the_mask_s_weight_and_what_is_sampled():
    data = batch(target([16, 16, 48, 48]))
    one, ten = (silent(network(mask_weight=weight)).loss(data)["mask"] for weight in (1.0, 10.0))
    assert ten.item() == pytest.approx(10 * one.item())

    class Chosen:
        def __call__(self, positive, negative):
            assert (positive.sum(), (positive & negative).sum()) == (9, 0)
            assert (positive | negative).all()
            return torch.zeros_like(positive)

    losses = network(sampler=Chosen()).loss(data)
    assert (losses["cls"].item(), losses["mask"].item()) == (0, 0)


def test_crowds_are_no_objects_and_padding_is_no_place():
    net, seen = network(), []

    class Look(Sampler):
        def __call__(self, positive, negative):
            seen.append((positive.sum(1).tolist(), negative.sum(1).tolist()))
            return super().__call__(positive, negative)

    net.sampler = Look(8, 0.25)
    crowd = target([16, 16, 48, 48])._replace(crowd=torch.tensor([True]))
    data = batch(crowd, target([16, 16, 48, 48]))
    net.loss(data._replace(sizes=torch.tensor([[64, 96], [32, 48]])))
    whole = sum(-(-64 // 2**level) * -(-96 // 2**level) for level in range(2, 7)) * 2
    inside = sum(-(-32 // 2**level) * -(-48 // 2**level) for level in range(2, 7)) * 2
    # Of the nine places around 32, 32 the second image ends below the first row
    assert seen == [([0, 3], [whole, inside - 3])]


def test_data_without_masks_are_told():
    told = "^mask proposals learn from the objects' masks, and the data keep none; set data.masks to true$"
    with pytest.raises(InputError, match=told):
        network().loss(batch(target([0, 0, 9, 9], masks=False)))
    network().loss(batch(target(masks=False)))


def test_masks_are_found_at_the_best_places():
    net, data = network(limit=50), batch(target(), target())
    with torch.no_grad():
        for head in net.heads:
            nn.init.normal_(head.cls.weight, std=0.5)
    sizes = torch.tensor([[64, 96], [40, 96]])
    for found, size in zip(net.detect(data.images, sizes), sizes, strict=True):
        assert (found.masks.shape, found.windows.shape) == ((50, 4, 4), (50, 4))
        assert 0 <= found.masks.min() <= found.masks.max() <= 1
        middles = (found.windows[:, :2] + found.windows[:, 2:]) / 2
        assert (middles < size.flip(0)).all()
    features = net.extract(data.images, sizes)
    scores = torch.cat([head(features) for head in net.heads], 1).sigmoid()
    best = net.detect(data.images, sizes)[0].scores
    assert torch.allclose(best, scores[0].sort(descending=True).values[:50], atol=1e-6)
    candidates = net.candidates(features, (64, 96), sizes)
    assert [len(each.scores) for each in net.select(candidates)] == [50, 50]  # none suppresses another


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: MaskHead(8, 4), "^mask head: a window needs an odd number of cells, from 1 on; got 4$"),
        (lambda: MaskHead(8, 5, size=0), "^mask head: width is 512 and size 0; both must be at least 1$"),
        (lambda: network(mask_weight=-1.0), "mask_weight must be at least 0 and limit at least 1, got -1.0 and 1000$"),
        (lambda: network(limit=0), "got 10.0 and 0$"),
    ],
)
def test_numbers_out_of_range(build, told):
    with pytest.raises(InputError, match=told):
        build()


def test_a_head_learns_to_outline():
    """A few steps on one image: masks at the best places are the object's."""
    data = batch(target([16, 16, 48, 40]))
    net = network(windows=Windows((5,)), sampler=Sampler(64, 0.25)).train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(40):
        loss = sum(net.loss(data).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = net.eval().detect(data.images, data.sizes)[0]
    seen = mask.paste(found.masks[:1], found.windows[:1], 64, 96)[0]
    truth = data.targets[0].masks[0]
    assert (seen & truth).sum() / (seen | truth).sum() > 0.6
