"""The objects of a whole data set, compactly: what every reader returns and every loader indexes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from lit_vision.data.formats import masks
from lit_vision.data.formats.masks import Masks
from lit_vision.data.formats.proposals import Proposals
from lit_vision.types import Target


@dataclass(frozen=True)
class Annotations:
    """Images and their boxes in flat tensors: 118,287 images as Python objects would be copied into every worker.

    Attributes:
        folder: Folder of the image files.
        files: File of each image, relative to `folder`, [N].
        image_ids: int64 [N], the data set's own numbers, or numbers made from its names.
        names: The data set's own name for each image as result files and messages use it, [N].
        sizes: int64 [N, 2], height and width of the (upright) image.
        starts: int64 [N + 1]; the objects of image `i` are `starts[i]:starts[i + 1]`.
        boxes: float64 [M, 4], `x1 y1 x2 y2` in original pixels, lower right exclusive.
        labels: int64 [M].
        crowd: bool [M].
        difficult: bool [M].
        area: float64 [M].
        masks: Of the objects; None where they were not asked for.
        proposals: Regions from elsewhere, at least those of these images; None without.
    """

    folder: Path
    files: Sequence[str]
    image_ids: Tensor
    names: Sequence[str]
    sizes: Tensor
    starts: Tensor
    boxes: Tensor
    labels: Tensor
    crowd: Tensor
    difficult: Tensor
    area: Tensor
    masks: Masks | None = field(default=None, kw_only=True)
    proposals: Proposals | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.files)

    def path(self, index: int) -> Path:
        """The image's file."""
        return self.folder / self.files[index]

    def target(self, index: int) -> Target:
        """The image's objects, in its original pixels."""
        first, last = self.starts[index : index + 2].tolist()
        of_image = slice(first, last)
        boxes = self.boxes[of_image]
        target = Target(
            boxes.float(),
            self.labels[of_image],
            self.crowd[of_image],
            self.difficult[of_image],
            self.area[of_image],
            self.image_ids[index],
            self.sizes[index],
            boxes,
        )
        if self.proposals:
            target = target._replace(proposals=self.proposals.of(self.names[index]))
        return target._replace(original_masks=self.masks.rows(first, last)) if self.masks else target

    def take(self, indices: Tensor) -> "Annotations":
        """The annotations of some images, in the given order."""
        counts = (self.starts[1:] - self.starts[:-1])[indices]
        owners = torch.repeat_interleave(torch.arange(len(indices)), counts)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        objects = torch.arange(int(starts[-1])) - starts[owners] + self.starts[indices][owners]
        chosen = indices.tolist()
        return Annotations(
            self.folder,
            [self.files[index] for index in chosen],
            self.image_ids[indices],
            [self.names[index] for index in chosen],
            self.sizes[indices],
            starts,
            self.boxes[objects],
            self.labels[objects],
            self.crowd[objects],
            self.difficult[objects],
            self.area[objects],
            masks=self.masks and self.masks.take(objects),
            proposals=self.proposals,
        )

    def below(self, root: Path) -> "Annotations":
        """The same annotations with the files relative to another folder, as splits need that are to be joined."""
        inner = os.path.relpath(self.folder, root)
        return replace(self, folder=root, files=[os.path.normpath(os.path.join(inner, file)) for file in self.files])


def concat(parts: Sequence[Annotations]) -> Annotations:
    """Several splits as one, in the given order, below the folder that all have in common.

    Image ids stay as they are where they remain unique (COCO); else they become positions.
    """
    if len(parts) == 1:
        return parts[0]
    root = Path(os.path.commonpath([os.path.abspath(part.folder) for part in parts]))
    moved = [part.below(root) if part.folder != root else part for part in parts]
    ids = torch.cat([part.image_ids for part in moved])
    offsets = [0]
    for part in moved:
        offsets.append(offsets[-1] + len(part.labels))
    outlined = [part.masks for part in moved if part.masks]
    starts = [part.starts[:-1] + offset for part, offset in zip(moved, offsets, strict=False)]
    return Annotations(
        root,
        [file for part in moved for file in part.files],
        ids if len(set(ids.tolist())) == len(ids) else torch.arange(len(ids)),
        [name for part in moved for name in part.names],
        torch.cat([part.sizes for part in moved]),
        torch.cat([*starts, torch.tensor(offsets[-1:])]),
        *(
            torch.cat([getattr(part, field) for part in moved])
            for field in ("boxes", "labels", "crowd", "difficult", "area")
        ),
        masks=masks.concat(outlined) if len(outlined) == len(moved) else None,
    )
