"""COCO AP of 5,000 images x 80 detections x 80 classes: CocoAP beside the libraries fed with dictionaries.

Each runs in its own process, on one thread: processor seconds from detections in memory to figures, and what the
process at its peak holds beyond its imports, its input included. The peers' time starts with their dictionaries built.

python benchmarks/coco_eval.py
"""

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import time

import numpy as np

IMAGES, DETECTIONS, CLASSES = 5000, 80, 80
OBJECTS = 7.3  # a COCO image's mean
CONTENDERS = ("fast", "official", "pycocotools", "faster-coco-eval")


def scene(seed=0):
    """Objects and detections of all images, flat; half the detections are shaken around objects."""
    draw = np.random.default_rng(seed)

    def boxes(count):
        corner = draw.uniform(0, 500, (count, 2))
        side = np.exp(draw.uniform(np.log(8), np.log(300), (count, 2)))
        return np.concatenate([corner, corner + side], 1)

    counts = draw.poisson(OBJECTS, IMAGES)
    truth, labels = boxes(counts.sum()), draw.integers(0, CLASSES, counts.sum())
    owners = np.repeat(np.arange(IMAGES), DETECTIONS)
    found, kinds = boxes(len(owners)), draw.integers(0, CLASSES, len(owners))
    chosen = (counts.cumsum() - counts)[owners] + (draw.random(len(owners)) * counts[owners]).astype(int)
    near = (draw.random(len(owners)) < 0.5) & (counts[owners] > 0)
    around, kinds[near] = truth[chosen[near]], labels[chosen[near]]
    sides = np.tile(around[:, 2:] - around[:, :2], 2)
    found[near] = around + sides * draw.normal(0, 0.1, sides.shape)
    crowd = draw.random(len(truth)) < 0.02
    scores = draw.random(len(owners)).astype(np.float32)
    return counts, truth, labels, crowd, found.astype(np.float32), scores, kinds


def peak():
    """The process's so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(backend):
    import torch

    from lit_vision.metrics.coco import CocoAP
    from lit_vision.types import Detections, Target

    torch.set_num_threads(1)
    imported = peak()
    counts, *flat = scene()
    truth, labels, crowd, found, scores, kinds = (torch.from_numpy(column) for column in flat)
    difficult, area = torch.zeros_like(crowd), (truth[:, 2:] - truth[:, :2]).prod(1)
    columns = (truth.float(), labels, crowd, difficult, area, truth)
    per_image = [column.split(counts.tolist()) for column in columns]
    size = torch.tensor([640, 640])
    targets = [
        Target(*rows[:5], torch.tensor(image), size, rows[5]) for image, rows in enumerate(zip(*per_image, strict=True))
    ]
    detections = [
        Detections(*rows)
        for rows in zip(found.split(DETECTIONS), scores.split(DETECTIONS), kinds.split(DETECTIONS), strict=True)
    ]
    begin = time.process_time()
    metric = CocoAP(backend, num_classes=CLASSES)
    for first in range(0, IMAGES, 8):
        metric.update(detections[first : first + 8], targets[first : first + 8])
    figures = metric.compute()
    return time.process_time() - begin, peak() - imported, [value.item() for value in figures.values()]


def dictionaries():
    counts, truth, labels, crowd, found, scores, kinds = scene()
    found = found.astype(np.float64)
    for boxes in (truth, found):
        boxes[:, 2:] -= boxes[:, :2]
    images = np.repeat(np.arange(IMAGES), counts).tolist()
    objects = zip(images, labels.tolist(), truth.tolist(), crowd.tolist(), strict=True)
    annotations = [
        {"id": number, "image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": int(c)}
        for number, (image, label, box, c) in enumerate(objects, 1)
    ]
    images = np.repeat(np.arange(IMAGES), DETECTIONS).tolist()
    results = [
        {"image_id": image, "category_id": label, "bbox": box, "score": score}
        for image, label, box, score in zip(images, kinds.tolist(), found.tolist(), scores.tolist(), strict=True)
    ]
    categories = [{"id": label} for label in range(CLASSES)]
    return {"images": [{"id": n} for n in range(IMAGES)], "annotations": annotations, "categories": categories}, results


def peer(coco_class, evaluation_class):
    imported = peak()
    dataset, results = dictionaries()
    begin = time.process_time()
    with contextlib.redirect_stdout(None):
        truth = coco_class()
        truth.dataset = dataset
        truth.createIndex()
        evaluation = evaluation_class(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return time.process_time() - begin, peak() - imported, [100 * value for value in list(evaluation.stats)[:12]]


def run(contender):
    if contender in ("fast", "official"):
        return ours(contender)
    if contender == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval
    return peer(COCO, COCOeval)


def apart(contender):
    """Seconds, MB and figures of a contender in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--only", contender], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(measured, column, unit, aim, form):
    fast, official, slow, faster = (measured[contender][column] for contender in CONTENDERS)
    print(
        json.dumps(
            {
                "what": "COCO AP of 5,000 images x 80 detections x 80 classes",
                "ours": f"{fast:{form}} (fast), {official:{form}} (official)",
                "peer": f"{slow:{form}} (pycocotools), {faster:{form}} (faster-coco-eval)",
                "unit": unit,
                "ratio": round(fast / slow, 3),
                "aim": aim,
                "command": "python benchmarks/coco_eval.py",
            }
        )
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=CONTENDERS)
    only = parser.parse_args().only
    if only:
        print(json.dumps(run(only)))
        return
    measured = {contender: apart(contender) for contender in CONTENDERS}
    for contender, (*_, figures) in measured.items():
        np.testing.assert_allclose(figures, measured["pycocotools"][2], rtol=0, atol=1e-9, err_msg=contender)
    report(measured, 0, "CPU s", "at most 1/6", ".1f")
    report(measured, 1, "MB", "at most 1/2", ".0f")


if __name__ == "__main__":
    main()
