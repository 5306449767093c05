"""Reading in worker processes: what pipelines of photographs share, with classes or with boxes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from lit_vision.data import sampler
from lit_vision.data.sampler import Draw, EvalBatches, TrainBatches
from lit_vision.errors import InputError
from lit_vision.types import Batch, Sample

Read = Callable[[int], Sample[Any] | None]  # None: could not be read, and is to be left out
Collate = Callable[[Sequence[Sample[Any]]], Batch[Any]]


class Reader(Dataset[Sample[Any] | None]):
    """Samples by their key; whatever `read` draws is a pure function of (seed, epoch, sample).

    Args:
        read: Makes the sample of an index.
        seed: The run's seed.
    """

    def __init__(self, read: Read, seed: int) -> None:
        self.read = read
        self.seed = seed

    def __getitem__(self, draw: Draw) -> Sample[Any] | None:
        with torch.random.fork_rng(devices=[]):
            # Not `torch.manual_seed`: that would reseed the accelerators too, which `fork_rng` does not restore here.
            torch.default_generator.manual_seed(sampler.generator(self.seed, draw.epoch, draw.sample).initial_seed())
            return self.read(draw.sample)


class Loader:
    """A torch loader, kept from Lightning, which would put its distributed sampler in place of our batches.

    Hands on the reader's own message, which a worker process would bury in a traceback.

    Args:
        reader: Makes samples.
        batches: Which samples make which batch.
        collate: Makes a batch of samples.
        workers: Reader processes; none reads in this one.

    Attributes:
        skipped: Images of this pass that could not be read and were left out.
    """

    def __init__(self, reader: Reader, batches: TrainBatches | EvalBatches, collate: Collate, workers: int) -> None:
        self.skipped = 0
        self.loader: DataLoader[Sample[Any] | None] = DataLoader(
            reader,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=partial(_collate_readable, collate),
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else every pass draws the workers' seed from the global generator
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch[Any]]:
        self.skipped = 0
        try:
            for batch, skipped in self.loader:
                self.skipped += skipped
                if batch is not None:
                    yield batch
        except InputError as error:
            raise InputError(str(error).rpartition(f"{InputError.__name__}: ")[2].strip()) from None


def _collate_readable(collate: Collate, samples: Sequence[Sample[Any] | None]) -> tuple[Batch[Any] | None, int]:
    """The batch of those that could be read, None if there are none, and the number of the others."""
    readable = [sample for sample in samples if sample is not None]
    return (collate(readable) if readable else None), len(samples) - len(readable)


def loader(
    read: Read, batches: TrainBatches | EvalBatches, collate: Collate, seed: int, workers: int
) -> Iterable[Batch[Any]]:
    """Batches of what `read` makes of each index."""
    return Loader(Reader(read, seed), batches, collate, workers)
