"""A real SLURM on this machine: a controller and two nodes in a folder of their own, for as long as a test takes."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
NODES = ("n1", "n2")
PATIENCE = 300  # seconds that anything may take here

_CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
CryptoType=crypto/munge
# A requeued job waits until the credentials of its first start are worth nothing any more: two minutes by default.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdTimeout=10
KillWait=60
MinJobAge=3600
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def unavailable() -> str:
    """Why there can be no cluster here; empty where there can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no {', '.join(missing)}: Debian's packages slurm-wlm and munge have them"
    return "" if os.geteuid() == 0 else "slurmd starts jobs as their users, so it must be root's"


class Cluster:
    """A running SLURM.

    Args:
        folder: Holds its configuration, state and logs; as short as a socket's name must be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Jobs get the environment of whoever submits them.
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}

    def start(self) -> None:
        """Starts all daemons and waits until both nodes are idle."""
        (self.folder / "state").mkdir()
        text = _CONFIGURATION.format(
            folder=self.folder, host=socket.gethostname(), ports=_three_ports(), nodes=",".join(NODES)
        )
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._run("munged", "--force", *(f"--{name}={self.folder}/munge.{suffix}" for name, suffix in files.items()))
        self._run("slurmctld", "-c")
        for node in NODES:
            self._run("slurmd", "-N", node)
        self._wait("idle nodes", lambda: self._run("sinfo", "-h", "-o", "%D %t") == "2 idle")

    def stop(self) -> None:
        """Cancels every job and ends the daemons."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("scancel", "--user=root")
        for file in ("slurmd.n1.pid", "slurmd.n2.pid", "slurmctld.pid", "munge.pid"):
            _end(self.folder / file)

    def submit(self, job: Path, place: Path) -> str:
        """Submits a job file from a folder; returns the job's number."""
        return self._run("sbatch", "--parsable", str(job), cwd=place)

    def state(self, job: str) -> str:
        """`PENDING`, `RUNNING`, `COMPLETED`, …"""
        told = self._run("scontrol", "show", "job", job)
        return told.partition("JobState=")[2].split()[0]

    def restarts(self, job: str) -> int:
        """How often the job was put back into the queue."""
        return int(self._run("scontrol", "show", "job", job).partition("Restarts=")[2].split()[0])

    def wait(self, job: str, *states: str) -> str:
        """Waits for one of some states, which is returned."""
        self._wait(f"job {job} in {states}", lambda: self.state(job) in states)
        return self.state(job)

    def requeue(self, job: str) -> None:
        """Puts a running job back into the queue."""
        self._run("scontrol", "requeue", job)

    def _wait(self, what: str, done) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {PATIENCE} s; logs lie in {self.folder}")
            time.sleep(0.5)

    def _run(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(words, env=self.environment, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
        return done.stdout.strip()


def _end(file: Path) -> None:
    """Ends the daemon whose number a file holds; nothing where there is none."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(file.read_text()), signal.SIGTERM)


def _three_ports() -> list[int]:
    """Three free ports in a row: SLURM wants those of its nodes as a range."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, 3):
        sockets = [socket.socket() for _ in range(3)]
        try:
            for number, each in enumerate(sockets):
                each.bind(("127.0.0.1", first + number))
            return [first, first + 1, first + 2]
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise OSError("no three free ports in a row")


def _path() -> str:
    """Daemons lie where only root looks."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
