"""Bootstrap intervals of a finished detection run, from its files and its data: RUN/intervals.json.

python docs/results/intervals.py RUN
"""

import functools
import json
import sys
from pathlib import Path

import lightning as L
import torch

from lit_vision import build
from lit_vision.experiment import yamlio
from lit_vision.metrics import bootstrap
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.voc import VocAP
from lit_vision.types import Detections


def read(path, category_ids):
    """Detections by image id from a file in COCO's result format."""
    found = {}
    for entry in json.loads(path.read_text()):
        x, y, width, height = entry["bbox"]
        found.setdefault(entry["image_id"], []).append(
            ([x, y, x + width, y + height], entry["score"], category_ids.index(entry["category_id"]))
        )
    return {
        image: Detections(*(torch.tensor(values) for values in zip(*entries, strict=True)))
        for image, entries in found.items()
    }


def main(folder):
    data = build.part(L.LightningDataModule, yamlio.load(folder / "config.yaml")["data"])
    data.setup()
    split = data.splits[data.test_split]
    targets = [split.target(index) for index in range(len(split))]
    found = read(folder / "detections_test.json", data.category_ids)
    nothing = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    detections = [found.get(int(target.image_id), nothing) for target in targets]
    result = {"images": len(targets), "classes": data.class_names}
    for name, kind in (("coco", CocoAP), ("voc", VocAP)):
        metric = functools.partial(kind, num_classes=data.num_classes)
        whole, per_class = list(bootstrap.intervals(metric, detections, targets).values())
        result[name] = {"all": [float(value) for value in whole]} | {
            label: [float(part[index]) for part in per_class] for index, label in enumerate(data.class_names)
        }
    (folder / "intervals.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
