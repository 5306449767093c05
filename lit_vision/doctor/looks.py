"""Every image file decoded in full, once: what is wrong with it, and what it looks like. Kept by content."""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from lit_vision import files
from lit_vision.data.fetch import cache
from lit_vision.data.pipelines import decode
from lit_vision.doctor import sketch
from lit_vision.doctor.sketch import Sketch
from lit_vision.errors import InputError

HUGE = 50_000_000  # pixels: 150 MB when decoded
TINY = 16  # pixels of the short side; MNIST's images have 28

_VERSION = 2  # of what is kept
_DIGITS = 64  # of a digest
_CHUNK = 64
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png", ".apng"},
    "TIFF": {".tif", ".tiff"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
}
_ORDINARY = ("RGB", "L")
_MODES = {
    "CMYK": "colours of print",
    "P": "a palette",
    "RGBA": "transparency, laid over white",
    "LA": "transparency, laid over white",
    "PA": "transparency, laid over white",
    "1": "black and white",
    "F": "floating point",
}


class Fault(NamedTuple):
    """Something wrong with an image file.

    Attributes:
        kind: In the few words that counts are listed under.
        text: What it means.
        fatal: Whether the image cannot be used.
    """

    kind: str
    text: str
    fatal: bool = False


class Look(NamedTuple):
    """What was seen of an image file.

    Attributes:
        digest: Of its content.
        faults: What is wrong with it.
        sketch: What it looks like; None where it cannot be decoded, or is too small.
    """

    digest: str
    faults: tuple[Fault, ...]
    sketch: Sketch | None


def at_files(paths: Sequence[Path], workers: int, progress: str = "") -> list[Look | None]:
    """Looks at files side by side; what was seen of the same content before is not decoded again.

    Args:
        paths: Image files.
        workers: Threads; Pillow decodes without Python's lock.
        progress: Words before the bar.

    Returns:
        One per path, in order; None where there is no such file.
    """
    path = cache.folder() / "doctor" / "looks.json"
    kept = _load(path)
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    found: list[Look | None] = []
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(paths), desc=progress, disable=None, leave=False) as bar,
    ):
        for part in pool.map(lambda chunk: [_at_file(each, kept) for each in chunk], chunks):
            found += part
            bar.update(len(part))
    _save(path, kept | {_key(look.digest, file): look for look, file in zip(found, paths, strict=True) if look})
    return found


def at_pixels(images: Tensor) -> list[Look]:
    """Looks at images in memory, uint8 [N, 3, H, W]: nothing can be wrong with them but that there are two."""
    looks = []
    for image in images:
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        drawn = sketch.draw(Image.fromarray(pixels))
        looks.append(Look(hashlib.sha256(pixels.tobytes()).hexdigest(), (), drawn))
    return looks


def _at_file(path: Path, kept: dict[str, Look]) -> Look | None:
    try:
        content = files.content(path)
    except OSError:
        return None
    digest = hashlib.sha256(content).hexdigest()
    return kept.get(_key(digest, path)) or Look(digest, *_seen(path, len(content)))


def _key(digest: str, path: Path) -> str:
    """What can be wrong with a file hangs on its suffix and on the sizes that are allowed, too."""
    return f"{digest}{path.suffix.lower()} {decode.most_pixels()} {HUGE} {TINY}"


def _seen(path: Path, size: int) -> tuple[tuple[Fault, ...], Sketch | None]:
    if not size:
        return (Fault("empty file", "it has no bytes", True),), None
    try:
        pixels = decode.read(path)
        header = decode.header(path)
    except (InputError, OSError) as error:
        return (_refusal(str(error).removeprefix(f"{path}: ")),), None
    image = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
    return tuple(_oddities(path, header, image)), sketch.draw(image)


def _refusal(text: str) -> Fault:
    reason = text.splitlines()[0]
    if "pixels are more than" in text:
        return Fault("decompression bomb", reason, True)
    return Fault("truncated image" if "truncated" in text else "unreadable image", reason, True)


def _oddities(path: Path, header: decode.Header, image: Image.Image) -> Iterable[Fault]:
    """What is unusual about an image that can be decoded."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES.get(header.format, {f".{header.format.lower()}"}):
        yield Fault("wrong suffix", f"the file is a {header.format}, whatever its name says")
    if header.mode not in _ORDINARY:
        meaning = _MODES.get(header.mode, "16 bits" if header.mode.startswith("I") else "")
        yield Fault("odd mode", f"its pixels are {header.mode}{f' ({meaning})' if meaning else ''}; read as RGB")
    if header.frames > 1 and header.format != "MPO":  # phones add a smaller picture
        yield Fault("animation", f"it holds {header.frames} pictures; the first is read")
    if header.orientation not in (0, 1):
        yield Fault("turned by EXIF", f"its EXIF orientation is {header.orientation}; it is read upright")
    if image.width * image.height > HUGE:
        yield Fault("huge image", f"{image.width} x {image.height} pixels")
    if min(image.size) < TINY:
        yield Fault("tiny image", f"{image.width} x {image.height} pixels")


def _load(path: Path) -> dict[str, Look]:
    """What was seen before; nothing where that is missing, damaged or of another version."""
    try:
        content: Any = json.loads(path.read_bytes())
        if content["version"] != _VERSION:
            return {}
        return {
            key: Look(
                key[:_DIGITS],
                tuple(Fault(*fault) for fault in faults),
                Sketch(drawn[0], base64.b64decode(drawn[1])) if drawn else None,
            )
            for key, (faults, drawn) in content["looks"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _save(path: Path, looks: dict[str, Look]) -> None:
    kept = {
        key: (look.faults, look.sketch and (look.sketch.bits, base64.b64encode(look.sketch.grey).decode()))
        for key, look in looks.items()
    }
    cache.write(path, json.dumps({"version": _VERSION, "looks": kept}).encode())
