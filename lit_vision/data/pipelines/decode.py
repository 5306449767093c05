"""Image files to uint8 RGB tensors, whatever kind of photograph it is.

A file may come from anybody: only formats that photographs have are opened, none that is a program (EPS), and none of
more than `MOST_PIXELS`, as its header tells them before anything is unpacked. The variable `LIT_VISION_MAX_PIXELS`
sets another limit, for whoever has larger pictures; reader processes inherit it.
"""

import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lit_vision.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # phones' MPO is opened as JPEG
MOST_PIXELS = 178_956_970  # where Pillow's own guard refuses: half a gigabyte as RGB
VARIABLE = "LIT_VISION_MAX_PIXELS"

# Pillow warns at half of its limit, and would refuse what the user has allowed: `_opened` does that in its place.
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


class Header(NamedTuple):
    """What an image file says of itself before a pixel is unpacked.

    Attributes:
        format: One of `FORMATS`, or `MPO`.
        mode: Pillow's name of the kind of pixels: `RGB`, `CMYK`, `P`, `I;16`, …
        frames: Pictures in the file; `read` takes the first.
        orientation: EXIF's number, 1 for upright.
    """

    format: str
    mode: str
    frames: int
    orientation: int


def read(path: Path) -> Tensor:
    """Decodes a file as RGB.

    Greyscale and palette images become colour; transparency is laid over white; CMYK is converted (Adobe's inverted
    files too); 16-bit greys keep their high byte; greys in floating point may span 0..1 or 0..255; EXIF rotation is
    applied; the content counts, not the suffix.

    Args:
        path: In one of `FORMATS`.

    Returns:
        uint8 [3, H, W].

    Raises:
        InputError: If the file is missing, truncated, no image, or one of too many pixels; if its values have no such
            span; names it.
    """
    try:
        with _opened(path) as image:
            pixels = np.array(_to_rgb(_upright(image), path))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None
    except InputError:
        raise
    except Exception as error:  # Pillow's parsers raise whatever broken bytes lead them to
        raise InputError(f"{path}: the image is damaged ({error}); replace or remove it") from None
    # Left channels-last in memory, as decoded: torchvision resizes that three times as fast.
    return torch.from_numpy(pixels).permute(2, 0, 1)


def size(path: Path) -> tuple[int, int]:
    """Height and width from the header alone, as `read` would return them.

    Raises:
        InputError: If the file is missing, no image, or one of too many pixels; names it.
    """
    try:
        with _opened(path) as image:
            if image.format == "TIFF":
                image.load()  # Pillow turns this format by itself, depending on its version when loading
                return image.height, image.width
            turned = _orientation(image) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except InputError:
        raise
    except Exception:
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None


def header(path: Path) -> Header:
    """What a file that `read` decodes says of itself.

    Raises:
        InputError: If it is of too many pixels.
        OSError: If it cannot be read, or is no image.
    """
    with _opened(path) as image:
        return Header(image.format or "", image.mode, getattr(image, "n_frames", 1), _orientation(image))


def most_pixels() -> int:
    """The most pixels of an image that is decoded.

    Raises:
        InputError: If the variable holds no number of at least 1.
    """
    text = os.environ.get(VARIABLE) or str(MOST_PIXELS)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InputError(f"{VARIABLE} is {text!r}; set it to a number of pixels, or unset it for {MOST_PIXELS}")
    return int(text)


def _opened(path: Path) -> Image.Image:
    """The file with its header read, and not a pixel more; what is no file, such as a pipe, may never end."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise UnidentifiedImageError(f"{path} is no file")
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > (most := most_pixels()):
        image.close()
        raise InputError(
            f"{path}: {image.width} x {image.height} pixels are more than {most}; remove or shrink the image,\n"
            f"or set {VARIABLE}={image.width * image.height} if you trust it"
        )
    return image


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


def _to_rgb(image: Image.Image, path: Path) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow clips 16-bit greys at 255 when it converts them; the high byte is the picture.
        grey = np.asarray(image, dtype=np.int64) // 256
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_bytes_of(np.asarray(image, dtype=np.float64), path)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")


def _bytes_of(grey: npt.NDArray[np.float64], path: Path) -> npt.NDArray[np.uint8]:
    """Greys in floating point as bytes. Pillow would cut 0..1 to 0 and 1, which is black."""
    low, high = float(grey.min()), float(grey.max())
    if not (low >= 0 and high <= 255):  # also where one is NaN
        raise InputError(f"{path}: its values span {low:g} to {high:g}, not 0..1 or 0..255; convert it to 8 or 16 bits")
    return (grey * (255 if high <= 1 else 1)).round().astype(np.uint8)
