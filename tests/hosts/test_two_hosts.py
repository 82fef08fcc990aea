"""Two computers of a share that make, use and remove the same environments."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments.users import NOTES, forget_jobs, note_jobs, note_use, users_of
from runner.errors import Busy
from runner.state.holder import this_process
from runner.state.locks import LockFile
from tests.support.hosts import on_host
from tests.support.lab import Lab, segment
from tests.support.wheels import make_wheel

NAMES = [f"tool{number}" for number in range(8)]


def wheels(lab: Lab) -> None:
    """The group `default` gets packages, so that making its environment takes a moment."""
    path = lab.repo / "pyproject.toml"
    for name in NAMES:
        make_wheel(lab.repo / "wheels", name)
    sources = "".join(f'{name} = {{ path = "wheels/{name}-1.0-py3-none-any.whl" }}\n' for name in NAMES)
    text = path.read_text(encoding="utf-8").replace("default = []", f"default = {NAMES!r}")
    path.write_text(f"{text}\n[tool.uv.sources]\n{sources}", encoding="utf-8")
    lab.uv("lock", "--quiet")


def start(lab: Lab, host: str, *words: str | Path, first: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        on_host(host, lab.root, lab.argv(*words), first=first),
        env=lab.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def run(lab: Lab, host: str, *words: str | Path, code: int = 0, first: str = "") -> str:
    process = start(lab, host, *words, first=first)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == code, said
    return said


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def waiting(lab: Lab) -> tuple[list[dict[str, object]], Path, Path]:
    """A segment that says that it runs, and ends once it may."""
    runs, go = lab.data / "runs", lab.data / "go"
    code = "import sys,time\nfrom pathlib import Path\nPath(sys.argv[1]).touch()\n"
    script = lab.script("wait.py", code + "while not Path(sys.argv[2]).exists(): time.sleep(.05)")
    return [segment("waits", "python", str(script), str(runs), str(go))], runs, go


def notes(lab: Lab) -> list[str]:
    folder = lab.repo / ".venvs" / NOTES
    return names(folder.parent / "x") if folder.is_dir() else []


def test_two_hosts_make_one_environment_at_once_and_both_have_it(lab: Lab) -> None:
    wheels(lab)
    for _ in range(2):
        both = [start(lab, host, "env", "sync", "default") for host in ("scope-1", "scope-2")]
        said = [process.communicate(timeout=120)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        python = lab.repo / ".venvs" / "default" / "bin" / "python"
        code = f"import {', '.join(NAMES)}; print('all')"
        assert subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout == "all\n"
        assert json.loads(lab.run("env", "list", "--json").stdout)["in_step"]
        lab.run("env", "remove", "default", "--yes")


def test_an_environment_that_runs_on_another_host_is_neither_removed_nor_changed(lab: Lab) -> None:
    segments, runs, go = waiting(lab)
    pipeline = lab.pipeline(segments)
    lab.run("env", "sync", "default")
    going = start(lab, "scope-3", "run", pipeline)
    until(runs.exists)
    refused = run(lab, "scope-1", "env", "remove", "default", "--yes", code=2)
    assert f"in use by {this_process('').user}@scope-3 (process " in refused
    assert "since 20" in refused
    assert "in step, in use by " in lab.run("env", "list").stdout
    (lab.repo / ".venvs" / "default.json").unlink()
    changing = start(lab, "scope-1", "env", "sync", "default")
    assert changing.stdout
    said = ""
    while "@scope-3" not in said:
        line = changing.stdout.readline()
        assert line, said
        said += line
    assert "still runs from it" in said
    go.touch()
    done, _ = going.communicate(timeout=60)
    assert going.returncode == 0, done
    rest, _ = changing.communicate(timeout=60)
    assert (changing.returncode, "in step" in rest) == (0, True)
    assert notes(lab) == []
    lab.run("env", "remove", "default", "--yes")


def test_a_host_that_went_down_keeps_an_environment_for_five_minutes_and_no_longer(lab: Lab) -> None:
    segments, runs, _ = waiting(lab)
    pipeline = lab.pipeline(segments)
    going = start(lab, "scope-3", "run", pipeline)
    until(runs.exists)
    going.kill()  # all of it: it is the first process there
    going.communicate()
    (note,) = notes(lab)
    assert "@scope-3" in lab.run("env", "remove", "default", "--yes", check=2).stderr
    old = time.time() - 400
    os.utime(lab.repo / ".venvs" / NOTES / note, (old, old))
    lab.run("env", "remove", "default", "--yes")
    assert notes(lab) == []


def test_from_environments_that_are_read_only_it_runs_and_writes_nothing(lab: Lab) -> None:
    lab.run("env", "sync", "default")
    pipeline = lab.pipeline([segment("a", "python", str(lab.script("a.py", "print('ran')")))])
    place = lab.repo / ".venvs"
    read_only = f"mount --bind '{place}' '{place}'; mount -o remount,bind,ro '{place}'"
    assert "ran" in run(lab, "node-7", "run", pipeline, first=read_only)
    assert not (place / NOTES).exists()


# without another host


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What looks like an environment of ours."""
    made = tmp_path / "envs" / "g-py3.11"
    made.mkdir(parents=True)
    made.with_name("g-py3.11.json").write_text('{"format": 1, "group": "g"}')
    return made


def names(folder: Path) -> list[str]:
    return [path.name for path in (folder.parent / NOTES).iterdir()]


def test_a_process_does_not_wait_for_itself(folder: Path) -> None:
    note = note_use(folder)
    assert note
    assert len(names(folder)) == 1
    assert users_of(folder) == []
    note.release()
    assert names(folder) == []


def test_what_is_no_environment_of_ours_gets_no_note(tmp_path: Path) -> None:
    assert note_use(tmp_path) is None
    assert note_use(None) is None
    assert note_use(PureWindowsPath("Z:\\")) is None
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_being_changed_is_not_used_meanwhile(folder: Path) -> None:
    with LockFile(folder.with_name("g-py3.11.lock"), "").acquire(0), pytest.raises(Busy, match="being changed"):
        note_use(folder)
    assert names(folder) == []


def test_a_version_with_a_longer_name_is_another_environment(folder: Path) -> None:
    other = folder.with_name("g-py3.11.4")
    other.with_name("g-py3.11.4.json").write_text("{}")
    record = folder.parent / "records" / "x.yaml" / "000001"
    record.mkdir(parents=True)
    (record / "run.json").write_text('{"state": "submitted"}')
    note_jobs(other, record)
    assert users_of(folder) == []
    assert len(users_of(other)) == 1


@pytest.mark.parametrize("state", ["running", "submitted"])
def test_jobs_in_a_queue_keep_an_environment_until_their_run_has_ended(folder: Path, state: str) -> None:
    record = folder.parent / "records" / "x.yaml" / "000001"
    record.mkdir(parents=True)
    (record / "run.json").write_text(json.dumps({"state": state}))
    note_jobs(folder, record)
    note_jobs(folder, record)
    (told,) = users_of(folder)
    assert told.startswith("jobs of ")
    assert "x.yaml" in told
    assert users_of(folder, record) == [], "they are what is prepared for"
    (record / "run.json").write_text('{"state": "done"}')
    assert users_of(folder) == []
    assert names(folder) == []


def test_jobs_whose_record_is_gone_keep_nothing_and_those_whose_share_is_away_do(folder: Path) -> None:
    share = folder.parent / "share"
    record = share / "x.yaml" / "000001"
    record.mkdir(parents=True)
    (record / "run.json").write_text('{"state": "submitted"}')
    note_jobs(folder, record)
    away = share.rename(folder.parent / "away")
    (told,) = users_of(folder)
    assert "gone for good, delete " in told
    away.rename(share)
    (record / "run.json").unlink()
    record.rmdir()
    assert users_of(folder) == []
    assert names(folder) == []


def test_jobs_that_ended_are_forgotten(folder: Path) -> None:
    record = folder.parent / "x.yaml" / "000001"
    note_jobs(folder, record)
    assert len(names(folder)) == 1
    forget_jobs(folder, record)
    assert names(folder) == []
