"""Which samples make which batch: pure functions of seed and epoch, so that any run can be repeated and resumed.

Lightning's distributed sampler pads evaluation with duplicates and deals single samples; here whole batches are dealt,
and a training batch is cut into the slices of ranks and accumulation steps, so that neither changes what is learnt.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from lit_vision.errors import InputError


class Draw(NamedTuple):
    """One sample of one epoch: what per-sample augmentation may depend on, beside the seed."""

    epoch: int
    sample: int


class TrainBatches:
    """Micro batches of one rank, in the order of (seed, epoch).

    A total batch is what one optimiser step sees. Micro batch `m` of rank `r` is its slice number `m * world_size + r`,
    so that all slices together are the same total batch for any number of ranks and accumulation steps. The last,
    incomplete total batch of an epoch is dropped; every epoch reshuffles, so no sample is left out for good.

    Each iteration begins at `position()`, an (epoch, micro batch) pair: the data module sets it to where the run
    stands, which makes any batch a place to resume from.

    Args:
        num_samples: Size of the training set.
        batch_size: Total batch, over all ranks and accumulation steps.
        seed: The run's seed.
        rank: This process.
        world_size: Number of processes.
        accumulate: Micro batches per optimiser step.
        groups: int64 [num_samples], group of each sample; a total batch holds samples of one group, except for the
            last few, which are made of what is left over of the groups. None: one group.

    Raises:
        InputError: If there are fewer samples than one batch, or the batch does not divide.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        accumulate: int = 1,
        groups: torch.Tensor | None = None,
    ) -> None:
        if not num_samples:
            raise InputError("there are no training images; see data.root and data.train")
        if num_samples < batch_size:
            raise InputError(
                f"data.batch_size is {batch_size}, but there are only {num_samples} training images; "
                f"set it to {num_samples} or less"
            )
        self.num_samples = num_samples
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.accumulate = accumulate
        self.groups = groups
        self.micro_size = micro_size(batch_size, world_size, accumulate)
        self.position: Callable[[], tuple[int, int]] = lambda: (0, 0)

    def __len__(self) -> int:
        """Micro batches of a whole epoch, wherever the iteration starts."""
        return self.num_samples // self.batch_size * self.accumulate

    def order(self, epoch: int) -> torch.Tensor:
        """All sample indices in the order of an epoch, int64 [num_samples]."""
        random = generator(self.seed, epoch)
        order = torch.randperm(self.num_samples, generator=random)
        return order if self.groups is None else self._grouped(order, self.groups, random)

    def _grouped(self, order: torch.Tensor, groups: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """The order, rearranged so that as many total batches as possible lie within one group."""
        members = [order[groups[order] == group] for group in groups.bincount().nonzero().flatten()]
        whole = [len(member) // self.batch_size * self.batch_size for member in members]
        rest = torch.cat([member[size:] for member, size in zip(members, whole, strict=True)])
        rest = rest[torch.randperm(len(rest), generator=random)]
        usable = len(rest) // self.batch_size * self.batch_size
        pieces = [member[:size] for member, size in zip(members, whole, strict=True)]
        batches = torch.cat([*pieces, rest[:usable]]).view(-1, self.batch_size)
        shuffled = batches[torch.randperm(len(batches), generator=random)].flatten()
        return torch.cat([shuffled, rest[usable:]])

    def indices(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Epoch and sample indices, int64 [micro_size], of each micro batch from the position on."""
        epoch, start = self.position()
        order = self.order(epoch)
        for micro in range(start, len(self)):
            step, part = divmod(micro, self.accumulate)
            offset = step * self.batch_size + self.slice_start(part)
            yield epoch, order[offset : offset + self.micro_size]

    def of_step(self) -> torch.Tensor:
        """Sample indices of this rank's part of the total batch at the position, int64 [accumulate * micro_size]."""
        epoch, micro = self.position()
        offset = micro // self.accumulate * self.batch_size
        starts = [offset + self.slice_start(part) for part in range(self.accumulate)]
        return torch.cat([self.order(epoch)[start : start + self.micro_size] for start in starts])

    def slice_start(self, part: int) -> int:
        """Where this rank's slice of accumulation step `part` begins within the total batch."""
        return (part * self.world_size + self.rank) * self.micro_size

    def __iter__(self) -> Iterator[list[Draw]]:
        """Keys of each micro batch, for readers in worker processes."""
        for epoch, indices in self.indices():
            yield [Draw(epoch, index) for index in indices.tolist()]


class SampledBatches(TrainBatches):
    """The first whole batches of one order, dealt to ranks like evaluation's: batch `b` to rank `b % world_size`.

    A fixed choice of training images, the same for each run: the order does not follow the run's seed.

    Args:
        num_samples: Size of the training set.
        batch_size: Images per batch and process.
        count: Batches of all ranks; fewer where there are fewer.
        rank: This process.
        world_size: Number of processes.
    """

    def __init__(self, num_samples: int, batch_size: int, count: int, rank: int = 0, world_size: int = 1) -> None:
        super().__init__(num_samples, batch_size)
        self.share = range(rank, min(count, num_samples // batch_size), world_size)

    def __len__(self) -> int:
        """Batches of this rank."""
        return len(self.share)

    def indices(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Epoch (always 0) and sample indices of each batch of this rank, int64 [batch_size]."""
        order = self.order(0)
        for number in self.share:
            yield 0, order[number * self.batch_size : (number + 1) * self.batch_size]


class EvalBatches:
    """Whole batches of fixed content, dealt to ranks: batch `b` to rank `b % world_size`.

    No sample is evaluated twice or left out, and the content of a batch does not depend on the number of ranks. Ranks
    may get different numbers of batches, so nothing may synchronise inside the loop.

    Args:
        num_samples: Size of the split.
        batch_size: Images per batch and process.
        rank: This process.
        world_size: Number of processes.
        groups: int64 [num_samples], group of each sample; no batch holds two. None: one group, in its own order.

    Attributes:
        batches: Sample indices of each batch of all ranks, int64.
    """

    def __init__(
        self,
        num_samples: int,
        batch_size: int,
        rank: int = 0,
        world_size: int = 1,
        groups: torch.Tensor | None = None,
    ) -> None:
        self.rank = rank
        self.world_size = world_size
        groups = torch.zeros(num_samples, dtype=torch.int64) if groups is None else groups
        members = [(groups == group).nonzero().flatten() for group in sorted(set(groups.tolist()))]
        self.batches = [batch for member in members for batch in member.split(batch_size)]
        self.count = len(self.batches)

    def __len__(self) -> int:
        """Batches of this rank."""
        return len(range(self.rank, self.count, self.world_size))

    def indices(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Epoch (always 0) and sample indices of each batch, int64."""
        for batch in self.batches[self.rank :: self.world_size]:
            yield 0, batch

    def __iter__(self) -> Iterator[list[Draw]]:
        """Keys of each batch."""
        for epoch, indices in self.indices():
            yield [Draw(epoch, index) for index in indices.tolist()]


def micro_size(batch_size: int, world_size: int, accumulate: int) -> int:
    """Images per process and forward pass.

    Raises:
        InputError: If the total batch does not divide by devices and accumulation steps.
    """
    size, rest = divmod(batch_size, world_size * accumulate)
    if rest or not size:
        raise InputError(
            f"data.batch_size {batch_size} is the total over all devices and does not divide by "
            f"{world_size} device(s) x {accumulate} accumulation step(s); "
            f"choose a multiple of {world_size * accumulate}"
        )
    return size


def generator(*key: int) -> torch.Generator:
    """A CPU generator whose state is a pure function of integers, the same on every platform."""
    # A multiplicative hash keeps neighbouring keys apart; torch seeds take 64 bits.
    state = 0x9E3779B97F4A7C15
    for number in key:
        state = ((state ^ (number & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
        state ^= state >> 31
    return torch.Generator().manual_seed(state % 2**63)
