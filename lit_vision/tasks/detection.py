"""The detection task: batches to losses, detections to figures. It translates and does nothing else."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor
from torchmetrics import Metric

from lit_vision.experiment import figures
from lit_vision.metrics.coco import CocoAP
from lit_vision.models.detector import Detector
from lit_vision.ops import pixels
from lit_vision.protocols.base import BoxProtocol
from lit_vision.tasks import optim, since_log
from lit_vision.tasks.task import ScheduleCallable, Task
from lit_vision.types import Batch, Detections, Target


class Detection(Task):
    """Trains and tests a `Detector`; logs its losses under `train/` and its metrics' figures under `val/` and `test/`.

    Training losses are means over the `log_every_n_steps` optimiser steps that end at the logged step. Figures are in
    percent and in original pixels; those of single classes (`test/ap/<class>`) come with the test pass.

    Args:
        network: The detector.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the learning-rate schedule from the optimiser; None keeps the rate.
        metrics: What is evaluated; COCO's average precision if None.
        no_decay: Kinds of parameters exempt from weight decay: `norm`, `bias`, `slope`.
        bias_rate: Factor of the learning rate of biases outside norm layers; Caffe's networks have 2.
        class_names: Names of the classes; the data's.
        channels_last: Whether weights and images lie channels-last.
        compile: Whether backbone, pyramid and head are compiled by `torch.compile`.
    """

    looks_by = BoxProtocol
    logs: ClassVar = figures.LOSSES | figures.PARTS_OF_LOSS
    network: Detector
    protocol: BoxProtocol

    def __init__(
        self,
        network: Detector,
        optimizer: OptimizerCallable,
        schedule: ScheduleCallable | None = None,
        metrics: Sequence[Metric] | None = None,
        no_decay: Sequence[optim.Exempt] = (),
        bias_rate: float = 1.0,
        class_names: Sequence[str] | None = None,
        channels_last: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__(network, optimizer, schedule, no_decay, bias_rate, class_names, channels_last)
        if compile:
            self.network.compile_static()
        chosen = [CocoAP()] if metrics is None else list(metrics)
        for metric in chosen:
            if getattr(metric, "num_classes", 0) is None:
                metric.num_classes = network.num_classes
        self.test_metrics = torch.nn.ModuleList(chosen)
        self.val_metrics = torch.nn.ModuleList([_for_validation(metric) for metric in chosen])
        self._losses: list[dict[str, Tensor]] = []  # since the last log

    def training_step(self, batch: Batch[list[Target]], batch_idx: int) -> Tensor:
        """Sum of the detector's losses."""
        losses = self.network.loss(batch)
        self.loss_parts = {name: loss.detach() for name, loss in losses.items()}
        self._losses.append(self.loss_parts)
        step = self.trainer.global_step + 1
        if self.is_last_micro(batch_idx) and self.logs_at(step):
            self._log_training(step)
        return torch.stack(list(losses.values())).sum()

    def forget(self, batches: int) -> None:
        """Takes the last batches out of the means that will be logged: their step was left out."""
        del self._losses[-batches:]

    def validation_step(self, batch: Batch[list[Target]], batch_idx: int) -> dict[str, Any]:
        """Updates the metrics; returns the detections in original pixels as `found`."""
        return self._evaluate(batch, self.val_metrics)

    def test_step(self, batch: Batch[list[Target]], batch_idx: int) -> dict[str, Any]:
        """Updates the metrics; returns the detections in original pixels as `found`."""
        return self._evaluate(batch, self.test_metrics)

    def on_validation_epoch_end(self) -> None:
        """Logs what the metrics make of the whole split."""
        self.inform_schedule(self._log_figures("val/", self.val_metrics))

    def on_test_epoch_end(self) -> None:
        """Logs what the metrics make of the whole split, and of each class."""
        self._log_figures("test/", self.test_metrics)
        self._log_classes("test/")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the losses since the last log, so that a continued run logs what an uninterrupted one would."""
        checkpoint["since_log"] = since_log.gather(self._losses)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the losses since the last log up again."""
        super().on_load_checkpoint(checkpoint)
        self._losses = since_log.own(checkpoint.get("since_log", []), self.device)

    @torch.no_grad()
    def _evaluate(self, batch: Batch[list[Target]], metrics: torch.nn.ModuleList) -> dict[str, Any]:
        # Evaluation is the host's work: one copy per image, then everything in original pixels.
        detections = self.protocol.detect(self.network, batch.images, batch.sizes, *self._given(batch))
        found = [
            pixels.to_original(Detections(*(value.cpu() for value in one)), size, target.original_size.cpu())
            for one, size, target in zip(detections, batch.sizes.cpu(), batch.targets, strict=True)
        ]
        targets = [Target(*(value.cpu() for value in target)) for target in batch.targets]
        for metric in metrics:
            metric.update(found, targets)  # type: ignore[operator]
        return {"found": found}

    def _given(self, batch: Batch[list[Target]]) -> tuple[list[Tensor], ...]:
        """The data's regions, for a detector that finds objects among them alone."""
        return ([target.proposals for target in batch.targets],) if self.network.takes_proposals else ()

    def _log_training(self, step: int) -> None:
        names = list(self._losses[0])
        means = torch.stack([torch.stack([losses[name] for name in names]) for losses in self._losses]).mean(0)
        self._losses.clear()
        # The sum of the means is the mean of the sums.
        figures = {f"train/{name}": mean for name, mean in zip(names, means, strict=True)} | {"train/loss": means.sum()}
        self.log_dict(figures, prog_bar=True, sync_dist=True)
        self.log_rate()
        self.log_position(step)

    def _log_figures(self, prefix: str, metrics: torch.nn.ModuleList) -> dict[str, Tensor]:
        logged: dict[str, Tensor] = {}
        for metric in metrics:
            figures: dict[str, Tensor] = metric.compute()  # type: ignore[operator]
            logged |= {prefix + name: value.float() for name, value in figures.items()}
            if prefix == "val/":
                metric.reset()  # type: ignore[operator]
        self.log_dict(logged, prog_bar=False)
        self.log_position(self.trainer.global_step)
        return logged

    def _log_classes(self, prefix: str) -> None:
        for metric in self.test_metrics:
            per_class: dict[str, Tensor] = metric.per_class()  # type: ignore[operator]
            for name, values in per_class.items():
                named = zip(self.class_names or map(str, range(len(values))), values, strict=True)
                self.log_dict({f"{prefix}{name}/{label}": value.float() for label, value in named})
            metric.reset()  # type: ignore[operator]


def _for_validation(metric: Metric) -> Metric:
    """A copy that answers faster where there is a choice; the official evaluation has the last word in the test."""
    copied = metric.clone()
    if isinstance(copied, CocoAP):
        copied.backend = "fast"
    return copied
