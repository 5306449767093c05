"""CPU time per step that the Lightning path adds on a tiny network, loss and error logged, against a bare loop.

python benchmarks/lightning_overhead.py
"""

import json
import time

import lightning as L
import torch
import torch.nn.functional as F
from torch import nn

from lit_vision.data.digits import Digits
from lit_vision.data.pipelines.pipeline import Place
from lit_vision.models.backbones.base import Backbone
from lit_vision.models.classifier import Classifier
from lit_vision.tasks.classification import Classification

STEPS, WARM = 1500, 200
BATCH = 8  # 149 steps an epoch; CIFAR has 390


class Tiny(Backbone):
    def __init__(self):
        super().__init__()
        self.channels = {3: 8}
        self.conv = nn.Conv2d(3, 8, 8, 8)

    def forward(self, images):
        return {3: self.conv(images)}

    def parts(self):
        return {3: [self.conv]}

    @classmethod
    def example(cls):
        return cls()


class Clock(L.Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == WARM:
            self.begin = time.thread_time()
        if trainer.global_step == STEPS:
            self.ms = 1000 * (time.thread_time() - self.begin) / (STEPS - WARM)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01)


def lightning_ms():
    clock = Clock()
    trainer = L.Trainer(
        max_steps=STEPS, max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[clock],
        enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0, use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(Classification(Classifier(Tiny(), 10), sgd), datamodule=Digits(batch_size=BATCH))
    return clock.ms


def bare_ms():
    data = Digits(batch_size=BATCH)
    data.setup()
    net = Classifier(Tiny(), 10)
    optimizer = sgd(net.parameters())
    step, begin = 0, 0.0
    while True:
        for batch in data.train_dataloader():
            images = data.pipeline.augment(batch.images, Place(0, step, 0, BATCH), net.normalise)
            loss = F.cross_entropy(net(images), batch.targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == WARM:
                begin = time.thread_time()
            if step == STEPS:
                return 1000 * (time.thread_time() - begin) / (STEPS - WARM)


def main():
    torch.set_num_threads(1)
    pairs = [(lightning_ms(), bare_ms()) for _ in range(3)]
    added = sorted(ours - bare for ours, bare in pairs)[1]
    ours, bare = sorted(pairs)[1]
    entry = {
        "what": f"step of a tiny network; Lightning adds {added:.2f} ms",
        "ours": f"{ours:.2f}",
        "peer": f"{bare:.2f} (bare loop)",
    }
    rest = {"unit": "CPU ms", "ratio": round(ours / bare, 2), "aim": "at most 0.6 ms added"}
    print(json.dumps(entry | rest | {"command": "python benchmarks/lightning_overhead.py"}))


if __name__ == "__main__":
    main()
