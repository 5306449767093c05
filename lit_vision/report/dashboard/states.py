"""How far a run is: running, stopped, diverged, or finished. No torch here."""

import itertools
import math
import statistics
import time

from lit_vision.report import activity, numbers
from lit_vision.report.collect import Run

RUNNING, STOPPED, DIVERGED, FINISHED = "running", "stopped", "diverged", "finished"
SILENCE = 600.0  # seconds without a sign of life after which a run counts as stopped
GAPS = 10  # or so many of its usual times between two signs, if that is more
BLOWN_UP = 10  # times its first training loss
LOSS = "train/loss"


def of(run: Run, now: float | None = None) -> str:
    """`running`, `stopped`, `diverged` or `finished`; a run that diverged is said to have, finished or not.

    Args:
        run: The run.
        now: Seconds since 1970; the clock's when left out.
    """
    if diverged(run):
        return DIVERGED
    if run.finished:
        return FINISHED
    silent = (time.time() if now is None else now) - activity.of(run).time
    return RUNNING if silent < max(SILENCE, GAPS * _usual_gap(run)) else STOPPED


def diverged(run: Run) -> bool:
    """Whether the last training loss is no number, or many times the first one."""
    losses = [line[LOSS] for line in run.metrics if LOSS in line]
    last = numbers.finite(losses[-1]) if losses else 0.0
    first = next((value for loss in losses if (value := numbers.finite(loss)) is not None), math.inf)
    return last is None or last > BLOWN_UP * abs(first)


def of_loss(run: Run) -> str:
    """How a diverged run's loss ended, as a sentence; empty for others."""
    if not diverged(run):
        return ""
    last = numbers.finite([line[LOSS] for line in run.metrics if LOSS in line][-1])
    return f" It diverged: {LOSS} ended at {'no number' if last is None else f'{last:.3g}'}."


def label(run: Run) -> str:
    """The verdict of a finished run, the state of another."""
    found = of(run)
    return str(run.result.get("verdict") or "no verdict") if found == FINISHED else found


def in_words(run: Run) -> str:
    """The state and, until the run is finished, its last sign of life."""
    found, last = of(run), activity.of(run).time
    if run.finished or not last:
        return found
    return f"{found}, last sign of life {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(last))}"


def progress(run: Run) -> str:
    """Steps done and to do: `200 of 400`; of a run in stages those done, which are more than its last stage's."""
    step = run.result.get("steps") if run.finished else activity.of(run).step
    limit = (run.config.get("trainer") or {}).get("max_steps")
    planned = isinstance(limit, int) and not isinstance(limit, bool) and limit > 0 and not run.config.get("stages")
    return f"{step or 0:,}" + (f" of {limit:,}" if planned else "")


def _usual_gap(run: Run) -> float:
    times = [line["time"] for line in run.metrics if "time" in line][-20:]
    gaps = [abs(later - earlier) for earlier, later in itertools.pairwise(times)]
    return statistics.median(gaps) if gaps else 0.0
