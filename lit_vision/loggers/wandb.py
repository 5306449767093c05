"""W&B, on by default and never in the way."""

import netrc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import torch
import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyExperiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_warn
from torch import Tensor

from lit_vision.types import Detections, Target

Mode = Literal["auto", "online", "offline", "disabled"]

INIT_SECONDS = 30
FINISH_SECONDS = 60


class Wandb(WandbLogger):
    """Lightning's W&B logger that never prompts, never blocks for long and never ends a run.

    Without an API key it writes an offline run, and also where the service does not answer. Whatever else fails in W&B
    is warned about once, and training goes on with `metrics.jsonl` complete. The command line fills in folder, id,
    name, group, tags and configuration.

    Args:
        project: W&B project.
        mode: `auto` is online with a key and offline without; the environment's `WANDB_MODE` goes before it.
        entity: W&B user or team; None is the account's default.
    """

    def __init__(self, project: str = "lit-vision", mode: Mode = "auto", entity: str | None = None) -> None:
        if not os.environ.get("WANDB_MODE"):
            os.environ.pop("WANDB_MODE", None)  # W&B refuses to start when it is there but empty
        self.mode = os.environ.get("WANDB_MODE") or (_mode_by_key() if mode == "auto" else mode)
        super().__init__(project=project, entity=entity, mode=self.mode, settings=_settings())
        self._wandb_init.pop("anonymous", None)  # has no effect any more, except a warning
        self._failed = False

    def describe(self, folder: Path, run_id: str, name: str, group: str, tags: Sequence[str], config: Any) -> None:
        """Says what the run is, before it starts.

        Args:
            folder: The run's folder; W&B's own files go below it.
            run_id: The same for the whole life of the run.
            name: Row and seed.
            group: The recipe.
            tags: Paper and table.
            config: Resolved configuration, card, versions.
        """
        tags = [tag[:64] for tag in tags if tag]  # W&B refuses longer ones
        self._wandb_init |= {"dir": str(folder), "id": run_id, "name": name, "group": group, "tags": tags}
        self._wandb_init["config"] = config
        self._save_dir, self._id, self._name = str(folder), run_id, name

    @property
    def experiment(self) -> Any:
        """The W&B run; on other ranks, or once W&B has failed, an object that ignores everything."""
        if self._experiment is None and not self._failed:
            self._try(self._start)
        return self._experiment or DummyExperiment()

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs figures at an optimiser step."""
        self._try(lambda: WandbLogger.log_metrics(self, metrics, step))

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Adds to the run's configuration what the module saved as hyper-parameters."""
        self._try(lambda: WandbLogger.log_hyperparams(self, params))

    @rank_zero_only
    def summarise(self, summary: dict[str, Any]) -> None:
        """Writes figures into the run's summary."""
        self._try(lambda: self.experiment.summary.update(summary))

    @rank_zero_only
    def log_boxes(self, name: str, pictures: Sequence[tuple[Tensor, Target, Detections]], classes: list[str]) -> None:
        """Logs pictures with ground truth and detections, both in the pixels of the picture.

        Args:
            name: The key in W&B.
            pictures: uint8 [3, H, W], its objects, what was found.
            classes: Names by label.
        """
        self._try(lambda: self.experiment.log({name: [_picture(*picture, classes) for picture in pictures]}))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends a phase; the run itself stays open until `finish`."""
        self._try(lambda: WandbLogger.finalize(self, status))

    @rank_zero_only
    def preempting(self) -> None:
        """Tells W&B that a cluster takes the machine away, and that the run will go on."""
        self._try(lambda: self.experiment.mark_preempting())

    @rank_zero_only
    def finish(self, exit_code: int = 0) -> None:
        """Closes the W&B run and flushes its files."""
        if self._experiment is not None:
            self._try(lambda: self.experiment.finish(exit_code=exit_code))

    @rank_zero_only
    def _start(self) -> None:
        Path(self._save_dir or ".").mkdir(parents=True, exist_ok=True)
        try:
            self._experiment = super().experiment
        except Exception as error:
            if self._wandb_init["mode"] != "online":
                raise
            rank_zero_warn(f"W&B could not start a run online ({_line(error)}); it writes offline: wandb sync sends it")
            self._wandb_init["mode"] = self.mode = "offline"
            wandb.teardown()  # W&B's service would refuse the id, which the failed attempt still holds
            self._experiment = super().experiment

    def _try(self, action: Callable[[], object]) -> None:
        """Does something with W&B; the first failure is told, and from then on W&B is left alone."""
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            rank_zero_warn(f"W&B failed and is left out from here on ({_line(error)}); metrics.jsonl stays complete")
            self._failed, self._experiment = True, None


def _settings() -> wandb.Settings:
    # `console` would capture the terminal, which the progress bar needs; `silent` keeps W&B's banner out of ours.
    settings = wandb.Settings(console="off", silent=True, init_timeout=INIT_SECONDS)
    if hasattr(settings, "finish_timeout"):  # older releases lack it, and wait for the upload
        settings.finish_timeout = FINISH_SECONDS
    return settings


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _picture(image: Tensor, target: Target, found: Detections, classes: list[str]) -> wandb.Image:
    truth = Detections(target.original_boxes, torch.ones(len(target.labels)), target.labels)
    names = dict(enumerate(classes))
    layers = {
        layer: {"box_data": [_box(*values) for values in zip(*(part.tolist() for part in boxes), strict=True)]}
        | {"class_labels": names}
        for layer, boxes in (("ground truth", truth), ("found", found))
    }
    return wandb.Image(image.permute(1, 2, 0).cpu().numpy(), boxes=layers)


def _box(corners: list[float], score: float, label: int) -> dict[str, Any]:
    position = dict(zip(("minX", "minY", "maxX", "maxY"), corners, strict=True))
    return {"position": position, "domain": "pixel", "class_id": label, "scores": {"score": score}}


def _mode_by_key() -> Mode:
    """Online with an API key in the environment or in netrc, where `wandb login` puts it; else offline.

    W&B's own look-up may prompt or ask the network, depending on its release.
    """
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).netloc
    try:
        stored = netrc.netrc(os.environ.get("NETRC")).hosts.get(host)  # not its `default`, which is for no host
    except (OSError, netrc.NetrcParseError):
        stored = None
    return "online" if os.environ.get("WANDB_API_KEY") or stored else "offline"
