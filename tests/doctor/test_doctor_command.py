"""`run-pipeline doctor` as it is typed, and what it says of a pipeline file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.process.identity import is_alive
from tests.doctor.machine import Machine
from tests.support.lab import Lab, segment
from tests.support.programs import program

OFFLINE = {"UV_OFFLINE": "1"}


def rows(lab: Lab, *args: str | Path, check: int = 0, **environ: str) -> list[dict[str, Any]]:
    done = lab.run("doctor", *args, "--json", check=check, **OFFLINE, **environ)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_healthy_repository_has_no_problem(lab: Lab) -> None:
    *lines, summary = rows(lab)
    assert summary["event"] == "summary"
    assert summary["problems"] == 0
    assert summary["ok"] == sum(line["state"] == "ok" for line in lines)
    assert {"event", "check", "state", "text", "cure"} == lines[0].keys()
    assert {"uv", "lock", "disk", "GPU"} <= {line["check"] for line in lines}
    page = lab.run("doctor", **OFFLINE).stdout
    assert "ok       uv " in page
    assert page.splitlines()[-1].startswith("0 problems, ")


def test_a_problem_gives_exit_status_1_and_its_cure(lab: Lab) -> None:
    pipeline = lab.pipeline(
        [segment("gone", "%REPO%/scripts/gone.py"), segment("a", "x", environment="no such environment")]
    )
    said = " ".join(lab.run("doctor", pipeline, check=1, **OFFLINE).stdout.split())
    assert "there is no script" in said
    assert "→ " in said
    assert "conda was not found" in said


def test_a_file_that_is_not_valid_is_a_problem_with_its_place(lab: Lab) -> None:
    pipeline = lab.data / "bad.yaml"
    pipeline.write_text("run:\n- name: a\n  environment: uv:default\n  commands: python\n", encoding="utf-8")
    found = [row for row in rows(lab, pipeline, check=1) if row.get("check") == "pipeline file"]
    assert found[0]["state"] == "problem"
    assert found[0]["text"].startswith("line 4: ")


def test_a_file_that_is_not_there_is_an_error_of_usage(lab: Lab) -> None:
    assert "there is no file" in lab.run("doctor", lab.data / "none.yaml", check=2).stderr


def test_the_forecast_is_that_of_a_real_run(lab: Lab) -> None:
    lab.script("write.py", "open('big.bin', 'wb').write(b'x' * (3 << 20))\n")
    pipeline = lab.pipeline(
        [segment("write", "%REPO%/scripts/write.py", cwd="%YAML%", outputs=["%YAML%/*.bin"], environment="uv:default")]
    )
    lab.run(pipeline)
    (disk,) = [row for row in rows(lab, pipeline) if row.get("check") == "disk"]
    assert "a run writes 3 MiB of outputs" in disk["text"]
    records = lab.root / "records"
    (disk,) = [row for row in rows(lab, pipeline, "--records", records) if row.get("check") == "disk"]
    assert "a run writes" not in disk["text"]
    (environments,) = [row for row in rows(lab, pipeline) if row.get("check") == "uv environments"]
    assert environments["text"] == "in step: default"


def test_nothing_is_written(lab: Lab) -> None:
    pipeline = lab.pipeline([segment("a", "-c", "pass")])
    before = lab.contents()
    rows(lab, pipeline)
    assert lab.contents() == before


def test_programs_that_hang_cost_less_than_30_seconds(lab: Lab) -> None:
    programs = lab.root / "programs"
    for name in ("nvidia-smi", "conda", "mamba"):
        program(programs / name, "import time; time.sleep(100)")
    began = time.monotonic()
    found = rows(lab, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    assert time.monotonic() - began < 30
    (gpu,) = [row for row in found if row.get("check") == "GPU"]
    assert gpu["state"] == "warning"
    assert "did not answer" in gpu["text"]


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
def test_ctrl_c_ends_it_and_what_it_asked(lab: Lab) -> None:
    programs = lab.root / "programs"
    note = lab.root / "pid"
    code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    program(programs / "nvidia-smi", code)
    environ = lab.environ(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}", **OFFLINE)
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "doctor"], cwd=lab.root, env=environ,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    while not note.exists() or not note.read_text(encoding="utf-8").strip():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"interrupted" in said
    assert not is_alive(int(note.read_text(encoding="utf-8")), None)


def test_settings_files_that_a_segment_names_are_looked_for(machine: Machine) -> None:
    (machine.repo / "there.yaml").write_text("a: 1\n", encoding="utf-8")
    commands = ["python", "-c", "pass", {"--config": "%REPO%/there.yaml"}, {"--model": "%REPO%/gone.yml"}]
    machine.pipeline(
        {"name": "a", "environment": "uv:plain", "commands": [*commands, {"--output-settings": "%REPO%/new.yaml"}]}
    )
    ((state, text),) = machine.said("pipeline file")
    assert state == "warning"
    assert f"names {machine.repo / 'gone.yml'}, which is not there" in text


def test_a_pipeline_that_could_run_is_fine(machine: Machine) -> None:
    machine.pipeline({"name": "a", "environment": "uv:plain", "commands": ["python", "-c", "pass"]})
    assert machine.said("pipeline file") == [("ok", "pipeline.yaml is valid; the scripts of its 1 segment are there")]


@pytest.mark.skipif(sys.platform != "linux", reason="a lease, as file servers take it, is a thing of Linux")
def test_a_file_on_a_share_that_does_not_answer_does_not_hang(lab: Lab) -> None:
    import fcntl

    mute = lab.data / "mute.yaml"
    mute.write_text("run: []\n", encoding="utf-8")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    with mute.open("rb+") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)  # opening it waits, as on a dead share
        began = time.monotonic()
        said = lab.run("doctor", mute, check=4, **OFFLINE).stderr
        assert time.monotonic() - began < 30
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    signal.signal(signal.SIGIO, before)
    assert "could not be read within 8 s" in said
