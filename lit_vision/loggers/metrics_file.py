"""`metrics.jsonl`: the local truth about every logged figure."""

import json
import math
import os
import time
from argparse import Namespace
from pathlib import Path
from typing import Any, TextIO

from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_vision.runs import durable
from lit_vision.runs import folder as runs


class MetricsFile(Logger):
    """Appends one JSON line per logged step, flushed at once; rank zero writes, the others do nothing.

    A line that repeats step and names of the one before is left out: where a checkpoint is saved, the step's figures
    are written first, and Lightning writes them again.

    Args:
        path: The file; its folder is made when the first line is written.

    Raises:
        InputError: From `log_metrics`, if the disk is full or the file has been deleted.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._file: TextIO | None = None
        self._last: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "metrics_file"

    @property
    def version(self) -> str:
        """One file, one version."""
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> TextIO:
        """The open file."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._end_torn_line()
            self._file = open(self.path, "a", encoding="utf-8", opener=durable.unlinked)  # noqa: SIM115
        return self._file

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Writes one line: the optimiser step, the time in seconds since 1970, the figures (null where not finite)."""
        figures = {name: _plain(value) for name, value in metrics.items() if name != "epoch"}
        signature = (step, *figures)
        if signature != self._last:
            self._write({"step": step, "time": round(time.time(), 3)} | figures)
        self._last = signature

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: `config.yaml` holds the configuration."""

    @rank_zero_only
    def resumed_at(self, step: int) -> None:
        """Marks that the run went on from this optimiser step; 0 if it began again."""
        self._write({runs.RESUMED: step, "time": round(time.time(), 3)})

    def finalize(self, status: str) -> None:
        """Closes the file; the next line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self.experiment.write(json.dumps(line, allow_nan=False) + "\n")
            self.experiment.flush()
            os.stat(self.path)  # a file that was deleted takes lines without complaint, into nowhere
        except OSError as error:
            raise durable.told(error, self.path) from error

    def _end_torn_line(self) -> None:
        """A kill may have cut the last line short: cut it away, so that the next one starts a line of its own."""
        if not self.path.is_file():
            return
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with open(self.path, "r+b", opener=durable.unlinked) as file:
                file.truncate(whole)


def _plain(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
