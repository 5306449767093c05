"""Small file systems in memory that can be full, read-only and made larger, where this process may mount them."""

import subprocess

import pytest


class Disk:
    """A file system of its own at a folder.

    Args:
        folder: Where it is mounted; made if missing.
        size: As `mount` takes it, e.g. `3m`.
        writable: Whether files may be written.
    """

    def __init__(self, folder, size, writable=True):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        done = self._mount(f"size={size},{'rw' if writable else 'ro'}", "-t", "tmpfs", "tmpfs")
        if done.returncode:
            pytest.skip(f"no right to mount a file system here: {done.stderr.strip()}")

    def grow(self, size):
        assert self._mount(f"remount,size={size}").returncode == 0

    def remove(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def _mount(self, options, *kind):
        return subprocess.run(["mount", "-o", options, *kind, self.folder], capture_output=True, text=True, check=False)


def fixture():
    """Makes disks; all are gone after the test."""
    made = []

    def make(*arguments, **options):
        made.append(Disk(*arguments, **options))
        return made[-1]

    yield make
    for disk in made:
        disk.remove()
