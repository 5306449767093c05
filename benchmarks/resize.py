"""Photographs to a short side of 800 pixels: our uint8 path beside the usual one of detection references.

The usual path makes a float image of the decoded picture and resizes it on its way into the model, as torchvision's
`GeneralizedRCNNTransform` does. Decoding is left out on both sides; turns alternate, one thread.

python benchmarks/resize.py [FOLDER]      photographs of a folder, else the two that scikit-learn ships
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from sklearn.datasets import load_sample_images
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from lit_vision.data.pipelines import decode
from lit_vision.data.pipelines.scenes import IMAGENET_MEAN, IMAGENET_STD, short_side

ROUNDS = 5


def photographs(folder):
    if folder is None:
        return [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images]
    return [decode.read(path) for path in sorted(Path(folder).glob("*.jpg"))[:40]]


def main(folder=None):
    torch.set_num_threads(1)
    images = photographs(folder)
    ours = short_side([800], 800, 1333)
    usual = GeneralizedRCNNTransform(800, 1333, IMAGENET_MEAN, IMAGENET_STD)
    paths = {
        "ours": lambda image: ours.prepare(image),
        "usual": lambda image: usual([image.contiguous().float() / 255]),
    }
    rates = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, path in paths.items():
            begin = time.thread_time()
            for image in images:
                path(image)
            rates[name].append(len(images) / (time.thread_time() - begin))
    mine, theirs = (statistics.median(rates[name]) for name in ("ours", "usual"))
    print(
        json.dumps(
            {
                "what": "photographs to a short side of 800, without decoding",
                "ours": f"{mine:.0f}",
                "peer": f"{theirs:.0f} (float, GeneralizedRCNNTransform; it also normalises and pads)",
                "unit": "images per CPU s",
                "ratio": round(mine / theirs, 1),
                "aim": "faster than 73/s",
                "command": "python benchmarks/resize.py",
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
