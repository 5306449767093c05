"""Reading in worker processes: what pipelines of photographs share, with classes or with boxes."""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from lit_vision.data.pipelines import sampler
from lit_vision.data.pipelines.sampler import Draw, EvalBatches, TrainBatches
from lit_vision.errors import InputError
from lit_vision.types import Batch, Sample

# torch's words for a reader process that is gone, or that does not answer.
_LOST = re.compile(r"DataLoader worker \(pid(?:\(s\))? (?P<processes>[\d, ]+)\)|DataLoader timed out")

Read = Callable[[int], Sample[Any] | None]  # None: could not be read, and is to be left out
Collate = Callable[[Sequence[Sample[Any]]], Batch[Any]]


PATIENCE = 600.0  # seconds that a batch may take before its reader counts as hung


class InHand:
    """What each reader process is reading, in memory that all share: a reader that dies cannot say it any more.

    Args:
        workers: Number of reader processes.
    """

    NOTHING = -1

    def __init__(self, workers: int) -> None:
        # Process, sample, and the second at which it was begun, of each reader.
        self.entries: Tensor = torch.full((max(workers, 1), 3), self.NOTHING, dtype=torch.int64)
        self.entries.share_memory_()  # type: ignore[no-untyped-call]

    def begin(self, sample: int) -> None:
        """Notes what this process reads now."""
        info = get_worker_info()
        if info is not None:
            self.entries[info.id] = torch.tensor([os.getpid(), sample, int(time.time())])

    def end(self) -> None:
        """Notes that it is done."""
        info = get_worker_info()
        if info is not None:
            self.entries[info.id, 1] = self.NOTHING

    def of(self, processes: Sequence[int]) -> list[int]:
        """Samples that these processes were reading, those begun first in front; of all processes if none is given."""
        busy = [entry for entry in self.entries.tolist() if entry[1] != self.NOTHING]
        chosen = [entry for entry in busy if entry[0] in processes] if processes else busy
        return [sample for _, sample, _ in sorted(chosen, key=lambda entry: entry[2])]


class Reader(Dataset[Sample[Any] | None]):
    """Samples by their key; whatever `read` draws is a pure function of (seed, epoch, sample).

    Args:
        read: Makes the sample of an index.
        seed: The run's seed.
        in_hand: Where reader processes note what they are reading.
    """

    def __init__(self, read: Read, seed: int, in_hand: InHand) -> None:
        self.read = read
        self.seed = seed
        self.in_hand = in_hand

    def __getitem__(self, draw: Draw) -> Sample[Any] | None:
        self.in_hand.begin(draw.sample)
        with torch.random.fork_rng(devices=[]):
            # Not `torch.manual_seed`: that would reseed the accelerators too, which `fork_rng` does not restore here.
            torch.default_generator.manual_seed(sampler.generator(self.seed, draw.epoch, draw.sample).initial_seed())
            sample = self.read(draw.sample)
        self.in_hand.end()
        return sample


class Loader:
    """A torch loader, kept from Lightning, which would put its distributed sampler in place of our batches.

    Hands on the reader's own message, which a worker process would bury in a traceback, and names the image at which
    one died or hung.

    Args:
        reader: Makes samples.
        batches: Which samples make which batch.
        collate: Makes a batch of samples.
        workers: Reader processes; none reads in this one.
        name: Names an image by its index, for messages.

    Attributes:
        skipped: Images of this pass that could not be read and were left out.

    Raises:
        InputError: While iterating, if an image cannot be read, or a reader process dies or hangs.
    """

    def __init__(
        self,
        reader: Reader,
        batches: TrainBatches | EvalBatches,
        collate: Collate,
        workers: int,
        name: Callable[[int], str],
    ) -> None:
        self.skipped = 0
        self.name = name
        self.in_hand = reader.in_hand
        self.loader: DataLoader[Sample[Any] | None] = DataLoader(
            reader,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=partial(_collate_readable, collate),
            persistent_workers=workers > 0,
            timeout=PATIENCE if workers else 0,
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
        except (RuntimeError, ConnectionError, EOFError) as error:
            lost = _LOST.search(str(error) if isinstance(error, RuntimeError) else _awaited())
            if lost is None:
                raise
            raise InputError(self._told(lost)) from error

    def _told(self, lost: re.Match[str]) -> str:
        """What happened to a reader process, and at which image."""
        samples = self.in_hand.of([int(number) for number in re.findall(r"\d+", lost["processes"] or "")])
        shown = ", ".join(self.name(sample) for sample in samples[:4]) or "none"
        what = f"hung for {PATIENCE:g} seconds" if lost["processes"] is None else "died"
        return (
            f"a reader process {what}; it was reading: {shown}\n"
            "look at these files and at the machine's memory; --data.num_workers 0 reads in the main process"
        )


def _awaited(seconds: float = 5.0) -> str:
    """What torch says of a reader that broke its pipe: it raises, anywhere, once it learns of the process's end."""
    try:
        time.sleep(seconds)
    except RuntimeError as error:
        return str(error)
    return ""


def _collate_readable(collate: Collate, samples: Sequence[Sample[Any] | None]) -> tuple[Batch[Any] | None, int]:
    """The batch of those that could be read, None if there are none, and the number of the others."""
    readable = [sample for sample in samples if sample is not None]
    return (collate(readable) if readable else None), len(samples) - len(readable)


def loader(
    read: Read,
    batches: TrainBatches | EvalBatches,
    collate: Collate,
    seed: int,
    workers: int,
    name: Callable[[int], str],
) -> Iterable[Batch[Any]]:
    """Batches of what `read` makes of each index; see `Loader`."""
    return Loader(Reader(read, seed, InHand(workers)), batches, collate, workers, name)
