"""`lit-vision predict --ckpt_path FILE PATH…`: classes and scores of images, as JSON."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lit_vision import inference
from lit_vision.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def run(argv: Sequence[str]) -> int:
    """Prints a JSON array, one object a line: file with classes and scores, or with an error.

    Returns:
        0, or 1 when some file could not be read.
    """
    arguments = _parser().parse_args(argv)
    predictor = inference.load(arguments.ckpt_path, arguments.device, arguments.trust_code)
    failed, separator = False, ""
    print("[")
    for entry in _entries(predictor, list(files(arguments.paths)), arguments.top):
        failed |= "error" in entry
        print(separator + json.dumps(entry, ensure_ascii=False), end="", flush=True)
        separator = ",\n"
    print("\n]")
    return int(failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lit-vision predict", description="Classes and scores of images, as JSON.")
    parser.add_argument("paths", nargs="+", help="image files and folders")
    parser.add_argument("--ckpt_path", required=True, help="a checkpoint that lit-vision fit wrote")
    parser.add_argument("--top", type=int, default=5, help="classes to tell for each image")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trust-code", action="store_true", help="let the checkpoint name classes of any package")
    return parser


def files(paths: Sequence[str]) -> Iterator[Path]:
    """The files named, and all images below the folders named, in order.

    Raises:
        InputError: If a path does not exist or a folder holds no image.
    """
    for path in map(Path, paths):
        if path.is_file():
            yield path
        elif path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not found:
                raise InputError(f"{path} holds no image ({', '.join(sorted(SUFFIXES))})")
            yield from found
        else:
            raise InputError(f"{path}: there is no such file or folder")


def _entries(predictor: inference.Predictor, paths: Sequence[Path], top: int) -> Iterator[dict[str, Any]]:
    """One entry per file; a file that cannot be read is told in its place and stops nothing."""
    for path in paths:
        try:
            (prediction,) = predictor.predict([path], top)
            yield {"file": str(path), **prediction._asdict()}
        except InputError as error:
            yield {"file": str(path), "error": str(error)}
