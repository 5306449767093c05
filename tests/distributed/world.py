"""Several processes of one thread each, as torchrun would start them, forked from a server that has imported all."""

import os
import socket
import sys
import traceback
from pathlib import Path

from tests import forking

SECONDS = 180


def run(function, world, folder, *arguments, launcher="torchrun"):
    """Calls `function(*arguments)` in `world` processes with `folder` as working directory.

    Args:
        launcher: Whose variables the ranks see: `torchrun` on one node, `nodes` (torchrun with one process on each
            node), `slurm` (srun with one task on each node).

    Returns:
        What each rank printed, standard output and error together.
    """
    ranks = start(function, world, folder, *arguments, launcher=launcher)
    texts = end(ranks, folder)
    assert [process.exitcode for process in ranks] == [0] * world, "\n".join(texts)
    return texts


def start(function, world, folder, *arguments, launcher="torchrun"):
    """The processes of `run`, which may be killed; `end` waits for them."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    ranks = [
        forking.process(_rank, function, arguments, folder, rank, variables(launcher, rank, world, port))
        for rank in range(world)
    ]
    for process in ranks:
        process.start()
    return ranks


def end(ranks, folder):
    """Waits for processes; returns what each printed. None may hang."""
    for process in ranks:
        process.join(SECONDS)
    hung = [process for process in ranks if process.is_alive()]
    for process in hung:
        process.kill()
    texts = [(folder / f"rank{rank}.txt").read_text() for rank in range(len(ranks))]
    assert not hung, "a rank hung\n" + "\n".join(texts)
    return texts


def variables(launcher, rank, world, port):
    """The environment by which a rank knows its place; nothing for one process."""
    if world == 1:
        return {}
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    if launcher == "slurm":
        place = {"PROCID": rank, "LOCALID": 0, "NODEID": rank, "NTASKS": world, "NTASKS_PER_NODE": 1, "NNODES": world}
        job = {"JOB_ID": 7, "JOB_NAME": "test", "NODELIST": "127.0.0.1"}
        return meeting | {f"SLURM_{name}": value for name, value in (place | job).items()}
    node, local, each = (rank, 0, 1) if launcher == "nodes" else (0, rank, world)
    places = {"RANK": rank, "LOCAL_RANK": local, "GROUP_RANK": node, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": each}
    return meeting | places | {"TORCHELASTIC_RUN_ID": "test"}


def _rank(function, arguments, folder, rank, place):
    environment = {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "LIT_VISION_CACHE": str(folder / "cache")} | place
    for name in ("LIT_VISION_RUN", "PL_GLOBAL_SEED", "WANDB_API_KEY"):
        os.environ.pop(name, None)
    os.environ.update({name: str(value) for name, value in environment.items()})
    os.chdir(folder)
    with Path(f"rank{rank}.txt").open("w") as text:
        for stream in (1, 2):  # below Python: loggers have kept the fork server's own stream
            os.dup2(text.fileno(), stream)
    code = _code(function, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _code(function, arguments):
    import torch
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    from lit_vision import launch

    torch.set_num_threads(1)
    rank_zero_only.rank = launch.rank()  # Lightning asks when it is imported, which was before
    try:
        function(*arguments)
    except BaseException:
        traceback.print_exc()
        return 1
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


def free_port():
    with socket.socket() as meeting:
        meeting.bind(("127.0.0.1", 0))
        return meeting.getsockname()[1]
