import pytest
import torch

from lit_vision.data.pipelines.sampler import Draw, EvalBatches, TrainBatches, generator, micro_size
from lit_vision.errors import InputError

WORLDS = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2)]


def indices(batches):
    return [part.tolist() for _, part in batches.indices()]


def at(position, *arguments, **options):
    batches = TrainBatches(*arguments, **options)
    batches.position = lambda: position
    return batches


def test_order_is_a_pure_function_of_seed_and_epoch():
    first = TrainBatches(100, 10, seed=3).order(2)
    torch.manual_seed(99)
    again = TrainBatches(100, 10, seed=3, rank=1, world_size=2).order(2)
    assert torch.equal(first, again)
    assert sorted(first.tolist()) == list(range(100))


def test_order_differs_between_epochs_and_seeds():
    orders = {tuple(TrainBatches(100, 10, seed=seed).order(epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_neighbouring_keys_have_unrelated_generators():
    states = {
        generator(*key).initial_seed() for key in [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (0, 0, 0), (-1,)]
    }
    assert len(states) == 9
    # (seed, epoch) must not be symmetric, or seed 1 epoch 2 were seed 2 epoch 1
    assert generator(1, 2).initial_seed() != generator(2, 1).initial_seed()
    draws = torch.stack([torch.rand(8, generator=generator(0, step)) for step in range(500)])
    assert torch.corrcoef(draws[:-1].T @ draws[1:]).isfinite().all()
    assert draws.mean() == pytest.approx(0.5, abs=0.02)  # standard error 0.29 / sqrt(4000) = 0.005
    neighbours = ((draws[:-1] - 0.5) * (draws[1:] - 0.5)).mean() * 12
    assert neighbours == pytest.approx(0, abs=0.06)  # correlation, standard error 1 / sqrt(3992) = 0.016


def test_generator_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    list(TrainBatches(50, 10, seed=1))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("position", [(0, 0), (0, 3), (4, 1), (4, 6), (4, 7)])
def test_starts_at_any_batch(position):
    epoch, start = position
    whole = indices(at((epoch, 0), 70, 10, seed=5))
    assert len(whole) == 7
    assert indices(at(position, 70, 10, seed=5)) == whole[start:]


def test_position_is_asked_at_every_iteration():
    batches = TrainBatches(20, 10)
    epochs = iter([(0, 0), (1, 1)])
    batches.position = lambda: next(epochs)
    assert [draw.epoch for part in batches for draw in part] == [0] * 20
    assert [draw.epoch for part in batches for draw in part] == [1] * 10


@pytest.mark.parametrize(("world_size", "accumulate"), WORLDS)
def test_slices_of_ranks_and_accumulation_make_the_same_total_batch(world_size, accumulate):
    expected = indices(at((2, 0), 100, 12, seed=7))
    ranks = [
        at((2, 0), 100, 12, seed=7, rank=rank, world_size=world_size, accumulate=accumulate)
        for rank in range(world_size)
    ]
    parts = [indices(batches) for batches in ranks]
    assert [len(batches) for batches in ranks] == [8 * accumulate] * world_size
    for step, total in enumerate(expected):
        built = []
        for part in range(accumulate):
            for rank, batches in enumerate(ranks):
                # slices stand in the order of their position in the total batch, without gaps
                assert batches.slice_start(part) == len(built)
                built += parts[rank][step * accumulate + part]
        assert built == total


def test_last_incomplete_batch_is_dropped_and_reshuffled():
    batches = TrainBatches(25, 10)
    assert len(batches) == 2
    first = {index for part in indices(batches) for index in part}
    second = {index for part in indices(at((1, 0), 25, 10)) for index in part}
    assert len(first) == len(second) == 20
    assert first != second


def test_keys_carry_epoch_and_index():
    batches = at((3, 1), 20, 5, seed=1)
    order = batches.order(3).tolist()
    assert list(batches) == [[Draw(3, index) for index in order[start : start + 5]] for start in (5, 10, 15)]


def test_too_few_images():
    with pytest.raises(
        InputError, match=r"data\.batch_size is 128, but there are only 100 training images; set it to 100 or"
    ):
        TrainBatches(100, 128)
    assert len(TrainBatches(128, 128)) == 1


@pytest.mark.parametrize(
    ("batch_size", "world_size", "accumulate", "message"),
    [
        (
            128,
            3,
            1,
            r"128 is the total over all devices and does not divide by 3 device\(s\) x 1 acc.*a multiple of 3$",
        ),
        (
            128,
            2,
            3,
            r"128 is the total over all devices and does not divide by 2 device\(s\) x 3 acc.*a multiple of 6$",
        ),
        (2, 4, 1, r"2 is the total over all devices and does not divide by 4 device\(s\) x 1 acc.*a multiple of 4$"),
    ],
)
def test_a_batch_that_does_not_divide(batch_size, world_size, accumulate, message):
    with pytest.raises(InputError, match=message):
        TrainBatches(1000, batch_size, world_size=world_size, accumulate=accumulate)


def test_micro_size():
    assert micro_size(256, 8, 4) == 8


@pytest.mark.parametrize("num_samples", [1, 10, 23, 30])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluation_covers_every_sample_once_in_the_same_batches(num_samples, world_size):
    ranks = [EvalBatches(num_samples, 10, rank, world_size) for rank in range(world_size)]
    dealt = [indices(batches) for batches in ranks]
    assert [len(batches) for batches in ranks] == [len(parts) for parts in dealt]
    assert sorted(index for parts in dealt for part in parts for index in part) == list(range(num_samples))
    assert sorted(part for parts in dealt for part in parts) == indices(EvalBatches(num_samples, 10))


def test_evaluation_deals_batches_in_turn():
    assert indices(EvalBatches(23, 5, rank=1, world_size=3)) == [[5, 6, 7, 8, 9], [20, 21, 22]]
    assert list(EvalBatches(3, 2)) == [[Draw(0, 0), Draw(0, 1)], [Draw(0, 2)]]


def test_grouped_batches_hold_one_shape_and_lose_no_sample() -> None:
    groups = torch.tensor([0] * 13 + [1] * 10)
    batches = TrainBatches(23, 4, seed=3, groups=groups)
    order = batches.order(epoch=2)
    assert sorted(order.tolist()) == list(range(23))
    kinds = [set(groups[batch].tolist()) for batch in order[:20].view(5, 4)]
    # 13 = 3 batches and 1 left, 10 = 2 batches and 2 left: five whole batches, none of them mixed.
    assert sorted(map(tuple, kinds)) == [(0,), (0,), (0,), (1,), (1,)]
    assert not torch.equal(order, batches.order(epoch=3))
    assert torch.equal(order, TrainBatches(23, 4, seed=3, groups=groups, world_size=2).order(epoch=2))


def test_what_is_left_of_the_groups_makes_mixed_batches() -> None:
    batches = TrainBatches(8, 4, groups=torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]))
    assert len(batches) == 2
    assert sorted(index for _, micro in batches.indices() for index in micro.tolist()) == list(range(8))


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_evaluated_batches_hold_one_group(world_size):
    groups = torch.tensor([1, 0, 1, 1, 0, 2, 1])
    dealt = [list(EvalBatches(7, 2, rank, world_size, groups).indices()) for rank in range(world_size)]
    batches = [[1, 4], [0, 2], [3, 6], [5]]
    assert [[batch.tolist() for _, batch in of] for of in dealt] == [
        batches[rank::world_size] for rank in range(world_size)
    ]
    assert EvalBatches(7, 2, 0, world_size, groups).count == 4
