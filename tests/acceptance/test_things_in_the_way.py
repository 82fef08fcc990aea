"""Pipes, links, deep nesting and clutter where the runner's own files belong: told by name, never a hang or a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.lab import Lab, segment, shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes in the file system, links without rights")

DEEP = ["[" * 200_000, "segments: " + "[" * 200_000, "- " * 100_000, "{a: " * 100_000, "? " * 100_000]


def simple(lab: Lab) -> Path:
    return lab.pipeline([shell("first", "echo done")])


def status_of(pipeline: Path) -> Path:
    return pipeline.with_name("pipeline_status.yaml")


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_a_deeply_nested_status_or_pipeline_file_is_told(lab: Lab, text: str) -> None:
    pipeline = simple(lab)
    status_of(pipeline).write_text(text)
    assert "could not be read" in lab.run("status", pipeline).stdout
    assert "could not be read" in lab.run(pipeline).stdout
    assert status_of(pipeline).with_name("pipeline_status.yaml.broken-1").read_text() == text
    pipeline.write_text(text)
    lab.run(pipeline, check=2)


def test_a_pipeline_that_is_named_like_a_status_file_is_not_written_over(lab: Lab) -> None:
    own = lab.pipeline([shell("own", "echo own")], "pipeline_status.yaml")
    lab.run(own)
    text = own.read_bytes()
    pipeline = simple(lab)
    for command in ([pipeline], ["status", pipeline], [pipeline, "--force"]):
        assert "is a pipeline of its own" in lab.run(*command, check=2).stderr
    assert own.read_bytes() == text


def test_a_pipeline_with_signs_of_a_pattern_in_its_name_is_checked_itself(lab: Lab) -> None:
    named = lab.pipeline([shell("own", "echo own")], "exp[1].yaml")
    lab.pipeline([{"name": "other"}, {"nome": "x"}], "exp1.yaml")
    assert "exp[1].yaml: could run as it is" in lab.run("check", named).stdout


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
def test_deep_nesting_in_the_files_of_the_repository_is_told(lab: Lab, name: str) -> None:
    lab.script("show.py", "")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/show.py")])
    with (lab.repo / name).open("a", encoding="utf-8") as file:
        file.write(f"\nx = {'[' * 5000}{']' * 5000}\n")
    for command in (["check", pipeline], [pipeline]):
        done = lab.run(*command, check=3)
        assert f"{name} is not valid TOML" in done.stdout + done.stderr
    lab.run("env", "list")


@pytest.mark.parametrize("name", ["pipeline.yaml", "pipeline_status.yaml", "pipeline_status.yaml.lock", ".env"])
@pytest.mark.parametrize("thing", ["pipe", "loop", "device", "nowhere"])
def test_what_is_no_file_is_named_and_nothing_waits_for_it(lab: Lab, name: str, thing: str) -> None:
    pipeline = simple(lab)
    path = (lab.repo if name == ".env" else lab.data) / name
    path.unlink(missing_ok=True)
    if thing == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"loop": path, "device": "/dev/zero", "nowhere": lab.root / "nowhere" / "file"}[thing])
    before = path.lstat()[:7]
    for command in ([pipeline], [pipeline, "--dry-run"], ["status", pipeline], ["check", pipeline]):
        done = lab.run(*command, check=None)
        quiet = (name.endswith(".lock") and command != [pipeline]) or (name != ".env" and command[0] == "check")
        if not (quiet and done.returncode == 0):
            assert done.returncode == 2
            assert name in done.stdout + done.stderr
        elif command[0] == "status":
            assert name in done.stdout
    assert path.lstat()[:7] == before


@pytest.mark.parametrize("content", [b"[]", b"hello", b"\xff\xfe", b"5", b"<html>"])
def test_a_file_that_is_no_lock_is_named_and_stays(lab: Lab, content: bytes) -> None:
    pipeline = simple(lab)
    lock = lab.data / "pipeline_status.yaml.lock"
    lock.write_bytes(content)
    os.utime(lock, (1.6e9, 1.6e9))
    done = lab.run(pipeline, check=2)
    assert str(lock) in done.stderr
    assert lock.read_bytes() == content
    assert "first" in lab.run("status", pipeline).stdout


ODD_LOCKS = [
    {"pid": "x"},
    {"since": 5},
    {"token": "../../x"},
    {"pid": -1},
    {"started": "x"},
    {"host": []},
    {"pid": 1e99},
]


@pytest.mark.parametrize("change", [*ODD_LOCKS, None], ids=str)
def test_a_lock_with_odd_content_counts_as_torn(lab: Lab, change: dict[str, object] | None) -> None:
    pipeline = simple(lab)
    lock = lab.data / "pipeline_status.yaml.lock"
    names = ("token", "host", "boot", "user", "since", "what")
    held = {**dict.fromkeys(names, "a"), "pid": 1, "started": 1.0}
    lock.write_text(json.dumps({**held, **change}) if change else '{"a":' * 10_000)
    os.utime(lock, (1.6e9, 1.6e9))
    lab.run("status", pipeline)
    lab.run(pipeline)
    assert not lock.exists()


def test_clutter_in_the_records_stops_neither_run_nor_status(lab: Lab) -> None:
    pipeline = simple(lab)
    lab.run(pipeline)
    (run,) = lab.runs(pipeline)
    told = json.loads((run / "run.json").read_text())
    odd = {"state": "running", "started": 5, "durations": {"first": "long", "x": [1]}}
    (run / "run.json").write_text(json.dumps({**told, **odd}))
    (run / "child.json").write_text('{"pid": "x", "started": [], "marker": 5}')
    receipt = {"state": "succeeded", "content_hash": "a" * 64, "seconds": "fast", "name": 5, "outputs": {"a": 1}}
    for name in ("notes", "x-1", "01-first"):
        (run / name).mkdir(exist_ok=True)
        (run / name / "receipt.json").write_text(json.dumps(receipt))
    (run.parent / "backup").mkdir()
    (run.parent / "000002-copy").mkdir()
    assert "Last run" in lab.run("status", pipeline).stdout
    lab.run(pipeline, "--force")
    os.truncate(status_of(pipeline), 0)
    status_of(pipeline).write_text(
        f"segments:\n- name: first\n  content_hash: {'a' * 64}\n"
        f'  last_processed: "2026-01-01"\n  code_version: 0.1.0\n  run_duration: {"9" * 400}h\n'
    )
    lab.run("status", pipeline)
    lab.run(pipeline)


def test_a_status_file_that_is_a_link_stays_one_and_keeps_its_mode(lab: Lab) -> None:
    pipeline = simple(lab)
    real = lab.root / "elsewhere" / "real.yaml"
    real.parent.mkdir()
    status_of(pipeline).symlink_to(real)
    lab.run(pipeline)
    assert status_of(pipeline).is_symlink()
    assert "first" in real.read_text()
    real.chmod(0o640)
    lab.run(pipeline, "--force")
    assert status_of(pipeline).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    real.write_text("broken: [")
    lab.run(pipeline)
    assert status_of(pipeline).is_symlink()
    assert (real.parent / "real.yaml.broken-1").read_text() == "broken: ["
    assert sorted(path.name for path in real.parent.iterdir()) == ["real.yaml", "real.yaml.broken-1"]


def test_a_pipeline_removed_before_the_lock_is_taken_is_told(lab: Lab) -> None:
    pipeline = simple(lab)
    lock = lab.data / "pipeline_status.yaml.lock"
    lock.write_text("{")  # torn a moment ago: the runner waits for what becomes of it
    process = lab.popen(pipeline)
    time.sleep(2)
    assert process.poll() is None
    pipeline.unlink()
    os.utime(lock, (1.6e9, 1.6e9))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert b"was removed meanwhile; nothing was run" in output
    assert [path.name for path in lab.data.iterdir()] == []


def test_no_link_is_followed_by_what_is_written_for_a_moment(lab: Lab) -> None:
    """Another user of the folder cannot know the names; whatever is there by chance stays as it is."""
    pipeline = simple(lab)
    script = (
        "import os, sys; sys.argv[1:] = []; from pathlib import Path; from runner.ground.files import write_atomic\n"
    )
    script += f"folder = Path({str(lab.data)!r})\n"
    script += "(folder / f'x.yaml.{os.getpid()}.tmp').symlink_to(folder / 'victim')\n"
    script += "(folder / 'victim').write_text('mine'); write_atomic(folder / 'x.yaml', b'new')\n"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])
    assert (lab.data / "victim").read_text() == "mine"
    assert (lab.data / "x.yaml").read_text() == "new"
    lab.run(pipeline)
