"""What both tasks share: optimiser and schedule, input statistics from the data, and the step that loggers see."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lit_vision import distributed
from lit_vision.errors import InputError
from lit_vision.experiment import figures
from lit_vision.models import norm
from lit_vision.models.weights import preprocessing
from lit_vision.protocols.base import Protocol
from lit_vision.protocols.plain import Plain
from lit_vision.tasks import optim, plateau

ScheduleCallable = Callable[[Optimizer], LRScheduler]


class Task(L.LightningModule):
    """Trains one network on one data module. A subclass holds the network and turns batches into losses and figures.

    Args:
        network: What is trained; has `num_classes`, `normalise` and `follows_data`.
        optimizer: Makes the optimiser from parameter groups.
        schedule: Makes the learning-rate schedule from the optimiser; None keeps the rate.
        no_decay: Kinds of parameters exempt from weight decay: `norm`, `bias`, `slope`.
        bias_rate: Factor of the learning rate of biases outside norm layers; Caffe's networks have 2.
        class_names: Names of the classes; the data's.
        channels_last: Whether weights and images lie channels-last.

    Attributes:
        looks_by: What kind of protocol evaluates it.
        protocol: How evaluation looks at an image; `look` sets another one.
    """

    looks_by: ClassVar[type[Protocol]]
    protocol: Any
    logs: ClassVar[figures.Group]
    """What it logs beside the figures of its metrics."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable,
        schedule: ScheduleCallable | None,
        no_decay: Sequence[optim.Exempt],
        bias_rate: float,
        class_names: Sequence[str] | None,
        channels_last: bool,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last) if channels_last else network
        self.optimizer = optimizer
        self.schedule = schedule
        self.no_decay = no_decay
        self.bias_rate = bias_rate
        self.class_names = class_names
        self.protocol = Plain()
        self.loss_parts: dict[str, Tensor] = {}
        """Parts of the loss of the current batch, for messages that must say which of them went wrong."""

    def look(self, protocol: Protocol) -> None:
        """Evaluates by another protocol from now on.

        Raises:
            InputError: If it is one of another task, or not for such a network.
        """
        if not isinstance(protocol, self.looks_by):
            raise InputError(
                f"protocol {type(protocol).__name__} is not for the task {type(self).__name__}: "
                f"it is no {self.looks_by.__name__}"
            )
        protocol.check(self.network)
        self.protocol = protocol

    def __setattr__(self, name: str, value: Any) -> None:
        # Lightning notes the running hook some forty times a step, and a module's way of setting an attribute looks for
        # parameters and submodules first: a seventh of what Lightning adds to a step of a tiny network.
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def setup(self, stage: str) -> None:
        """Takes the input statistics from the data, unless the network has its own; checks the number of classes.

        Raises:
            InputError: If the network and the data disagree about the number of classes.
        """
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is None:
            return
        network: Any = self.network
        if data.num_classes != network.num_classes:
            raise InputError(
                f"the network has {network.num_classes} classes, but {type(data).__name__} has {data.num_classes}; "
                f"leave model.network.num_classes out, and it follows the data"
            )
        if getattr(network, "takes_proposals", False) and not data.proposals:
            raise InputError(
                f"{type(network).__name__} finds objects among given regions; name their files by data.proposals, "
                "or train it as a stage after one that proposes"
            )
        if network.follows_data:
            network.normalise.set(data.mean, data.std)
        self.class_names = self.class_names or data.class_names

    def on_fit_start(self) -> None:
        """Refuses what a normalisation layer cannot do, now that weights or a checkpoint are in; says what it does."""
        self._compare_preprocessing(refuse=False)
        preprocessing.forget(self.network)
        norm.refuse_random_frozen(self.network)
        world_size = self.trainer.world_size
        norm.refuse_sync_on_cpu(self.network, world_size, self.device)
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is not None:
            images = data.batch_size // (world_size * self.trainer.accumulate_grad_batches)
            norm.tell_of_batch_statistics(self.network, images, world_size)
        if isinstance(schedule := self.lr_schedulers(), plateau.Plateau):
            plateau.refuse_unseen(schedule, self.trainer)

    def on_validation_start(self) -> None:
        """Refuses public weights that this run would misread; those in training were compared at its start."""
        if self.trainer.validating:
            self._compare_preprocessing(refuse=True)

    def on_test_start(self) -> None:
        """Refuses public weights that this run would misread."""
        self._compare_preprocessing(refuse=True)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Forgets where weights came from: the checkpoint's replace them, and bring their own normalisation."""
        preprocessing.forget(self.network)

    def on_validation_epoch_start(self) -> None:
        """All ranks evaluate rank zero's running statistics; those of averaged weights are in place only by now."""
        if self.trainer.model is not None:
            distributed.share_buffers(self.trainer.model)
        self._begin_protocol()

    def on_test_epoch_start(self) -> None:
        """Lets the protocol prepare itself."""
        self._begin_protocol()

    def _begin_protocol(self) -> None:
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is not None:
            self.protocol.begin(self.network, data.training_images)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimiser over the parameter groups, schedule per optimiser step."""
        optimizer = self.optimizer(optim.parameter_groups(self.network, self.no_decay, self.bias_rate))
        optim.scale_rates(optimizer)
        if self.schedule is None:
            return optimizer
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": self.schedule(optimizer), "interval": "step"},
        }

    def inform_schedule(self, validated: Mapping[str, Any]) -> None:
        """Gives a schedule that waits for a validation figure those of the validation that ended.

        Args:
            validated: Figures by logged name, the same on all ranks.
        """
        schedule = self.lr_schedulers() if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking else None
        if isinstance(schedule, plateau.Plateau):
            schedule.observe(self.trainer.global_step, validated)

    def is_last_micro(self, batch_idx: int) -> bool:
        """Whether the optimiser steps after this batch."""
        return (batch_idx + 1) % self.trainer.accumulate_grad_batches == 0

    def logs_at(self, step: int) -> bool:
        """Whether training figures are logged after this optimiser step."""
        trainer: Any = self.trainer  # its stubs lack the attribute
        return bool(step % trainer.log_every_n_steps == 0)

    def log_rate(self) -> None:
        """Logs the learning rate."""
        self.log("lr", self.trainer.optimizers[0].param_groups[0]["lr"])

    def _compare_preprocessing(self, refuse: bool) -> None:
        """Between what public weights were trained with and what the data's pipeline does."""
        data: Any = getattr(self.trainer, "datamodule", None)
        preprocessing.tell(self.network, getattr(data, "pipeline", None), refuse)

    def log_position(self, step: int) -> None:
        """Every logger gets the optimiser step; Lightning's own count lags behind it by one while fitting."""
        self.log("step", float(step), reduce_fx="max")
