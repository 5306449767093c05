"""The data module behind every classification data set: one class per image, and validation split off training."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from lit_vision.data import shared
from lit_vision.data.module import DataModule, Monitor
from lit_vision.data.pipelines import decode, sampler
from lit_vision.data.pipelines.pipeline import ImagePipeline, Split, name_of, named
from lit_vision.errors import InputError

# The split is part of the data, not of a run: all seeds validate on the same images.
_SPLIT_SEED = 0


class ImageData(DataModule[Split]):
    """Images with one class each. A subclass knows where they are, a pipeline how they become batches.

    Args:
        class_names: Names by class index.
        pipeline: How images become batches.
        batch_size: See `DataModule`.
        eval_batch_size: See `DataModule`.
        max_per_device: See `DataModule`.
        val_fraction: Share of the training images split off for validation (stratified, the same for every seed).
        monitor: What validation runs on while training; `test` where a paper shows test curves: nothing is split off.
        num_workers: See `DataModule`.
        seed: See `DataModule`.
        overlap: See `DataModule`.
        quarantine: See `DataModule`.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        pipeline: ImagePipeline,
        batch_size: int = 128,
        eval_batch_size: int = 250,
        max_per_device: int | None = None,
        val_fraction: float = 0.0,
        monitor: Monitor = "val",
        num_workers: int = 0,
        seed: int = 0,
        overlap: shared.Policy = "warn",
        quarantine: str | None = None,
    ) -> None:
        super().__init__(
            class_names,
            pipeline,
            batch_size,
            eval_batch_size,
            max_per_device,
            monitor,
            num_workers,
            seed,
            overlap,
            quarantine,
        )
        if not 0 <= val_fraction < 1:
            raise InputError(f"data.val_fraction is {val_fraction}; it must be at least 0 and below 1")
        if len(self.class_names) == 1:
            raise InputError(
                f"{type(self).__name__}: {self.class_names[0]!r} is the only class, so there is nothing to tell apart; "
                "give at least two"
            )
        self.val_fraction = val_fraction

    @property
    def labelled(self) -> bool:
        """Whether the labels of what is tested are here, and not on a server alone; needs `setup`."""
        return bool((self.evaluated("test").labels >= 0).all())

    @property
    def server_ids(self) -> list[int] | None:
        """The number of each class in the file that a server takes; None where no server holds the labels."""
        return None

    def sound(self) -> dict[str, Split]:
        """The splits on disk without what is in quarantine."""
        splits = self.read()
        names = {name: named(split) for name, split in splits.items()}
        left_out = self.in_quarantine({name: set(of_split) for name, of_split in names.items()})
        return {
            name: take(split, torch.tensor([i for i, image in enumerate(names[name]) if image not in left_out[name]]))
            if left_out[name]
            else split
            for name, split in splits.items()
        }

    def complete(self, splits: dict[str, Split]) -> dict[str, Split]:
        """Splits validation off training, where there is none and it is what training watches.

        Raises:
            InputError: If a share is asked for beside a val split, or neither is there.
        """
        if "val" in splits and self.val_fraction:
            raise InputError(
                f"data.val_fraction {self.val_fraction:g} asks for a share of train, but there is a val split of "
                f"{len(splits['val'])} images;\nset data.val_fraction to 0, or leave the val split out"
            )
        return splits | self._split_off(splits) if "val" not in splits and self.monitor == "val" else splits

    def image_names(self, split: str) -> dict[int, str]:
        """Class folder and file of each image, or its position where images are no files, by position."""
        return dict(enumerate(named(self.evaluated(split))))

    def name_of(self, split: Split, index: int) -> str:
        """Class folder and file of an image, or its position where images are no files."""
        return name_of(split, index)

    def sources(self, split: Split) -> shared.Sources:
        """The files, or the pixels in memory."""
        return split.images if isinstance(split.images, Tensor) else [str(path) for path in split.images]

    def original(self, split: str, image_id: int) -> Tensor:
        """An image of a split as its file has it, uint8 [3, H, W]; its number is its position."""
        source = self.evaluated(split).images[image_id]
        return source if isinstance(source, Tensor) else decode.read(source)

    def fingerprint(self) -> str:
        """A short hash of what the splits hold: labels, and names and sizes of files or a sample of the pixels."""
        found = hashlib.sha256(repr(self.class_names).encode())
        for name, split in sorted(self.splits.items()):
            found.update(f"{name} {len(split.labels)}".encode())
            found.update(split.labels.numpy().tobytes())
            found.update(_bytes_of(split.images))
        return found.hexdigest()[:16]

    def _split_off(self, splits: dict[str, Split]) -> dict[str, Split]:
        """Training data without, and validation data of, a stratified share of the training images."""
        if not self.val_fraction:
            raise InputError(
                f"{type(self).__name__} has no val split; split one off by data.val_fraction (e.g. 0.1), "
                "or watch the test split by data.monitor: test"
            )
        held, kept = stratified(splits["train"].labels, self.val_fraction)
        if not len(held):
            raise InputError(
                f"data.val_fraction {self.val_fraction:g}: no class has two training images, so that one could be held "
                "out;\nadd images, or a folder val"
            )
        rank_zero_info(f"val: {len(held)} of {len(held) + len(kept)} training images, stratified")
        return {"train": take(splits["train"], kept), "val": take(splits["train"], held)}


def stratified(labels: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
    """Two disjoint index sets in ascending order, the first with `fraction` of each class.

    Both get at least one image of each class, but the first none of a class that has only one.
    """
    random = sampler.generator(_SPLIT_SEED)
    held = []
    for label in labels.bincount().nonzero().flatten():
        members = (labels == label).nonzero().flatten()
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        held.append(members[torch.randperm(len(members), generator=random)[:count]])
    mask = torch.zeros(len(labels), dtype=torch.bool)
    mask[torch.cat(held)] = True
    return mask.nonzero().flatten(), (~mask).nonzero().flatten()


def take(split: Split, indices: Tensor) -> Split:
    """The samples of a split at some indices."""
    images = split.images
    chosen = images[indices] if isinstance(images, Tensor) else [images[index] for index in indices.tolist()]
    return Split(chosen, split.labels[indices], [split.names[index] for index in indices.tolist() if split.names])


def _bytes_of(images: Sequence[Path] | Tensor) -> bytes:
    if isinstance(images, Tensor):
        return images[:: max(1, len(images) // 256)].numpy().tobytes()
    # Where the data lie is no part of what they are: folder, name and size of each file.
    return "\n".join(f"{path.parent.name}/{path.name} {_size(path)}" for path in images).encode()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:  # a link that ends nowhere, or a file removed since
        raise InputError(f"{path}: cannot be read ({error.strerror}); replace or remove it") from None
