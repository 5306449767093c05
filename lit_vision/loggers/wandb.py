"""W&B, on by default and never in the way."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import DummyExperiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_warn
from torch import Tensor

from lit_vision.loggers import wandb_files, wandb_panels
from lit_vision.loggers.wandb_files import Mode
from lit_vision.loggers.wandb_identity import PROJECT, Identity
from lit_vision.loggers.wandb_pictures import Boxes, Pictures, Shown
from lit_vision.types import Detections, Target

Sent = Literal["none", "last", "best", "all"]

_CHECKPOINTS = {
    "none": (),
    "last": ("last.ckpt",),
    "best": ("best-*.ckpt",),
    "all": ("last.ckpt", "best-*.ckpt", "step-*.ckpt"),
}


class Wandb(WandbLogger):
    """Lightning's W&B logger that never prompts, never blocks for long and never ends a run.

    Without an API key it writes an offline run, and also where the service does not answer. Whatever else fails in W&B
    is warned about once, and training goes on with `metrics.jsonl` complete. The command line fills in folder, id,
    name, group, tags and configuration. W&B's caches stay in the run's folder (`wandb_files`).

    Args:
        project: W&B project.
        mode: `auto` is online with a key and offline without; the environment's `WANDB_MODE` takes precedence.
        entity: W&B user or team; None is the account's default.
        checkpoints: Which checkpoints become artifacts after the test pass: the last, the best that `checkpoint.best`
            keeps, or all that are there. An offline run refers to the files in the run's folder, so they must still
            lie there when it is sent.
    """

    def __init__(
        self, project: str = PROJECT, mode: Mode = "auto", entity: str | None = None, checkpoints: Sent = "none"
    ) -> None:
        self.mode = wandb_files.chosen_mode(mode)
        self.checkpoints = checkpoints
        seconds = wandb_files.FINISH_SECONDS if checkpoints == "none" else wandb_files.ARTIFACT_SECONDS
        super().__init__(project=project, entity=entity, mode=self.mode, settings=wandb_files.settings(seconds))
        self._wandb_init.pop("anonymous", None)  # has no effect any more, except a warning
        self._failed = False
        self._pictures = Pictures()

    def describe(self, folder: Path, run_id: str, identity: Identity) -> None:
        """Says what the run is, before it starts.

        Args:
            folder: The run's folder; W&B's own files go below it.
            run_id: The same for the whole life of the run.
            identity: Name, group, tags and configuration.
        """
        self._wandb_init |= {"dir": str(folder), "id": run_id} | identity._asdict()
        self._save_dir, self._id, self._name = str(folder), run_id, identity.name

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

        Pixels and ground truth of a picture that this process logged under the same key before are not sent again.

        Args:
            name: The key in W&B.
            pictures: uint8 [3, H, W], its objects, what was found.
            classes: Names by label.
        """

        def log() -> None:
            shown = [_shown(*picture) for picture in pictures]
            self.experiment.log({name: self._pictures.of(name, shown, classes)})

        self._try(log)

    @rank_zero_only
    def log_picture(self, name: str, file: Path) -> None:
        """Logs one picture under a key."""
        self._try(lambda: self.experiment.log({name: wandb.Image(str(file))}))

    @rank_zero_only
    def log_panels(self, folder: Path) -> None:
        """Logs what `diagnosis.json` says as tables, charts and pictures."""

        def log() -> None:
            if panels := wandb_panels.read(folder):
                self.experiment.log(panels)

        self._try(log)

    @rank_zero_only
    def log_checkpoints(self, folder: Path) -> None:
        """Logs the asked checkpoints as artifacts, each under its own name as alias.

        Args:
            folder: Where the checkpoints lie.
        """
        paths = [path for pattern in _CHECKPOINTS[self.checkpoints] for path in sorted(folder.glob(pattern))]
        for path in paths:
            self._try(lambda path=path: self._send(path))  # type: ignore[misc]

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
            self._try(lambda: wandb_files.cap(Path(self._save_dir or ".")))

    @rank_zero_only
    def _start(self) -> None:
        folder = Path(self._save_dir or ".")
        folder.mkdir(parents=True, exist_ok=True)
        wandb_files.keep_local(folder)
        try:
            self._experiment = super().experiment
        except Exception as error:
            if self._wandb_init["mode"] != "online":
                raise
            rank_zero_warn(f"W&B could not start a run online ({_line(error)}); it writes offline: wandb sync sends it")
            self._wandb_init["mode"] = self.mode = "offline"
            wandb.teardown()  # W&B's service would refuse the id, which the failed attempt still holds
            self._experiment = super().experiment

    def _send(self, path: Path) -> None:
        # Immutable: neither copied into W&B's staging folder nor into its cache; the file is not written again.
        artifact = wandb.Artifact(f"checkpoint-{self._id or self.experiment.id}", "model")
        artifact.add_file(str(path.resolve()), name=path.name, policy="immutable", skip_cache=True)
        self.experiment.log_artifact(artifact, aliases=[path.stem])

    def _try(self, action: Callable[[], object]) -> None:
        """Does something with W&B; the first failure is reported, and from then on W&B is left alone."""
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            rank_zero_warn(f"W&B failed and is left out from here on ({_line(error)}); metrics.jsonl stays complete")
            self._failed, self._experiment = True, None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _shown(image: Tensor, target: Target, found: Detections) -> Shown:
    truth = Detections(target.original_boxes, torch.ones(len(target.labels)), target.labels)
    return Shown(image.permute(1, 2, 0).cpu().numpy(), _plain(truth), _plain(found))


def _plain(boxes: Detections) -> Boxes:
    return list(zip(boxes.boxes.tolist(), boxes.scores.tolist(), boxes.labels.tolist(), strict=True))
