"""Image files to uint8 RGB tensors, whatever kind of file it is."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from lit_vision.errors import InputError

# A panorama is no attack; Pillow's guard would only warn anyway.
Image.MAX_IMAGE_PIXELS = None


def read(path: Path) -> Tensor:
    """Decodes a file as RGB.

    Greyscale and palette images become colour; transparency is laid over white; CMYK is converted (Adobe's inverted
    files too); 16-bit greys keep their high byte; EXIF rotation is applied; the content counts, not the suffix.

    Args:
        path: JPEG, PNG, or anything else that Pillow reads.

    Returns:
        uint8 [3, H, W].

    Raises:
        InputError: If the file is missing, truncated or no image; names it.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(_to_rgb(ImageOps.exif_transpose(image)))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: the image is damaged ({error}); replace or remove it") from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def size(path: Path) -> tuple[int, int]:
    """Height and width from the header alone, as `read` would return them.

    Raises:
        InputError: If the file is missing or no image; names it.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (OSError, SyntaxError, ValueError):
        raise InputError(f"{path}: not an image that can be read; replace or remove it") from None
    return (width, height) if turned else (height, width)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow clips 16-bit greys at 255 when it converts them; the high byte is the picture.
        grey = np.asarray(image, dtype=np.int64) // 256
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, coloured).convert("RGB")
    return image.convert("RGB")
