"""The random state of every process, so that a continued run draws what the uninterrupted one would have drawn."""

import random
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

KEY = "random_states"


class RandomStates(L.Callback):
    """Stores the states of Python, NumPy, torch and this rank's GPU for every rank, and brings them back.

    They come back right before the first training batch: what start-up draws differs between a run that starts and one
    that goes on. The loaders have generators of their own, so nothing else is drawn between a save and the next batch.
    """

    def __init__(self) -> None:
        self._restored: dict[str, Any] | None = None

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Gathers the states of all ranks."""
        states: list[Any] = [_state(trainer.strategy.root_device)]
        if trainer.world_size > 1:
            own, states = states[0], [None] * trainer.world_size
            torch.distributed.all_gather_object(states, own)
        checkpoint[KEY] = states

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Takes this rank's state."""
        states = checkpoint.get(KEY, [])
        if len(states) == trainer.world_size:
            self._restored = states[trainer.global_rank]
        elif states and trainer.state.fn == "fit":
            rank_zero_warn(
                f"the checkpoint is of {len(states)} process(es) and the run goes on with {trainer.world_size}: "
                f"random draws of the model start anew from the seed"
            )

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Brings the state back, once."""
        if self._restored is not None:
            _restore(self._restored, trainer.strategy.root_device)
            self._restored = None


def _state(device: torch.device) -> dict[str, Any]:
    """Plain types and tensors only: `torch.load(weights_only=True)` takes them."""
    name, keys, *rest = np.random.get_state()
    state = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    return state | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _restore(state: dict[str, Any], device: torch.device) -> None:
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
