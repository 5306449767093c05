"""The peer: ResNet-20 on a folder of 32x32 images in plain PyTorch, same network, batches and schedule, no Lightning.

python benchmarks/plain_pytorch.py DIR --steps 1500 --milestones 1000 1300
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F

from lit_vision.data.image_folder import ImageFolder
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.models.backbones.resnet import resnet20
from lit_vision.models.classifier import Classifier


def augment(images):
    padded = F.pad(images, (4, 4, 4, 4))
    out = torch.empty_like(images)
    for index, (top, left, flip) in enumerate(
        torch.stack([*torch.randint(9, (2, len(images))), torch.randint(2, (len(images),))], 1).tolist()
    ):
        view = padded[index, :, top : top + 32, left : left + 32]
        out[index] = view.flip(2) if flip else view
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--milestones", type=int, nargs="*", default=[1000, 1300])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    data = ImageFolder(arguments.folder, monitor="test", pipeline=SmallImages(mean="pixel", std=None))
    data.setup()
    train, test = data.splits["train"], data.splits["test"]
    net = Classifier(resnet20(), 10).to(memory_format=torch.channels_last)
    net.normalise.set(data.mean, data.std)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, arguments.milestones)
    order, seconds = torch.empty(0, dtype=torch.long), 0.0
    for _ in range(arguments.steps):
        if len(order) < 128:
            order = torch.randperm(len(train.labels))
        begin = time.perf_counter()
        chosen, order = order[:128], order[128:]
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(augment(train.images[chosen]))
        loss = F.cross_entropy(logits.float(), train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        seconds += time.perf_counter() - begin
    net.eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        wrong = sum(
            int((net(x).argmax(1) != y).sum())
            for x, y in zip(test.images.split(250), test.labels.split(250), strict=True)
        )
    print(json.dumps({"test/error": 100 * wrong / len(test.labels), "ms_per_step": 1000 * seconds / arguments.steps}))


if __name__ == "__main__":
    main()
