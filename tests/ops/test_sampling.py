import pytest
import torch

from lit_vision.errors import InputError
from lit_vision.ops import sampling
from lit_vision.ops.sampling import Sampler


def flags(total, positives, negatives):
    positive, negative = torch.zeros(2, total, dtype=torch.bool)
    positive[:positives] = True
    negative[positives : positives + negatives] = True
    return positive, negative


@pytest.mark.parametrize(
    ("positives", "negatives", "wanted"),
    [
        (300, 5000, (128, 128)),  # enough of both
        (10, 5000, (10, 246)),  # negatives take the place of positives
        (300, 20, (128, 20)),  # positives never take that of negatives
        (0, 5000, (0, 256)),
        (3, 0, (3, 0)),
        (0, 0, (0, 0)),
    ],
)
def test_numbers_of_256_anchors_half_positive(positives, negatives, wanted):
    # Faster R-CNN, Section 3.1.3
    positive, negative = flags(6000, positives, negatives)
    chosen = Sampler(256, 0.5)(positive, negative)
    assert ((chosen & positive).sum().item(), (chosen & negative).sum().item()) == wanted
    assert not (chosen & ~positive & ~negative).any()


def test_a_quarter_of_512_regions():
    positive, negative = flags(2000, 1000, 1000)
    chosen = Sampler(512, 0.25)(positive, negative)
    assert ((chosen & positive).sum().item(), chosen.sum().item()) == (128, 512)


def test_fewer_candidates_than_the_size():
    positive, negative = flags(7, 2, 4)
    assert torch.equal(Sampler(256, 0.5)(positive, negative), positive | negative)
    assert Sampler(256, 0.5)(*torch.zeros(2, 0, dtype=torch.bool)).shape == (0,)


def test_images_of_a_batch_are_drawn_apart():
    positive = torch.stack([flags(100, 50, 50)[0], flags(100, 4, 96)[0]])
    chosen = sampling.balanced(positive, ~positive, 20, 0.5)
    assert (chosen & positive).sum(1).tolist() == [10, 4]
    assert chosen.sum(1).tolist() == [20, 20]


def test_is_a_function_of_the_generator():
    positive, negative = flags(1000, 300, 700)

    def draw(seed):
        return sampling.balanced(positive, negative, 64, 0.5, torch.Generator().manual_seed(seed))

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))
    torch.manual_seed(3)
    first = Sampler(64, 0.5)(positive, negative)
    torch.manual_seed(3)
    assert torch.equal(Sampler(64, 0.5)(positive, negative), first)


def test_every_candidate_is_as_likely():
    positive, negative = flags(20, 10, 10)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([sampling.balanced(positive, negative, 10, 0.5, generator) for _ in range(2000)])
    # Half of each; five standard deviations of a binomial are 0.056
    assert (draws.float().mean(0) - 0.5).abs().max() < 0.056


@pytest.mark.parametrize(("size", "fraction"), [(0, 0.5), (10, 1.5), (10, -0.1)])
def test_bad_options_are_told(size, fraction):
    told = rf"^sampling: needs size >= 1 and a fraction in 0\.\.1, got size {size}, fraction {fraction}$"
    with pytest.raises(InputError, match=told):
        Sampler(size, fraction)
