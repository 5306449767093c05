"""Bootstrap intervals of a finished detection run or test, from its files and its data.

python docs/results/intervals.py RUN          its figures, to RUN/intervals.json
python docs/results/intervals.py RUN BASE     how far they are above those of BASE, paired, to RUN/differences.json
"""

import functools
import json
import sys
from pathlib import Path

import lightning as L

from lit_vision import build
from lit_vision.experiment import yamlio
from lit_vision.metrics import bootstrap
from lit_vision.metrics.coco import CocoAP
from lit_vision.metrics.voc import VocAP
from lit_vision.session import resampling


def plain(estimate, class_names):
    """Value and ends: of all classes, and of each."""
    classes = zip(*estimate.per_class, strict=True)
    pairs = zip(["all", *class_names], [estimate.mean, *classes], strict=True)
    return {name: [float(value) for value in interval] for name, interval in pairs}


def main(folder, base=None):
    data = build.part(L.LightningDataModule, yamlio.load(folder / "config.yaml")["data"])
    data.setup()
    split = data.splits[data.test_split]
    targets = [split.target(index) for index in range(len(split))]
    runs = [resampling.of_run(each, targets, data.category_ids) for each in (base, folder) if each]
    estimates = bootstrap.differences if base else bootstrap.intervals
    result = {"images": len(targets), "classes": data.class_names}
    for kind in (CocoAP, VocAP):
        for name, estimate in estimates(functools.partial(kind, num_classes=data.num_classes), *runs, targets).items():
            result[name] = plain(estimate, data.class_names)
    (folder / ("differences.json" if base else "intervals.json")).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
