"""Which process this is, before any group of processes exists: what launchers say in the environment. No torch here.

torchrun is asked first because it also runs inside a SLURM job, then SLURM, then Lightning's own launcher: the order in
which Lightning looks for them.
"""

import os

_INTERACTIVE = ("bash", "interactive")  # job names by which Lightning knows a shell that SLURM gave, without `srun`


def started_by() -> str | None:
    """Who starts all processes at the same time: `torchrun`, `srun`, or nobody (one process, or Lightning)."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    if "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in _INTERACTIVE:
        return "srun"
    return None


def rank() -> int:
    """Number of this process among all.

    Lightning's own launcher gives its children no total before they meet; there every process beyond the first of the
    first node has a positive number here, which need not be its final one.
    """
    launcher = started_by()
    if launcher:
        return _number("RANK" if launcher == "torchrun" else "SLURM_PROCID")
    return _number("NODE_RANK", "GROUP_RANK") + _number("LOCAL_RANK")


def is_first_here() -> bool:
    """Whether this is the first of the processes of its machine, which tells what all of them meet."""
    return _number("SLURM_LOCALID" if started_by() == "srun" else "LOCAL_RANK") == 0


def processes() -> int:
    """Processes that an outer launcher starts; 1 where there is none."""
    launcher = started_by()
    return _number("WORLD_SIZE" if launcher == "torchrun" else "SLURM_NTASKS", default=1) if launcher else 1


def _number(*names: str, default: int = 0) -> int:
    """The first of these variables that is there."""
    return next((int(os.environ[name]) for name in names if os.environ.get(name)), default)
