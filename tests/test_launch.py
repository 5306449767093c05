import pytest

from lit_vision import launch

VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID")
TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "2", "WORLD_SIZE": "8"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        (TORCHRUN, False),
        (TORCHRUN | {"LOCAL_RANK": "0"}, True),  # rank 5 is the first of its machine
        (SLURM | {"SLURM_LOCALID": "0"}, True),
        (SLURM | {"SLURM_LOCALID": "1"}, False),
        ({"LOCAL_RANK": "1"}, False),
    ],
)
def test_the_first_process_of_a_machine(monkeypatch, environment, first):
    for name in (*VARIABLES, *SLURM, "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launch.is_first_here() is first


@pytest.mark.parametrize(
    ("environment", "started_by", "rank", "processes"),
    [
        ({}, None, 0, 1),
        (TORCHRUN, "torchrun", 5, 8),
        (SLURM, "srun", 3, 4),
        (SLURM | TORCHRUN, "torchrun", 5, 8),
        (SLURM | {"SLURM_JOB_NAME": "bash"}, None, 0, 1),  # a shell on a node
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2"}, None, 1, 1),  # Lightning's own child
        ({"NODE_RANK": "1"}, None, 1, 1),  # Lightning's first process on a second node
    ],
)
def test_place_of_this_process(monkeypatch, environment, started_by, rank, processes):
    for name in (*VARIABLES, *SLURM):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (launch.started_by(), launch.rank(), launch.processes()) == (started_by, rank, processes)
