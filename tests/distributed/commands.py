"""What the ranks of `world` do. Imported by the fork server, so all that a rank needs is imported here."""

import os
import time
from functools import partial
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torchvision.ops import FrozenBatchNorm2d

from lit_vision import cli
from lit_vision.data import boxes, digits, image_folder, voc  # noqa: F401
from lit_vision.data.pipelines import scenes
from lit_vision.experiment import names as check
from lit_vision.loggers.metrics_file import MetricsFile
from lit_vision.models import classifier, pyramid, retinanet
from lit_vision.models.backbones import resnet
from lit_vision.session import request, session
from lit_vision.tasks import classification, detection
from tests.twins import folders

NAMES = ("bolt", "nut", "washer")


def command(*commands):
    """`lit-vision` with each of the lists of arguments, one after the other."""
    for arguments in commands:
        code = cli.main([*map(str, arguments), *devices()])
        assert code == 0, code


def evaluate(name, *arguments):
    """`validate` or `test`; keeps all figures at full precision in `<name>.rank<number>.pt`."""
    values, options = cli._options(arguments[0], [*map(str, arguments[1:]), *devices()])
    asked = request.Request(arguments[0], options=options, **values)
    experiment = request.resolve(asked)
    check.names(experiment)
    running = session.Session(asked, experiment)
    assert running.run() == 0
    trainer = running.assembler.trainer
    torch.save(dict(trainer.callback_metrics), f"{name}.rank{trainer.global_rank}.pt")


def of_digits(norm):
    """A classifier of 8 x 8 pixels, cropped and mirrored, 16 images a step."""
    net = classifier.Classifier(resnet.resnet20(norm=norm), num_classes=10)
    task = classification.Classification(net, partial(torch.optim.SGD, lr=0.05, momentum=0.9))
    return task, digits.Digits(batch_size=16, eval_batch_size=50, seed=3)


def of_boxes(norm):
    """A detector of images of several sizes, at two scales and mirrored, 4 images a step."""
    backbone = resnet.imagenet_basic([1, 1, 1, 1], residual=True, norm=norm)
    net = retinanet.RetinaNet(pyramid.Pyramid(backbone, [3, 4, 5], channels=16), num_classes=len(NAMES))
    task = detection.Detection(net, partial(torch.optim.SGD, lr=0.01, momentum=0.9))
    data = voc.VocFormat(
        "../own", pipeline=scenes.short_side([64, 80], 64, 96), batch_size=4, eval_batch_size=2, seed=3
    )
    return task, data


def train(kind, norm):
    """Ten optimiser steps in fp32: of two processes, or of two halves of the batch accumulated in one."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    torch.manual_seed(0)
    task, data = {"classification": of_digits, "detection": of_boxes}[kind](norm)
    net = task.network
    for layer in net.modules():
        if isinstance(layer, FrozenBatchNorm2d):  # as if something had been loaded
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    trainer = L.Trainer(
        max_steps=10,
        accelerator="cpu",
        devices=world,
        strategy="ddp" if world > 1 else "auto",
        accumulate_grad_batches=2 // world,
        log_every_n_steps=1,
        limit_val_batches=0,
        logger=MetricsFile(Path("metrics.jsonl")),
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, datamodule=data)
    if trainer.is_global_zero:
        torch.save(net.state_dict(), "weights.pt")


POISON = "ant/3.png"


def poisoned():
    """A run of batches of eight whose loss is not a number where one white image is among them."""
    if os.environ["RANK"] == "0":
        folders.small(Path("images.part"), splits={"train": 8, "val": 2, "test": 2})
        folders.save(Path("images.part/train") / POISON, np.full((8, 8, 3), 255, dtype=np.uint8))
        Path("images.part").rename("images")
    while not Path("images").exists():
        time.sleep(0.01)
    forward = classifier.Classifier.forward

    def faulty(network, images, sizes=None):
        white = (images == 255).flatten(1).float().mean(1) > 0.5
        return forward(network, images, sizes) * (float("nan") if white.any() else 1.0)

    classifier.Classifier.forward = faulty
    options = (
        "--data",
        "lit_vision.data.image_folder.ImageFolder",
        "--data.root",
        "images",
        "--trainer.logger",
        "false",
    )
    # Padded with black, so that the task gets pixels, which tell white.
    pipeline = ("--data.pipeline", "lit_vision.data.pipelines.small.SmallImages", "--data.pipeline.fill", "black")
    sizes = ("--data.batch_size", "8", "--data.eval_batch_size", "2", "--trainer.max_steps", "6")
    command = ["fit", "--config", "quickstart/digits", *options, *pipeline, *sizes, "--run", "run", *devices()]
    assert cli.main(command) == 2


def devices():
    """Options for the devices that the launcher has given."""
    nodes = int(os.environ.get("SLURM_NNODES", "1"))
    world, each = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    world = max(world, nodes)
    several = ["--trainer.strategy", "ddp", "--trainer.num_nodes", str(world // each)] if world > 1 else []
    return ["--trainer.accelerator", "cpu", "--trainer.devices", str(each), *several]
