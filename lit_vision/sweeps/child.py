"""A trial's process. No torch here."""

import ctypes
import math
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_vision.runs import durable
from lit_vision.runs import folder as runs
from lit_vision.runs.folder import RunFolder
from lit_vision.sweeps import lease

LOG = "trial.log"
TAIL = 15  # lines of a failed trial's output that are kept

_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


@dataclass
class Child:
    """A trial's process.

    Attributes:
        process: The process, leader of its own group.
        folder: The run's folder.
    """

    process: subprocess.Popen[bytes]
    folder: RunFolder
    _read: tuple[int, list[dict[str, Any]]] = field(default=(0, []), repr=False)

    def code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """Asks it to save and leave."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, with all processes of its group."""
        self._signal(signal.SIGKILL)

    def curve(self, metric: str) -> list[float]:
        """The metric's logged values so far, oldest first; NaN where it was not finite."""
        logged = [line[metric] for line in self._lines() if metric in line]
        return [math.nan if value is None else float(value) for value in logged]

    def value(self, metric: str) -> float | None:
        """The metric at the end: its last logged value; None if it was never logged, or is no number."""
        curve = self.curve(metric)
        return curve[-1] if curve and math.isfinite(curve[-1]) else None

    def logged(self) -> list[str]:
        """Names of all logged figures."""
        return sorted({name for line in self._lines() for name in line} - {"step", "time"})

    def tail(self) -> str:
        """The last lines of its output."""
        text = (self.folder.path / LOG).read_bytes()[-20_000:].decode(errors="replace")
        lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
        return "\n".join(lines[-TAIL:])

    def _lines(self) -> list[dict[str, Any]]:
        """What the run has logged; read again only when the file has changed in size."""
        if not self.folder.metrics.is_file():
            return []
        size = self.folder.metrics.stat().st_size
        if size != self._read[0]:
            self._read = (size, runs.read_metrics(self.folder.metrics))
        return self._read[1]

    def _signal(self, signum: signal.Signals) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signum)


def start(words: Sequence[str], folder: Path, environment: dict[str, str]) -> Child | None:
    """Starts a trial in its folder; None while another process still works there.

    The process has a group of its own, so that Ctrl-C reaches the agent alone, and it is asked to save and leave
    (SIGTERM) should the agent be killed. Its output goes to `trial.log`.

    Args:
        words: The command.
        folder: The run's folder.
        environment: Its environment.
    """
    handle = lease.lock(folder)
    if handle is None:
        return None
    try:
        with open(folder / LOG, "ab", opener=durable.unlinked) as log:
            process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(handle,),
                process_group=0,
                preexec_fn=_leave_with(os.getpid()),
            )
    finally:
        os.close(handle)  # from here on the child alone holds the lock
    return Child(process, RunFolder(folder))


def _leave_with(agent: int) -> Callable[[], None] | None:
    """What a child does before anything else: it asks Linux for a SIGTERM at the agent's death."""
    try:
        prctl: Any = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):
        return None  # elsewhere an orphan runs to its end; the lock keeps its folder for it

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != agent:  # it died before the request
            os._exit(runs.PREEMPTED)

    return ask
