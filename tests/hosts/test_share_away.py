"""The share goes away while environments are prepared or segments run, and comes back."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import uv as uv_package

from runner.errors import Interrupted, StateError
from runner.ground import away
from runner.ground.away import Shares, says_away
from runner.ground.files import write_atomic
from runner.process.tee import LogFile
from runner.records.journal import Event, Journal
from runner.state.locks import LockFile
from tests.hosts.test_two_hosts import until
from tests.support.hosts import on_host
from tests.support.lab import Lab, segment


class Silent:
    def on(self, event: Event) -> None: ...
    def output(self, chunk: bytes, segment: int | None = None) -> None: ...
    def tick(self, seconds: float, segment: int | None = None) -> None: ...


class Told(list[str]):
    """What is said, and what happens in the second look."""

    def __init__(self, shares: list[Path], then: object = None) -> None:
        self.then = then
        self.shares = Shares(shares, self.append, self.wait)

    def wait(self, seconds: float) -> bool:
        if callable(self.then):
            self.then()
        return self.then == "stop"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A folder of a share, with something in it."""
    folder = tmp_path / "share" / "expt 1"
    folder.mkdir(parents=True)
    (folder / "a.txt").touch()
    return folder


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT])
def test_the_system_says_that_a_share_is_away(number: int) -> None:
    error = StateError("cannot write")
    error.__cause__ = OSError(number, "", "x")
    assert says_away(error)


@pytest.mark.parametrize("number", [53, 59, 64, 67, 1231])
def test_windows_says_that_a_share_is_away(number: int) -> None:
    error = OSError(errno.EINVAL, "")
    error.winerror = number  # type: ignore[attr-defined]
    assert says_away(error)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EINVAL])
def test_what_is_no_fault_of_a_share(number: int) -> None:
    assert not says_away(OSError(number, ""))


def test_a_share_that_is_back_is_told_with_its_folder_and_since_when(share: Path, tmp_path: Path) -> None:
    gone = share.parent.rename(tmp_path / "elsewhere")
    shares = Told([share])
    shares.shares.settle()
    assert shares == [], "what was never there is not waited for"
    gone.rename(share.parent)
    told = Told([share], lambda: gone.rename(share.parent))
    share.parent.rename(gone)
    assert told.shares.settle()
    assert f"{share} cannot be reached since" in told[0]
    assert told[1].startswith("it is back after")
    assert not told.shares.settle()
    assert len(told) == 2


def test_it_is_said_again_each_minute(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = share.parent.with_name("gone")
    looks: list[int] = []

    def later() -> None:
        looks.append(1)
        if len(looks) == 5:
            gone.rename(share.parent)

    monkeypatch.setattr(away, "AGAIN", 0.0)
    told = Told([share], later)
    share.parent.rename(gone)
    told.shares.settle()
    assert ["still waiting for" in text for text in told] == [False, True, True, True, True, False]


def test_a_place_without_its_mount_is_a_share_that_is_away(share: Path) -> None:
    told = Told([share], lambda: (share / "a.txt").touch())
    (share / "a.txt").unlink()
    assert told.shares.settle()


def test_a_folder_that_somebody_removed_is_not_waited_for(share: Path) -> None:
    told = Told([share])
    (share.parent / "expt 2").mkdir()
    share.rename(share.with_name("renamed"))
    assert not told.shares.settle()
    with pytest.raises(FileNotFoundError):
        told.shares.patiently((share / "a.txt").read_text)


def test_waiting_can_be_stopped(share: Path, tmp_path: Path) -> None:
    told = Told([share], "stop")
    share.parent.rename(tmp_path / "gone")
    with pytest.raises(Interrupted, match="could not be reached"):
        told.shares.settle()


def test_a_file_is_written_once_the_share_is_back(share: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    told = Told([share], lambda: gone.rename(share.parent))
    share.parent.rename(gone)
    told.shares.patiently(lambda: write_atomic(share / "b.txt", b"whole"))
    assert (share / "b.txt").read_bytes() == b"whole"
    assert not gone.exists()


def test_a_log_whose_file_server_came_back_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(tmp_path / "log.txt")
    log.write(b"one ", lambda: True)
    real, calls = os.write, []

    def stale(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ESTALE, "Stale file handle")
        return int(real(descriptor, data))

    monkeypatch.setattr("runner.process.tee.os.write", stale)
    log.write(b"two", lambda: True)
    monkeypatch.undo()
    assert len(set(calls)) == 2
    log.close()
    assert (tmp_path / "log.txt").read_bytes() == b"one two"


def test_what_is_told_while_the_records_are_away_is_written_once_they_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(Silent())
    journal.open(tmp_path)
    real, calls = os.write, []

    def stale(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) < 3:
            raise OSError(errno.ESTALE, "Stale file handle")
        return int(real(descriptor, data))

    monkeypatch.setattr("runner.records.journal.os.write", stale)
    for text in ("one", "two", "three"):
        journal.note(text)
    monkeypatch.undo()
    journal.close()
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines if line] == ["one", "two", "three"]


def test_a_lock_that_could_not_be_let_go_of_does_not_keep_its_own_process(share: Path, tmp_path: Path) -> None:
    held = LockFile(share / "x.lock", "x").acquire(0)
    gone = share.parent.rename(tmp_path / "gone")
    held.release()
    gone.rename(share.parent)
    assert (share / "x.lock").exists()
    LockFile(share / "x.lock", "x").acquire(0).release()
    assert not (share / "x.lock").exists()


# with a real run, and a mount that goes away

AWAY = """
mount --bind "$share/real" "$share/{place}"
"$@" & pid=$!
while [ ! -e "$share/now" ]; do sleep 0.1; done
umount -l "$share/{place}"; touch "$share/away"
sleep {seconds}
mount --bind "$share/real" "$share/{place}"; touch "$share/back"
wait $pid; exit $?
"""


def run_while_away(lab: Lab, place: str, *words: str | Path, seconds: float = 6, **extra: str) -> tuple[int, str]:
    first = AWAY.format(place=place, seconds=seconds)
    done = subprocess.run(
        on_host("scope-1", lab.root, lab.argv(*words), first=first),
        env=lab.environ(**extra), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=120,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_run_goes_on_when_the_share_of_its_folder_is_back(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    ends = lab.script(
        "ends.py",
        "import sys,time;from pathlib import Path\nroot=Path(sys.argv[1]);(root/'now').touch()\n"
        "while not (root/'away').exists(): time.sleep(.05)\nprint('ended')",
    )
    reads = lab.script(
        "reads.py",
        "import sys;from pathlib import Path\nprint(Path(sys.argv[1]).read_text())",
    )
    real = lab.root / "real"
    (real / "in").mkdir(parents=True)
    for number in range(3):
        (real / "in" / f"{number}.txt").write_text(f"item {number}")
    lab.data.joinpath("x").touch()
    pipeline = lab.pipeline(
        [
            segment("ends while it is away", "python", str(ends), str(lab.root)),
            segment("items", "python", str(reads), "%ITEM%", foreach="%YAML%/in/*.txt"),
        ]
    )
    pipeline.rename(real / pipeline.name)
    for left in lab.data.iterdir():
        left.unlink()
    code, said = run_while_away(lab, lab.data.name, "run", pipeline)
    assert code == 0, said
    assert f"{lab.data} cannot be reached since" in said
    assert "it is back after" in said
    assert list(lab.data.iterdir()) == [], "nothing was written to the disk below"
    lab.data.rmdir()
    real.rename(lab.data)
    assert [entry["name"] for entry in lab.status(pipeline)] == ["ends while it is away", "items"]
    assert lab.receipts(pipeline)[0]["state"] == "succeeded"
    assert "2 segments, all done" in lab.run("run", pipeline).stdout


def test_a_segment_that_fails_together_with_its_share_runs_once_more(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    reads = lab.script(
        "reads.py",
        "import sys,time;from pathlib import Path\nroot,file=map(Path,sys.argv[1:]);(root/'now').touch()\n"
        "while not (root/'away').exists(): time.sleep(.05)\nprint(file.read_text())",
    )
    real = lab.root / "real"
    real.mkdir()
    (real / "input.txt").write_text("pixels")
    pipeline = lab.pipeline([segment("reads", "python", str(reads), str(lab.root), "%YAML%/input.txt")])
    pipeline.rename(real / pipeline.name)
    code, said = run_while_away(lab, lab.data.name, "run", pipeline)
    assert code == 0, said
    assert "it failed while its disk or share was away: once more" in said
    assert "pixels" in said


def test_no_item_fails_because_its_share_was_away(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    copies = lab.script(
        "copies.py",
        "import sys,time;from pathlib import Path\nroot,a,b=map(Path,sys.argv[1:])\n"
        "if a.stem=='4': (root/'now').touch()\ntime.sleep(.2)\nb.write_text(a.read_text())",
    )
    real = lab.root / "real"
    (real / "in").mkdir(parents=True)
    (real / "out").mkdir()
    for number in range(12):
        (real / "in" / f"{number}.txt").write_text(f"item {number}")
    words = ["python", str(copies), str(lab.root), "%ITEM%", "%YAML%/out/%STEM%.txt"]
    pipeline = lab.pipeline(
        [segment("items", *words, foreach="%YAML%/in/*.txt", outputs=["%YAML%/out/%STEM%.txt"], needs=[])]
    )
    pipeline.rename(real / pipeline.name)
    code, said = run_while_away(lab, lab.data.name, "run", pipeline, "-j", "2", seconds=3)
    assert code == 0, said
    assert "items: 12 done" in said
    assert "it failed while its disk or share was away: once more" in said
    assert sorted(path.read_text() for path in (real / "out").iterdir()) == sorted(f"item {n}" for n in range(12))


def test_an_environment_is_made_whole_when_its_share_is_back(lab: Lab) -> None:
    """uv itself, in the place that the mount left empty, makes one there and says that all is well."""
    place = lab.root / "envs"
    place.mkdir()
    (lab.root / "real").mkdir()
    uv = lab.root / "uv"
    real_uv = uv_package.find_uv_bin()
    uv.write_text(
        f'#!/bin/sh\n[ "$1" = sync ] && touch "{lab.root}/now" && while [ ! -e "{lab.root}/away" ]; do sleep .1; done\n'
        f'exec "{real_uv}" "$@"\n'
    )
    uv.chmod(0o755)
    code, said = run_while_away(
        lab, "envs", "env", "sync", "default", RUN_PIPELINE_ENVS=str(place), RUN_PIPELINE_UV=str(uv)
    )
    assert code == 0, said
    assert f"{place} cannot be reached since" in said
    made = lab.root / "real" / "default"
    assert (made / "bin" / "python").exists()
    assert (lab.root / "real" / "default.json").exists()
    assert not (lab.root / "real" / "default.lock").exists()
    assert not (place / "default.json").exists(), "what was made below the mount is not taken for one"


def test_ctrl_c_ends_a_run_that_waits_for_its_share(lab: Lab) -> None:
    share = lab.root / "share"
    share.mkdir()
    code = "import sys,time;from pathlib import Path;root=Path(sys.argv[1]);(root/'now').touch()\n"
    script = lab.script("w.py", code + "while not (root/'away').exists(): time.sleep(.05)")
    pipeline = lab.pipeline([segment("a", "python", str(script), str(lab.root))])
    data = lab.data.rename(share / "data")
    going = lab.popen("run", data / pipeline.name)
    until((lab.root / "now").exists)
    away = share.rename(lab.root / "gone")
    (lab.root / "away").touch()
    assert going.stdout
    said = b""
    while b"cannot be reached since" not in said:
        line = going.stdout.readline()
        assert line, said
        said += line
    going.send_signal(signal.SIGINT)
    rest, _ = going.communicate(timeout=30)
    said += rest
    assert going.returncode == 130, said.decode()
    assert b"Traceback" not in said
    away.rename(share)
    assert "1 segment" in lab.run("run", data / pipeline.name).stdout
