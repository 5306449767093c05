"""A run's data are the same from its first step to its last: their fingerprint is kept in `run.json`."""

from typing import Any

import lightning as L

from lit_vision import console, distributed
from lit_vision.errors import InputError
from lit_vision.runs.folder import RunFolder


class SameData(L.Callback):
    """Notes the fingerprint of a run's data when it starts, and compares it whenever the run goes on or is tested.

    Args:
        folder: The run's folder.
        beside: Whether the command tests a trained run beside its own result: other data are reported then.
    """

    def __init__(self, folder: RunFolder, beside: bool = False) -> None:
        self.folder = folder
        self.beside = beside
        self._checked = False

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Compares once the data are read, before the first step and before a bar is drawn; once per command.

        Raises:
            InputError: On all ranks, if the run began with other data and does not just test beside them.
        """
        if self._checked:
            return
        self._checked = True
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        now = {"name": type(data).__name__, "fingerprint": data.fingerprint()} if distributed.rank() == 0 else {}
        before, now = distributed.share((self.folder.state.get("data"), now))
        if before is None:
            if distributed.rank() == 0 and not self.beside:
                self.folder.note(data=now)
        elif before != now:
            self._differ(f"{before['name']} {before['fingerprint']}", f"{now['name']} {now['fingerprint']}")

    def _differ(self, before: str, now: str) -> None:
        told = f"{self.folder.path} was trained on other data: {before} then, {now} now"
        if not self.beside:
            raise InputError(f"{told};\nbring the data back as they were, or start another run with --run DIR")
        console.say(f"warning: {told}; this result is not comparable with the run's own")
