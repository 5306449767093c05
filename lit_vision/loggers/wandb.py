"""W&B, on by default and never in the way."""

import netrc
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlparse

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_warn

Mode = Literal["auto", "online", "offline", "disabled"]

INIT_SECONDS = 30


class Wandb(WandbLogger):
    """Lightning's W&B logger that never prompts, never blocks for long and never ends a run.

    Without an API key it writes an offline run; whatever fails in W&B is warned about once, and training goes on with
    `metrics.jsonl` complete. The command line fills in folder, id, name, group, tags and configuration.

    Args:
        project: W&B project.
        mode: `auto` is online with a key and offline without; the environment's `WANDB_MODE` goes before it.
        entity: W&B user or team; None is the account's default.
    """

    def __init__(self, project: str = "lit-vision", mode: Mode = "auto", entity: str | None = None) -> None:
        self.mode = os.environ.get("WANDB_MODE") or (_mode_by_key() if mode == "auto" else mode)
        # `anonymous` and `console` would prompt or capture; `silent` keeps W&B's own banner out of ours.
        settings = wandb.Settings(console="off", silent=True, init_timeout=INIT_SECONDS)
        super().__init__(project=project, entity=entity, mode=self.mode, settings=settings)
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
        """The W&B run; a disabled one once W&B has failed."""
        if self._experiment is None:
            Path(self._save_dir or ".").mkdir(parents=True, exist_ok=True)
            try:
                return super().experiment
            except Exception as error:
                self._fall_back(error)
        return self._experiment

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Logs figures at an optimiser step."""
        self._try(lambda: WandbLogger.log_metrics(self, metrics, step))

    @rank_zero_only
    def summarise(self, summary: dict[str, Any]) -> None:
        """Writes figures into the run's summary."""
        self._try(lambda: self.experiment.summary.update(summary))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends a phase; the run itself stays open until `finish`."""
        self._try(lambda: WandbLogger.finalize(self, status))

    @rank_zero_only
    def finish(self, exit_code: int = 0) -> None:
        """Closes the W&B run and flushes its files."""
        if self._experiment is not None:
            self._try(lambda: self.experiment.finish(exit_code=exit_code))

    def _try(self, action: Any) -> None:
        try:
            action()
        except Exception as error:
            self._fall_back(error)

    def _fall_back(self, error: Exception) -> None:
        if not self._failed:
            rank_zero_warn(f"W&B failed and is left out from here on ({error}); metrics.jsonl stays complete")
        self._failed = True
        self._experiment = wandb.init(mode="disabled")


def _mode_by_key() -> Mode:
    """Online with an API key in the environment or in netrc, where `wandb login` puts it; else offline.

    W&B's own look-up may prompt or ask the network, depending on its release.
    """
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        stored = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        stored = None
    return "online" if os.environ.get("WANDB_API_KEY") or stored else "offline"
