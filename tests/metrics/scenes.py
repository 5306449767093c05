"""Images with objects and detections for the metrics: by hand, at random, and out to trip them."""

import torch

from lit_vision.types import Detections, Target


def truth(image_id, boxes=(), labels=None, crowd=None, difficult=None, area=None):
    boxes = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    count = len(boxes)
    sides = boxes[:, 2:] - boxes[:, :2]
    return Target(
        boxes.float(),
        torch.tensor(labels if labels is not None else [0] * count, dtype=torch.int64),
        torch.tensor(crowd if crowd is not None else [False] * count, dtype=torch.bool),
        torch.tensor(difficult if difficult is not None else [False] * count, dtype=torch.bool),
        sides.prod(1) if area is None else torch.tensor(area, dtype=torch.float64),
        torch.tensor(image_id),
        torch.tensor([480, 640]),
        boxes,
    )


def found(boxes=(), scores=(), labels=None):
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Detections(
        boxes,
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels if labels is not None else [0] * len(boxes), dtype=torch.int64),
    )


def random(images=12, classes=3, detections=20, seed=0, scores=None, crowds=0.1, difficult=0.0):
    """Objects of all sizes, detections shaken around them and at random; `scores` rounds to that many steps."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    def boxes(count):
        corner, side = 400 * uniform(count, 2), (8 + 40 * uniform(count, 2)) ** (0.7 + 0.8 * uniform(count, 1))
        return torch.cat([corner, corner + side], 1)

    everything = []
    for image in torch.randperm(10 * images, generator=draw)[:images].tolist():
        count = int(torch.randint(0, 8, (), generator=draw))
        objects, labels = boxes(count), torch.randint(0, classes, (count,), generator=draw)
        target = truth(image, objects.tolist(), labels.tolist())
        target = target._replace(
            crowd=uniform(count) < crowds, difficult=uniform(count) < difficult, area=target.area * uniform(count)
        )
        places, kinds = boxes(detections), torch.randint(0, classes, (detections,), generator=draw)
        if count:
            chosen = torch.randint(0, count, (detections // 2,), generator=draw)
            sides = (objects[chosen, 2:] - objects[chosen, :2]).repeat(1, 2)
            places[: len(chosen)] = objects[chosen] + sides * 0.12 * (uniform(len(chosen), 4) - 0.5)
            kinds[: len(chosen)] = labels[chosen]
        certainty = uniform(detections)
        certainty = certainty if scores is None else (certainty * scores).floor() / scores
        everything.append((Detections(places.float(), certainty.float(), kinds), target))
    return [pair[0] for pair in everything], [pair[1] for pair in everything]


def measure(metric, found, targets, batch=5):
    for first in range(0, len(targets), batch):
        metric.update(found[first : first + batch], targets[first : first + batch])
    return metric.compute()
