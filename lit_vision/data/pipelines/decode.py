"""Image files to uint8 RGB tensors, whatever kind of file it is."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lit_vision.errors import InputError

# A panorama is no attack; Pillow's guard would only warn anyway.
Image.MAX_IMAGE_PIXELS = None

_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: Path) -> Tensor:
    """Decodes a file as RGB.

    Greyscale and palette images become colour; transparency is laid over white; CMYK is converted (Adobe's inverted
    files too); 16-bit greys keep their high byte; greys in floating point may span 0..1 or 0..255; EXIF rotation is
    applied; the content counts, not the suffix.

    Args:
        path: JPEG, PNG, or anything else that Pillow reads.

    Returns:
        uint8 [3, H, W].

    Raises:
        InputError: If the file is missing, truncated or no image, or its values have no such span; names it.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(_to_rgb(_upright(image)))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # Pillow's parsers raise whatever broken bytes lead them to
        raise InputError(f"{path}: the image is damaged ({error}); replace or remove it") from None
    # Left channels-last in memory, as decoded: torchvision resizes that three times as fast.
    return torch.from_numpy(pixels).permute(2, 0, 1)


def size(path: Path) -> tuple[int, int]:
    """Height and width from the header alone, as `read` would return them.

    Raises:
        InputError: If the file is missing or no image; names it.
    """
    try:
        with Image.open(path) as image:
            if image.format == "TIFF":
                image.load()  # Pillow turns this format by itself, depending on its version when loading
                return image.height, image.width
            turned = _orientation(image) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except Exception:
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None


def _upright(image: Image.Image) -> Image.Image:
    """The picture as the camera was held. `ImageOps.exif_transpose` fails on EXIF that it cannot write again."""
    image.load()
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no damage to the picture
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow clips 16-bit greys at 255 when it converts them; the high byte is the picture.
        grey = np.asarray(image, dtype=np.int64) // 256
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_bytes_of(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _bytes_of(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Greys in floating point as bytes. Pillow would cut 0..1 to 0 and 1, which is black."""
    low, high = float(grey.min()), float(grey.max())
    if not (low >= 0 and high <= 255):  # also where one is NaN
        raise InputError(f"its values span {low:g} to {high:g}, not 0..1 or 0..255; convert it to 8 or 16 bits")
    return (grey * (255 if high <= 1 else 1)).round().astype(np.uint8)
