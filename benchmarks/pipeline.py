"""Augmented and normalised 32x32 batches: the in-memory pipeline against the usual per-image PIL pipeline, one process.

python benchmarks/pipeline.py
"""

import json
import time

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lit_vision.data.pipelines.pipeline import Place, Split
from lit_vision.data.pipelines.sampler import TrainBatches
from lit_vision.data.pipelines.small import SmallImages
from lit_vision.models.normalise import Normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SECONDS = 4.0


class PerImage(Dataset):
    def __init__(self, images):
        self.images = images.permute(0, 2, 3, 1).numpy()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index])), 0


def rate(batches):
    begin, count = time.perf_counter(), 0
    for images in batches:
        count += len(images)
        if time.perf_counter() - begin > SECONDS:
            break
    return count / (time.perf_counter() - begin)


def in_memory(images):
    pipeline, normalise = SmallImages(), Normalise(MEAN, STD)
    loader = pipeline.train_loader(
        Split(images, torch.zeros(len(images), dtype=torch.long)), TrainBatches(len(images), 128), 0, 0
    )
    while True:
        for step, batch in enumerate(loader):
            yield pipeline.augment(batch.images, Place(0, step, 0, 128), normalise)


def main():
    images = torch.randint(256, (20000, 3, 32, 32), dtype=torch.uint8)
    ours = rate(in_memory(images))
    peer = rate(batch for batch, _ in DataLoader(PerImage(images), batch_size=128, shuffle=True))
    entry = {
        "what": "CIFAR batches, crop, flip, normalise",
        "ours": f"{ours:,.0f}",
        "peer": f"{peer:,.0f} (PIL per image)",
        "unit": "images/s",
    }
    print(
        json.dumps(
            entry | {"ratio": round(ours / peer, 2), "aim": "at least 10", "command": "python benchmarks/pipeline.py"}
        )
    )


if __name__ == "__main__":
    main()
