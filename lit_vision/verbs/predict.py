"""`lit-vision predict --ckpt_path FILE PATH…`: classes or boxes of images, as JSON and as pictures."""

import argparse
import glob
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from lit_vision import files as plain_files
from lit_vision import inference, terminal
from lit_vision.data.image_folder import SUFFIXES
from lit_vision.data.pipelines import decode
from lit_vision.diagnosis import drawing
from lit_vision.errors import InputError
from lit_vision.inference import BoxPredictor, ClassPredictor
from lit_vision.runs import durable
from lit_vision.types import Detections
from lit_vision.verbs.arguments import Parser, count


def run(argv: Sequence[str]) -> int:
    """Prints a JSON array, one object per line: file with classes or boxes and scores, or with an error.

    Returns:
        0, or 1 when some file could not be read.
    """
    arguments = _parser().read(argv)
    predictor = inference.load(arguments.ckpt_path, arguments.device, arguments.trust_code)
    if arguments.pictures and not isinstance(predictor, BoxPredictor):
        raise InputError("--pictures draws boxes, but the checkpoint is a classifier's; leave the option out")
    if arguments.pictures:
        _make(arguments.pictures)
    paths = list(files(arguments.paths))
    failed, separator = False, ""
    print("[")
    for entry in _entries(predictor, paths, arguments):
        failed |= "error" in entry
        print(separator + json.dumps(entry, ensure_ascii=not terminal.takes_unicode()), end="", flush=True)
        separator = ",\n"
    print("\n]")
    return int(failed)


def _parser() -> Parser:
    parser = Parser("lit-vision predict", description="Classes or boxes of images, as JSON.")
    parser.add_argument("paths", nargs="+", help="image files, folders and patterns")
    parser.add_argument("--ckpt_path", required=True, help="a checkpoint that lit-vision fit wrote")
    parser.add_argument("--top", type=count, default=5, help="classifiers: classes to print for each image")
    parser.add_argument("--score", type=_score, default=0.5, help="detectors: least score of a box")
    parser.add_argument("--pictures", type=Path, help="detectors: folder for pictures with boxes")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--trust-code", action="store_true", help="let the checkpoint name classes of any package")
    return parser


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not 0 <= score <= 1:
        raise argparse.ArgumentTypeError(f"expected a score in 0..1, got {text!r}")
    return score


def files(paths: Sequence[str]) -> Iterator[Path]:
    """The files named, all images below the folders named, and what the patterns match, in order.

    Raises:
        InputError: If a path does not exist, a pattern matches nothing or a folder holds no image.
    """
    for text in paths:
        path = Path(text)
        if plain_files.is_there(path):
            yield path
        elif path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not found:
                raise InputError(f"{path} holds no image ({', '.join(sorted(SUFFIXES))})")
            yield from found
        elif matches := sorted(glob.glob(text, recursive=True)):
            yield from map(Path, matches)
        else:
            raise InputError(f"{path}: there is no such file or folder")


def _entries(
    predictor: ClassPredictor | BoxPredictor, paths: Sequence[Path], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """One entry per file; a file that cannot be read is reported in its place and stops nothing."""
    for path in paths:
        try:
            image = decode.read(path)
        except InputError as error:
            yield {"file": str(path), "error": str(error)}
            continue
        if isinstance(predictor, ClassPredictor):
            (classes,) = predictor.predict([image], top=arguments.top)
            yield {"file": str(path), **classes._asdict()}
            continue
        (boxes,) = predictor.predict([image], score=arguments.score)
        entry = {"file": str(path), **boxes._asdict()}
        if arguments.pictures:
            entry["picture"] = str(_draw(path, image, boxes, predictor.class_names, arguments.pictures))
        yield entry


def _make(folder: Path) -> None:
    """Makes the folder of the pictures, and tries whether it takes files, before any image is read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"--pictures {folder}: cannot write there ({error.strerror}); name another folder") from None


def _draw(path: Path, image: torch.Tensor, boxes: inference.Boxes, names: list[str], folder: Path) -> Path:
    """Draws the boxes into a picture of the same name; one that exists already gets a number."""
    target, number = folder / f"{path.stem}.jpg", 2
    while os.path.lexists(target):
        target, number = folder / f"{path.stem}_{number}.jpg", number + 1
    labels = torch.tensor([names.index(name) for name in boxes.classes], dtype=torch.int64)
    found = Detections(torch.tensor(boxes.boxes).view(-1, 4), torch.tensor(boxes.scores), labels)
    with open(target, "wb", opener=durable.fresh) as file:
        drawing.picture(image, found, names).save(file, "JPEG", quality=92)
    return target
