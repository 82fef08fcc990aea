"""Which process is it, and does it still run."""

import os
import subprocess
import sys
import time

import pytest

from runner.host import this_host
from runner.process.identity import boot_id, is_alive, process_started
from runner.process.snapshot import parse_stat, snapshot

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_the_boot_has_one_name_while_the_machine_runs() -> None:
    host = this_host(interactive=False)
    assert boot_id(host) == boot_id(host)
    if sys.platform == "linux":
        assert len(boot_id(host)) == 36


def test_a_process_is_known_by_pid_and_creation_time() -> None:
    with subprocess.Popen(SLEEP) as process:
        started = process_started(process.pid)
        assert started is not None and started == process_started(process.pid)
        ours = process_started(os.getpid())
        assert ours is not None and ours <= started
        assert is_alive(process.pid, started) and is_alive(process.pid, None)
        assert not is_alive(process.pid, started - 60), "another process that had the same pid"
        process.kill()
    assert not is_alive(process.pid, started)
    assert process_started(process.pid) is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX has zombies")
def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    started = process_started(process.pid)
    while is_alive(process.pid, started):
        time.sleep(0.001)
    assert process.wait() == 0, "it was not reaped by the look"


def test_a_pid_that_cannot_be_is_not_alive() -> None:
    assert not is_alive(0, None) and not is_alive(-1, None) and not is_alive(2**22 + 5, None)


@pytest.mark.skipif(sys.platform != "linux", reason="compares /proc with psutil")
def test_proc_and_psutil_tell_the_same() -> None:
    import psutil

    from runner.process.snapshot import _from_psutil

    with subprocess.Popen(SLEEP) as process:
        time.sleep(0.3)
        ours, theirs = snapshot()[process.pid], {e.pid: e for e in _from_psutil()}[process.pid]
        assert (ours.pid, ours.parent, ours.session, ours.dead) == (
            theirs.pid, theirs.parent, theirs.session, theirs.dead,
        )  # fmt: skip
        assert ours.started + psutil.boot_time() == pytest.approx(theirs.started, abs=1.5)
        assert ours.memory == pytest.approx(theirs.memory, rel=0.2)
        assert ours.name == theirs.name
        process.kill()


def test_a_name_with_brackets_and_blanks_is_read_right() -> None:
    if sys.platform != "win32":
        numbers = " ".join(str(n) for n in range(7, 53))
        entry = parse_stat(42, f"42 (a) (b) c) Z 1 2 3 4 {numbers}".encode())
        assert (entry.name, entry.dead, entry.parent, entry.session) == ("a) (b) c", True, 1, 3)
