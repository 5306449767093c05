"""The classification task: batches to losses, metrics to log names. It translates and does nothing else."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor
from torchmetrics import MeanMetric, Metric, MetricCollection

from lit_vision import distributed
from lit_vision.experiment import figures
from lit_vision.metrics.error import ErrorRate
from lit_vision.metrics.mean import ExactMean
from lit_vision.models.classifier import Classifier
from lit_vision.protocols.base import ClassProtocol
from lit_vision.tasks import optim, since_log
from lit_vision.tasks.task import ScheduleCallable, Task
from lit_vision.types import Batch


class Classification(Task):
    """Trains and tests a `Classifier` by cross-entropy; logs `loss`, `error`, `error5` in percent, and `lr`.

    Names are `train/…`, `val/…`, `test/…`. Training figures are means over the `log_every_n_steps` optimiser steps that
    end at the logged step. A schedule steps once per optimiser step, whatever the accumulation.

    Args:
        network: The classifier.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the learning-rate schedule from the optimiser; None keeps the rate.
        metrics: What is evaluated; top-1 error if None, and top-5 error where there are more than five classes.
        no_decay: Kinds of parameters exempt from weight decay: `norm`, `bias`, `slope`.
        bias_rate: Factor of the learning rate of biases outside norm layers; Caffe's networks have 2.
        class_names: Names of the classes; the data's.
        channels_last: Whether weights and images lie channels-last, which is faster with bf16 and on tensor cores.
        compile: Whether the network is compiled by `torch.compile`.
    """

    looks_by = ClassProtocol
    logs: ClassVar = figures.LOSSES
    network: Classifier
    protocol: ClassProtocol

    def __init__(
        self,
        network: Classifier,
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
            self.network.compile()
        self.val_metrics = collection("val/", metrics, network.num_classes)
        self.test_metrics = self.val_metrics.clone(prefix="test/")
        self.train_metrics = self.val_metrics.clone(prefix="train/")
        self.val_loss, self.test_loss, self.train_loss = ExactMean(), ExactMean(), MeanMetric()
        self._outcomes: list[tuple[Tensor, Tensor]] = []  # logits and targets since the last log
        self._losses: list[Tensor] = []
        self._errors_of_step: list[Tensor] = []

    def training_step(self, batch: Batch[Tensor], batch_idx: int) -> Tensor:
        """Loss of one (micro) batch."""
        logits = self.network(batch.images, batch.sizes).float()
        loss = F.cross_entropy(logits, batch.targets)
        # torchmetrics costs more per call than a step of a small network: figures are kept and fed in at logging time.
        self._outcomes.append((logits.detach(), batch.targets))
        self.loss_parts = {"loss": loss.detach()}
        self._losses.append(loss.detach())
        last_micro = self.is_last_micro(batch_idx)
        self._inform_schedule(logits, batch.targets, last_micro)
        step = self.trainer.global_step + 1
        if last_micro and self.logs_at(step):
            self._log_training(step)
        return loss

    def forget(self, batches: int) -> None:
        """Takes the last batches out of the means that will be logged: their step was left out."""
        del self._losses[-batches:]
        del self._outcomes[-batches:]

    def validation_step(self, batch: Batch[Tensor], batch_idx: int) -> None:
        """Updates `val/…`."""
        self._evaluate(batch, self.val_metrics, self.val_loss)

    def test_step(self, batch: Batch[Tensor], batch_idx: int) -> Tensor:
        """Updates `test/…`, unless a server alone knows the labels; returns the logits, [B, K]."""
        if not self._labelled:
            return self.protocol.score(self.network, batch.images, batch.sizes)
        return self._evaluate(batch, self.test_metrics, self.test_loss)

    def on_validation_epoch_end(self) -> None:
        """Logs the figures of the whole split."""
        self.inform_schedule(self._log_figures("val/loss", self.val_metrics, self.val_loss))

    def on_test_epoch_end(self) -> None:
        """Logs the figures of the whole split; none of images whose labels a server holds."""
        if self._labelled:
            self._log_figures("test/loss", self.test_metrics, self.test_loss)

    @property
    def _labelled(self) -> bool:
        """Whether the tested images have labels here."""
        return bool(getattr(getattr(self.trainer, "datamodule", None), "labelled", True))

    def _evaluate(self, batch: Batch[Tensor], metrics: MetricCollection, mean_loss: ExactMean) -> Tensor:
        logits = self.protocol.score(self.network, batch.images, batch.sizes)
        metrics.update(logits, batch.targets)
        mean_loss.update(F.cross_entropy(logits, batch.targets), len(batch.targets))
        return logits

    def _log_figures(self, name: str, metrics: MetricCollection, mean_loss: ExactMean) -> dict[str, Any]:
        # Not from the steps: ranks have different numbers of batches, and all must take part in each reduction.
        found: dict[str, Any] = metrics.compute()
        mean = mean_loss.compute()
        self.log_dict(found, prog_bar=True)
        self.log(name, mean)
        self.log_position(self.trainer.global_step)
        metrics.reset()
        mean_loss.reset()
        return found | {name: mean}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps the figures since the last log, so that a continued run logs what an uninterrupted one would.

        Those of all ranks: counts are summed, losses stay apart.
        """
        self._absorb()
        mine = {name: _counts(metric) for name, metric in self.train_metrics.items(keep_base=True)}
        parts = distributed.gather_everywhere(mine)
        checkpoint["since_log"] = {
            "metrics": {name: {key: sum(part[name][key] for part in parts) for key in mine[name]} for name in mine},
            "losses": since_log.gather([{"loss": loss} for loss in self._losses]),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the figures since the last log up again."""
        super().on_load_checkpoint(checkpoint)
        kept = checkpoint.get("since_log", {"metrics": {}, "losses": []})
        for name, state in kept["metrics"].items() if self.global_rank == 0 else ():  # sums of all ranks: count once
            for key, value in state.items():
                setattr(self.train_metrics[name], key, value.to(self.device))
        self._losses = [loss["loss"] for loss in since_log.own(kept["losses"], self.device)]

    def _absorb(self) -> None:
        if self._outcomes:
            logits, targets = zip(*self._outcomes, strict=True)
            self.train_metrics.update(torch.cat(logits), torch.cat(targets))
            self._outcomes.clear()

    def _log_training(self, step: int) -> None:
        self._absorb()
        self.train_loss.update(torch.stack(self._losses))
        self._losses.clear()
        values = self.train_metrics.compute() | {"train/loss": self.train_loss.compute()}
        self.train_metrics.reset()
        self.train_loss.reset()
        self.log_dict(values, prog_bar=True)
        schedule = self.lr_schedulers()
        if isinstance(schedule, optim.ErrorWarmup) and schedule.switched_at is not None:
            # With every line from then on: a figure logged once would stay in Lightning's lines until the epoch ends,
            # but not over a resumption.
            self.log("warmup_ended_at", float(schedule.switched_at))
        self.log_rate()
        self.log_position(step)

    def _inform_schedule(self, logits: Tensor, targets: Tensor, last_micro: bool) -> None:
        """Gives a schedule that waits for the training error the mean error of each optimiser step."""
        schedule = self.lr_schedulers()
        if not isinstance(schedule, optim.ErrorWarmup) or not schedule.observing:
            return
        self._errors_of_step.append((logits.argmax(1) != targets).float().mean() * 100)
        if last_micro:
            error: Any = self.all_gather(torch.stack(self._errors_of_step))
            self._errors_of_step.clear()
            schedule.observe(float(error.mean()))


def _counts(metric: Metric) -> dict[str, Any]:
    """What a metric has counted so far, as it can be sent and saved."""
    states: dict[str, Any] = metric.metric_state
    return {name: state.cpu() for name, state in states.items()}


def collection(prefix: str, chosen: Sequence[Metric] | None, num_classes: int) -> MetricCollection:
    """The chosen metrics by name: top-1 error, and top-5 error where there are more than five classes, if None."""
    if chosen is None:
        chosen = [ErrorRate(num_classes), *([ErrorRate(num_classes, top_k=5)] if num_classes > 5 else [])]
    named: dict[str, Metric | MetricCollection] = {}
    for metric in chosen:
        if getattr(metric, "num_classes", 0) is None:
            metric.num_classes = num_classes
        named[str(getattr(metric, "name", type(metric).__name__.lower()))] = metric
    # Compute groups would merge errors of several guesses, whose states differ; the check costs a pass over a batch.
    return MetricCollection(named, prefix=prefix, compute_groups=False)
