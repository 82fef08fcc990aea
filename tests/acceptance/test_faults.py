"""What a weekend brings: a killed runner, a full disk, a read-only folder, an edited file, a broken status file."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from tests.support.going import words_of
from tests.support.lab import Lab, segment, shell

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and mounts of POSIX")
root = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting a small disk needs root")

STEP = """\
import sys, time
journal, name = sys.argv[1:]
def note(word):
    with open(journal, "a") as f: f.write(f"{word} {name}\\n")
note("start")
time.sleep(0.03)
note("end")
"""


def processes_of(folder: Path) -> list[psutil.Process]:
    """What runs with a word of its command line below `folder`."""
    return [one for one in psutil.process_iter() if any(str(folder) in word for word in words_of(one))]


def none_left(folder: Path, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while processes_of(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@posix
@pytest.mark.parametrize("seed", range(5))
def test_a_runner_killed_at_any_moment_loses_nothing_that_was_finished(lab: Lab, seed: int) -> None:
    """Ten kills each: the status file always parses, and no segment runs again that a receipt calls done."""
    dice = random.Random(seed)
    script = lab.script("step.py", STEP)
    journal = lab.root / "journal.txt"
    journal.write_text("")
    names = [f"step {n}" for n in range(10)]
    pipeline = lab.pipeline([segment(name, "python", str(script), str(journal), name) for name in names])
    lab.run(pipeline)
    lab.run(pipeline, "--force")
    kills = 0
    force: list[str] = ["--force"]
    while kills < 10:
        called_done = set() if force else done_so_far(lab, pipeline)
        journal.write_text("")
        process = lab.popen(pipeline, *force, stdout=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.15, 1.6))
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
        force = []
        started = {line.removeprefix("start ") for line in journal.read_text().splitlines() if "start" in line}
        assert not started & called_done
        entries = lab.status(pipeline)
        assert [e["name"] for e in entries] == names[: len(entries)]
        if process.returncode == 0:
            assert len(entries) == 10
            force = ["--force"]
    lab.run(pipeline)
    assert [e["name"] for e in lab.status(pipeline)] == names
    assert none_left(lab.root)


def done_so_far(lab: Lab, pipeline: Path) -> set[str]:
    names = {e["name"] for e in lab.status(pipeline)}
    file = lab.runs(pipeline)[-1] / "run.json"
    # killed in its first moment, a run has a folder and nothing in it
    if file.exists() and json.loads(file.read_text(encoding="utf-8"))["state"] == "running":
        names |= {r["name"] for r in lab.receipts(pipeline) if r["state"] == "succeeded"}
    return names


@posix
def test_the_next_run_ends_what_a_killed_runner_left_running(lab: Lab) -> None:
    script = lab.script("sleeper.py", "import time\nprint('here', flush=True)\ntime.sleep(300)\n")
    pipeline = lab.pipeline([segment("sleeps", "python", str(script))])
    process = lab.popen(pipeline)
    assert process.stdout is not None
    while b"here" not in process.stdout.readline():
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    script.write_text("print('now')\n")
    done = lab.run(pipeline)
    assert "had left running" in done.stdout
    assert f"took over the lock of {getpass.getuser()}@" in done.stdout and f"process {process.pid}," in done.stdout
    assert "took over" not in lab.run(pipeline, "--force").stdout
    assert none_left(script)


@pytest.mark.skipif(sys.platform != "linux", reason="a process without its marks is known by /proc")
@pytest.mark.parametrize("parent", ["stays", "ends"])
def test_a_daemon_that_dropped_everything_does_not_outlive_a_killed_runner_and_the_next_run(
    lab: Lab, parent: str
) -> None:
    number = lab.root / "daemon"
    daemon = f"env -i setsid sh -c 'echo $$ > \"{number}\"; exec sleep 300' > /dev/null 2>&1 < /dev/null &"
    line = f"( {daemon} ); sleep 300" if parent == "ends" else f"{daemon} sleep 300"
    pipeline = lab.pipeline([shell("daemon", line)])
    process = lab.popen(pipeline, stdout=subprocess.DEVNULL)
    deadline, noted = time.monotonic() + 30, False
    while time.monotonic() < deadline and not noted:
        time.sleep(0.1)
        noted = number.exists() and number.read_text().strip() != ""
    process.kill()
    process.wait()
    pid = int(number.read_text())
    assert noted and psutil.pid_exists(pid)
    pipeline.write_text(pipeline.read_text().replace("sleep 300", "true"))
    done = lab.run(pipeline)
    assert f"sleep (pid {pid})" in done.stdout
    assert gone_now(pid)


def gone_now(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,nr_inodes=200", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> str:
    """A shell line that leaves not one block free in `folder`, and ends well."""
    return f"head -c 10M /dev/zero > '{folder}/filling' 2>/dev/null; true"


@root
def test_a_full_disk_at_the_receipt_is_a_clear_error_and_the_old_status_stays(lab: Lab, small_disk: Path) -> None:
    pipeline = small_disk / "p.yaml"
    pipeline.write_text(yaml.safe_dump({"run": [shell("first", "echo 1"), shell("fills", fill(small_disk))]}))
    done = lab.run(pipeline, check=4)
    assert "is full" in done.stderr
    assert "Free some space" in done.stderr
    assert [e["name"] for e in lab.status(pipeline)] == ["first"]
    (small_disk / "filling").unlink()
    assert [p.name for p in small_disk.glob("*.tmp")] == []
    pipeline.write_text(pipeline.read_text().replace("head", "true head"))
    assert "1 done, 1 to run" in lab.run(pipeline).stdout


@root
def test_a_full_disk_at_the_status_file_keeps_the_receipt_and_the_old_status(lab: Lab, small_disk: Path) -> None:
    pipeline = small_disk / "p.yaml"
    long = "x" * 3000  # so that the status file needs another block
    segments = [shell("first", "echo 1"), shell("fills " + long, fill(small_disk))]
    pipeline.write_text(yaml.safe_dump({"run": segments}))
    done = lab.run(pipeline, "--records", lab.root / "records", check=4)
    assert "p_status.yaml" in done.stderr
    assert "is full" in done.stderr
    assert [e["name"] for e in lab.status(pipeline)] == ["first"]
    (small_disk / "filling").unlink()
    again = lab.run(pipeline, "--records", lab.root / "records")
    assert "Nothing to run" in again.stdout or "taken as done" in again.stdout
    assert len(lab.status(pipeline)) == 2


@root
def test_a_full_disk_at_the_log_stops_the_segment_with_a_clear_error(lab: Lab, small_disk: Path) -> None:
    # not at once: the note of the running process must have been written by then
    pipeline = lab.pipeline([shell("talks", "sleep 1; yes | head -c 5000000; sleep 60")])
    before = time.monotonic()
    done = lab.run(pipeline, "--records", small_disk, check=4)
    assert time.monotonic() - before < 50
    assert "log.txt" in done.stderr
    assert "full" in done.stderr
    assert not pipeline.with_name("pipeline_status.yaml").exists()


@root
def test_a_read_only_pipeline_folder_is_said_before_anything_runs(lab: Lab, small_disk: Path) -> None:
    pipeline = small_disk / "p.yaml"
    pipeline.write_text(yaml.safe_dump({"run": [shell("never", f"echo ran > '{lab.root}/ran'")]}))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = lab.run(pipeline, check=4)
    assert "no permission to write" in done.stderr
    assert "Copy the pipeline file" in done.stderr
    assert not (lab.root / "ran").exists()
    assert lab.run(pipeline, "--dry-run").stdout.count("never") == 1


def test_a_pipeline_edited_during_its_run_runs_as_it_was_and_says_so(lab: Lab) -> None:
    pipeline = lab.pipeline([])
    edit = lab.script("edit.py", "import sys\nopen(sys.argv[1], 'a').write('# edited\\n')\n")
    pipeline = lab.pipeline(
        [segment("edits", "python", str(edit), str(pipeline)), segment("later", "python", "-c", "print('ran')")]
    )
    as_run = pipeline.read_bytes()
    done = lab.run(pipeline)
    assert "was edited while it ran" in done.stdout
    assert [e["name"] for e in lab.status(pipeline)] == ["edits", "later"]
    assert (lab.runs(pipeline)[-1] / "pipeline.yaml").read_bytes() == as_run


@pytest.mark.parametrize("content", [b"", b"segments:\n- name: x\n  content_h", b"\xff\xfe\x00bad", b"{]"])
def test_a_broken_status_file_is_kept_under_another_name(lab: Lab, content: bytes) -> None:
    pipeline = lab.pipeline([segment("runs", "python", "-c", "print('ran')")])
    status = lab.data / "pipeline_status.yaml"
    status.write_bytes(content)
    done = lab.run(pipeline)
    assert "succeeded" in done.stdout
    kept = lab.data / "pipeline_status.yaml.broken-1"
    assert not content or (kept.read_bytes() == content and "kept as pipeline_status.yaml.broken-1" in done.stdout)
    assert lab.status(pipeline)[0]["name"] == "runs"


def test_a_folder_in_place_of_the_status_file_is_a_clear_error(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("never", "python", "-c", "print('ran')")])
    (lab.data / "pipeline_status.yaml").mkdir()
    done = lab.run(pipeline, check=4)
    assert "there is a folder of that name" in done.stderr
    assert "succeeded" not in done.stdout


def test_a_clock_set_back_changes_no_order(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("first", "python", "-c", "print(1)")])
    lab.run(pipeline)
    old = lab.runs(pipeline)[0]
    future = old.rename(old.with_name("000001-2099-01-01-000000"))
    data = json.loads((future / "run.json").read_text(encoding="utf-8"))
    (future / "run.json").write_text(json.dumps({**data, "started": "2099-01-01T00:00:00.000+00:00"}))
    lab.run(pipeline, "--force")
    assert [p.name[:6] for p in lab.runs(pipeline)] == ["000001", "000002"]
    assert str(lab.runs(pipeline)[-1]) in lab.run("status", pipeline).stdout


def test_a_second_run_of_the_same_pipeline_is_refused_with_who_and_since_when(lab: Lab) -> None:
    script = lab.script("wait.py", "import pathlib, sys, time\nprint('here', flush=True)\n"
                        "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.02)\n")  # fmt: skip
    flag = lab.root / "go on"
    pipeline = lab.pipeline([segment("waits", "python", str(script), str(flag))])
    first = lab.popen(pipeline)
    assert first.stdout is not None
    while b"here" not in first.stdout.readline():
        pass
    second = lab.run(pipeline, check=2)
    # not `first.pid`: a venv's python.exe on Windows is but a launcher
    pid = json.loads((lab.runs(pipeline)[-1] / "run.json").read_text(encoding="utf-8"))["pid"]
    assert f"process {pid}" in second.stderr
    assert "since" in second.stderr
    assert f"process {pid}" in lab.run("status", pipeline).stdout
    flag.touch()
    assert first.wait(30) == 0
    first.stdout.close()
    assert not list(lab.data.glob("*.lock"))


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_kindly_leaves_no_process_and_exits_130(lab: Lab, name: str) -> None:
    number = signal.Signals[name]
    script = lab.script(
        "parent.py",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', __file__])\n"
        "print('here', flush=True)\ntime.sleep(300)\n",
    )
    pipeline = lab.pipeline([segment("first", "python", "-c", "pass"), segment("long", "python", str(script))])
    process = lab.popen(pipeline)
    assert process.stdout is not None
    while b"here" not in process.stdout.readline():
        pass
    process.send_signal(number)
    output = process.stdout.read()
    process.stdout.close()
    assert process.wait(30) == 130, output
    assert b"Traceback" not in output.split(b"KeyboardInterrupt")[0] or number == signal.SIGINT
    assert none_left(script)
    assert [e["name"] for e in lab.status(pipeline)] == ["first"]
    assert lab.receipts(pipeline)[-1]["state"] == "stopped"
