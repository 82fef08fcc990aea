"""Lock files: one holder at a time, dead holders' locks taken over, nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import Busy, Interrupted, StateError
from runner.state import holder as holding
from runner.state.holder import Holder, this_process
from runner.state.locks import LockFile

REPO = Path(__file__).resolve().parents[2]
LONG_AGO = time.time() - 3600


def make(path: Path, **changes: object) -> Holder:
    """A lock file as another process would have left it."""
    holder = replace(this_process("test"), **changes)  # type: ignore[arg-type]
    path.write_bytes(holder.to_bytes())
    return holder


def start(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args], cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


HOLD = """
import os, sys
from pathlib import Path
from runner.state.locks import LockFile
lock = LockFile(Path(sys.argv[1]), "the thing").acquire()
print("held", os.getpid(), flush=True)
sys.stdin.read()
lock.release()
"""


def finish(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def test_a_lock_is_a_file_while_it_is_held_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "über uns.lock"
    with LockFile(path, "it").acquire(0) as lock:
        content = json.loads(path.read_bytes())
        assert content["pid"] == os.getpid()
        assert content["host"] == socket.gethostname()
        assert content["token"] == lock.holder.token
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert list(tmp_path.iterdir()) == []


def test_a_second_taker_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    other = start(HOLD, str(path))
    assert other.stdout is not None
    held, pid = other.stdout.readline().split()  # not `other.pid`: a venv's python.exe on Windows is but a launcher
    assert held == "held"
    with pytest.raises(Busy) as caught:
        LockFile(path, "pipeline a.yaml").acquire(0)
    finish(other)
    assert caught.value.message.startswith("pipeline a.yaml is in use by ")
    assert f"@{socket.gethostname()}, process {pid}, since 20" in caught.value.message
    assert str(path) in caught.value.cure


def test_a_waiting_taker_hears_of_the_holder_once_and_then_gets_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first = LockFile(path, "it").acquire(0)
    told: list[Holder] = []
    timer = threading.Timer(0.3, first.release)
    timer.start()
    with LockFile(path, "it").acquire(20, told.append):
        assert [holder.token for holder in told] == [first.holder.token]
    timer.join()


def test_waiting_can_be_called_off(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with LockFile(path, "it").acquire(0), pytest.raises(Interrupted):
        LockFile(path, "it").acquire(None, cancelled=lambda: True)


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "x.lock", 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with LockFile(path, "it").acquire():
                inside += 1
                most = max(most, inside)
                time.sleep(0.001)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    other = start(HOLD, str(path))
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    finish(other)
    assert path.exists()
    with LockFile(path, "it").acquire(5) as lock:  # on Windows `other` was but the launcher of a venv
        assert lock.taken_from is not None and lock.taken_from.what == "the thing"
    assert list(tmp_path.iterdir()) == []


def test_a_pid_that_is_used_again_by_another_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    make(path, started=(this_process("").started or 0.0) - 100.0)
    LockFile(path, "it").acquire(0).release()


def test_a_lock_from_before_a_restart_is_taken_over_unless_it_still_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock"
    host, _, user = holding._machine()
    monkeypatch.setattr(holding, "_machine", lambda: (host, "this start", user))  # some Windows tell none
    make(path, boot="an earlier start")
    with pytest.raises(Busy):
        LockFile(path, "it").acquire(0)
    os.utime(path, (LONG_AGO, LONG_AGO))
    LockFile(path, "it").acquire(0).release()


def test_another_hosts_lock_is_respected_until_its_heartbeat_stops(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    make(path, host="scope-3", user="ana", pid=1)
    with pytest.raises(Busy, match="ana@scope-3"):
        LockFile(path, "it").acquire(0)
    four_minutes_ago = time.time() - 240
    os.utime(path, (four_minutes_ago, four_minutes_ago))
    with pytest.raises(Busy):
        LockFile(path, "it").acquire(0)
    LockFile(path, "it", expiry=200).acquire(0).release()


def test_the_heartbeat_keeps_the_file_young_and_its_content_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with LockFile(path, "it", heartbeat=0.02).acquire(0) as lock:
        content = path.read_bytes()
        os.utime(path, (LONG_AGO, LONG_AGO))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime < LONG_AGO + 1000 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert path.stat().st_mtime > LONG_AGO + 1000
        assert path.read_bytes() == content
        assert not lock.lost


def test_a_lock_whose_share_was_away_for_a_while_is_kept(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    with LockFile(share / "x.lock", "it", heartbeat=0.02).acquire(0) as lock:
        share.rename(tmp_path / "away")
        time.sleep(0.2)
        (tmp_path / "away").rename(share)
        os.utime(lock.path, (LONG_AGO, LONG_AGO))
        deadline = time.monotonic() + 20
        while lock.path.stat().st_mtime < LONG_AGO + 1000 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lock.path.stat().st_mtime > LONG_AGO + 1000
        assert not lock.lost


def test_a_lock_that_was_taken_from_us_is_not_removed_and_reported_as_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    lock = LockFile(path, "it", heartbeat=0.02).acquire(0)
    other = make(path, host="scope-3")
    deadline = time.monotonic() + 20
    while not lock.lost and time.monotonic() < deadline:
        time.sleep(0.02)
    lock.release()
    assert lock.lost
    assert LockFile(path, "it").holder() == other


@pytest.mark.parametrize("content", [b"", b'{"host": "a", "pi', b"\0\0\0\0"])
def test_an_empty_or_torn_lock_file_does_not_stay_for_ever(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.lock"
    path.write_bytes(content)
    with pytest.raises(Interrupted):  # it may be one that is being written
        LockFile(path, "it").acquire(0, cancelled=lambda: True)
    os.utime(path, (LONG_AGO, LONG_AGO))
    LockFile(path, "it").acquire(0).release()
    assert list(tmp_path.iterdir()) == []


def test_a_torn_lock_file_from_the_future_does_not_stay_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_bytes(b"")
    os.utime(path, (time.time() + 9999, time.time() + 9999))
    LockFile(path, "it").acquire(0).release()


def test_a_taker_that_died_in_the_middle_of_a_take_over_does_not_block_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    dead = (this_process("").started or 0.0) - 100.0
    holder = make(path, started=dead)
    make(tmp_path / f"x.lock.{holder.token}", started=dead)
    LockFile(path, "it").acquire(0).release()
    assert list(tmp_path.iterdir()) == []


TAKERS = """
import os, sys, time
from pathlib import Path
from runner.state.locks import LockFile
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(4):
    LockFile(folder / "x.lock", "it").acquire()
    inside = os.open(folder / "inside", os.O_CREAT | os.O_EXCL)  # fails when another one is inside
    os.close(inside)
    with open(folder / "count", "a") as stream:
        stream.write("x")
    time.sleep(0.002)
    (folder / "inside").unlink()
    os._exit(0)  # without letting go: the next has to take it over
"""


def test_many_takers_of_a_dead_processs_lock_never_hold_it_together(tmp_path: Path) -> None:
    make(tmp_path / "x.lock", started=(this_process("").started or 0.0) - 100.0)
    takers = [start(TAKERS, str(tmp_path)) for _ in range(10)]
    for taker in takers:
        assert taker.stdout is not None
        taker.stdout.readline()
    for taker in takers:
        assert taker.stdin is not None
        taker.stdin.write("\n")
        taker.stdin.flush()
    for taker in takers:
        finish(taker)
    assert [taker.returncode for taker in takers] == [0] * 10
    assert (tmp_path / "count").read_text() == "x" * 10
    LockFile(tmp_path / "x.lock", "it").acquire(0).release()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["count"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_lock_that_another_nfs_client_removes_while_it_is_read_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    path = tmp_path / "x.lock"
    make(path)
    real, calls = os.open, []

    def stale(name: object, *words: object, **more: object) -> int:
        if name == path and len(calls) < times and not int(words[0]) & os.O_CREAT:  # type: ignore[call-overload]
            calls.append(name)
            path.unlink(missing_ok=True)
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(name, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", stale)
    LockFile(path, "x").acquire(0).release()
    assert calls


def test_a_folder_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(StateError) as caught:
        LockFile(tmp_path / "gone" / "x.lock", "it").acquire(0)
    assert "x.lock" in caught.value.message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_no_lock_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    made = os.open

    def opened(path: object, flags: int, *rest: int) -> int:
        os.close(made(path, flags, *rest))  # type: ignore[arg-type]
        return os.dup(full)

    monkeypatch.setattr("runner.state.locks.os.open", opened)
    with pytest.raises(StateError, match="full"):
        LockFile(tmp_path / "x.lock", "it").acquire(0)
    monkeypatch.undo()
    os.close(full)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_folder_is_said_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("runner.state.locks.os.open", refused)
    with pytest.raises(StateError, match="no permission"):
        LockFile(tmp_path / "x.lock", "it").acquire(0)
