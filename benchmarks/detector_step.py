"""A training step of our detector for own boxes beside torchvision's RetinaNet-R18-FPN: same images, same switches.

Both train from scratch at short side 240, four images a step, bf16 and channels-last, on scenes of digits; steps
alternate, so that whatever else the machine does falls on both.

python benchmarks/detector_step.py [--steps 12] [--classes 3]
"""

import argparse
import json
import statistics
import time

import torch
from torchvision.models.detection import RetinaNet as Peer
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from lit_vision import build
from lit_vision.data.digit_scenes import DigitScenes
from lit_vision.data.pipelines.collate import collate_boxes
from lit_vision.data.pipelines.scenes import short_side
from lit_vision.experiment import recipes
from lit_vision.models.detector import Detector
from lit_vision.types import Sample


def ours(classes):
    config = recipes.resolve(["quickstart/own_boxes"]).config["model"]["init_args"]["network"]
    return build.part(Detector, config, num_classes=classes)


def peer(classes):
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        norm_layer=torch.nn.BatchNorm2d,
        trainable_layers=5,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    return Peer(backbone, classes, min_size=240, max_size=400)


def batches(classes, count=4, height=240, width=320):
    """Scenes of digits, cut to the shape of the blood-cell photographs."""
    data = DigitScenes(size=width, train=40, val=1, test=1, batch_size=4, pipeline=short_side([width], width, width))
    data.setup()
    made = []
    for batch in [batch for _, batch in zip(range(count), data.train_dataloader(), strict=False)]:
        samples = []
        for image, target in zip(batch.images, batch.targets, strict=True):
            boxes = target.boxes.clone()
            boxes[:, 3].clamp_(max=height)
            kept = boxes[:, 3] - boxes[:, 1] > 4
            target = target._replace(
                boxes=boxes[kept],
                labels=target.labels[kept] % classes,
                crowd=target.crowd[kept],
                difficult=target.difficult[kept],
            )
            samples.append(Sample(image[:, :height, :width], target))
        made.append(collate_boxes(samples))
    return made


def step_ours(model, optimizer, batch):
    images = batch.images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.loss(batch._replace(images=images))
    update(optimizer, losses)


def step_peer(model, optimizer, batch):
    images = [
        image[:, :height, :width].float() / 255
        for image, (height, width) in zip(batch.images, batch.sizes, strict=True)
    ]
    targets = [{"boxes": target.boxes, "labels": target.labels} for target in batch.targets]
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, targets)
    update(optimizer, losses)


def update(optimizer, losses):
    optimizer.zero_grad()
    sum(losses.values()).backward()
    optimizer.step()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--classes", type=int, default=3)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    made = batches(arguments.classes)
    contenders = []
    for build_model, step in ((ours, step_ours), (peer, step_peer)):
        model = build_model(arguments.classes).to(memory_format=torch.channels_last).train()
        contenders.append((step, model, torch.optim.AdamW(model.parameters(), lr=1e-4), []))
    for number in range(arguments.steps + 2):
        for step, model, optimizer, times in contenders:
            start = time.perf_counter()
            step(model, optimizer, made[number % len(made)])
            times.append(time.perf_counter() - start)
    mine, theirs = (statistics.median(times[2:]) for *_, times in contenders)
    print(
        json.dumps(
            {
                "what": "training step of quickstart/own_boxes, 4 images of 240 x 320",
                "ours": f"{mine:.2f}",
                "peer": f"{theirs:.2f} (torchvision's RetinaNet-R18-FPN)",
                "unit": "s",
                "ratio": round(mine / theirs, 3),
                "aim": "at most 3/4",
                "command": "python benchmarks/detector_step.py",
            }
        )
    )


if __name__ == "__main__":
    main()
