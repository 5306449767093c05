"""The mean image of training photographs: what the ResNet paper subtracts from each pixel of a crop (Section 3.4)."""

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor
from torchvision.transforms import v2

from lit_vision.data.fetch import cache
from lit_vision.data.pipelines import decode
from lit_vision.data.pipelines.pipeline import Split
from lit_vision.errors import InputError

_CHUNK = 64  # images a thread adds up before it comes back
_VERSION = 1  # of how it is measured: kept images of another one are not used


class MeanImage:
    """The average of all training images, each resized to a short side and cropped in the centre.

    The paper says that the per-pixel mean is subtracted, not of what: here it is of the smallest training scale,
    without mirroring and colour noise. One pass over the training images, added up exactly in whole numbers, so that
    threads and their order change nothing; it is kept in the cache (`data.fetch.cache`) by names and sizes of files.

    Args:
        short_side: Short side in pixels.
        crop: Side of the crop, that of training.
        file: `.npy` file with the mean image, float [3, crop, crop] in 0..1; None measures it.
    """

    def __init__(self, short_side: int, crop: int, file: str | None = None) -> None:
        self.short_side = short_side
        self.crop = crop
        self.file = file
        self.view = v2.Compose([v2.Resize(short_side, antialias=True), v2.CenterCrop(crop)])

    def of(self, split: Split) -> Tensor:
        """The mean image of a training split, float32 [3, crop, crop] in 0..1.

        Raises:
            InputError: If the given file is missing or holds no such image.
        """
        if self.file is not None:
            return self._read(Path(self.file))
        kept = self.place(split)
        if kept.is_file():
            return self._read(kept)
        measured = self._measure(split)
        content = io.BytesIO()
        np.save(content, measured.numpy())
        told = f"kept in {kept}" if cache.write(kept, content.getvalue()) else f"{kept} cannot be written"
        rank_zero_info(f"mean image: {told}")
        return measured

    def place(self, split: Split) -> Path:
        """Where the mean image of a split is kept."""
        found = hashlib.sha256(f"{_VERSION} {self.short_side} {self.crop}".encode())
        for image in split.images if not isinstance(split.images, Tensor) else ():
            found.update(f"{image.parent.name}/{image.name} {image.stat().st_size}\n".encode())
        if isinstance(split.images, Tensor):
            found.update(split.images.numpy().tobytes())
        return cache.folder() / "means" / f"{found.hexdigest()[:32]}.npy"

    def _measure(self, split: Split) -> Tensor:
        count = len(split)
        rank_zero_info(f"mean image: one pass over {count:,} training images")
        total = torch.zeros(3, self.crop, self.crop, dtype=torch.int64)
        starts = range(0, count, _CHUNK)
        with ThreadPoolExecutor() as pool:  # decoding and resizing release the interpreter lock
            sums = pool.map(lambda start: self._sum(split.images[start : start + _CHUNK]), starts)
            for number, part in enumerate(sums, 1):
                total += part
                if number * 10 // len(starts) > (number - 1) * 10 // len(starts):
                    rank_zero_info(f"mean image: {min(number * _CHUNK, count):,} images")
        return (total.double() / count / 255).float()

    def _sum(self, images: Sequence[Path] | Tensor) -> Tensor:
        total = torch.zeros(3, self.crop, self.crop, dtype=torch.int64)
        for image in images:
            total += self.view(image if isinstance(image, Tensor) else decode.read(image))
        return total

    def _read(self, file: Path) -> Tensor:
        try:
            found = torch.from_numpy(np.load(file, allow_pickle=False))
        except (OSError, ValueError, TypeError, EOFError) as error:
            raise InputError(f"data.pipeline.mean {file}: no .npy file of numbers ({error})") from None
        shape = [3, self.crop, self.crop]
        if list(found.shape) != shape or not found.is_floating_point() or found.min() < 0 or found.max() > 1:
            raise InputError(
                f"data.pipeline.mean {file} holds {found.dtype} {list(found.shape)}; "
                f"a mean image is floating, {shape}, in 0..1"
            )
        return found.float()
