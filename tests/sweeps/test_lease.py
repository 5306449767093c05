"""Owners that are gone, and folders that are still in use."""

import subprocess
import sys
import time

from lit_vision.sweeps import lease
from lit_vision.sweeps.lease import Watch


def test_a_dead_process_of_this_machine_is_noticed_at_once():
    mine = lease.sign(0)
    assert not Watch(0.0).lapsed(1, mine)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    assert Watch(1e9).lapsed(1, mine | {"pid": gone.pid, "born": "12345"})
    assert Watch(1e9).lapsed(1, mine | {"born": "1"})  # the number was given to another process


def test_a_silent_owner_elsewhere_is_gone_after_a_lease_by_our_own_clock():
    watch, far = Watch(0.05), lease.sign(0) | {"machine": "elsewhere", "time": 0}
    assert not watch.lapsed(1, far)
    time.sleep(0.06)
    assert not watch.lapsed(1, far | {"beat": 1})
    assert not watch.lapsed(2, {})  # claimed, and not yet signed
    time.sleep(0.06)
    assert watch.lapsed(1, far | {"beat": 1})
    assert watch.lapsed(2, {})


def test_a_folder_is_locked_as_long_as_the_process_that_inherited_the_lock_lives(tmp_path):
    handle = lease.lock(tmp_path / "run")
    child = subprocess.Popen(["sleep", "100"], pass_fds=(handle,))
    lease.os.close(handle)
    assert lease.lock(tmp_path / "run") is None
    child.kill()
    child.wait()
    again = lease.lock(tmp_path / "run")
    assert again is not None
    lease.os.close(again)
