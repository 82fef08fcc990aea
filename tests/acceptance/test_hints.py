"""What the command line says to somebody who typed, or gave, something else than it takes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.lab import Lab, segment


def test_a_changed_segment_is_told_with_what_changed(lab: Lab) -> None:
    lab.script("a.py", "")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/a.py", {"--min": 1})])
    lab.run(pipeline)
    lab.pipeline([segment("a", "python", "%REPO%/scripts/a.py", {"--min": 2})])
    for command in ([pipeline, "--dry-run"], ["status", pipeline]):
        assert ": `--min: 1` became `--min: 2`" in lab.run(*command).stdout


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture (PNG)"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture (JPEG)"),
        (b"II*\0\x08\0\0\0", "an image (TIFF)"),
        (b"PK\x03\x04\x14\0", "a ZIP file, as those of Word and Excel are"),
        (b"%PDF-1.7\n", "a PDF document"),
    ],
)
def test_a_picture_or_document_as_pipeline_is_named_as_what_it_is(lab: Lab, data: bytes, what: str) -> None:
    path = lab.data / "cells.yaml"
    path.write_bytes(data)
    done = lab.run(path, check=2)
    assert f"this is {what}, and no pipeline file" in done.stderr
    assert "Notepad" not in done.stderr


@pytest.mark.parametrize(("typed", "meant"), [("chek", "check"), ("Status", "status"), ("docter", "doctor")])
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(lab: Lab, typed: str, meant: str) -> None:
    assert f"Did you mean the command `{meant}`?" in lab.run(typed, "x.yaml", check=2).stderr


def test_a_mistyped_run_is_an_error_with_its_place_and_an_empty_file_is_none(lab: Lab) -> None:
    path = lab.data / "p.yaml"
    path.write_text("# mine\nruns:\n- environment: cmd\n  commands: [echo]\n", encoding="utf-8")
    done = lab.run(path, check=2)
    assert "p.yaml:2:1: error: `runs` is no key of a pipeline file" in done.stderr
    assert "Write `run:`." in done.stderr
    path.write_text("other: 1\n", encoding="utf-8")
    lab.run(path)


def test_check_of_a_pattern_passes_over_status_files(lab: Lab) -> None:
    lab.script("a.py", "")
    pipeline = lab.pipeline([segment("a", "python", "%REPO%/scripts/a.py")])
    lab.run(pipeline)
    files = sorted(lab.data.glob("*.yaml"))
    assert len(files) == 2
    for typed in (files, [lab.data / "*.yaml"]):
        assert lab.run("check", *typed).stdout.count("could run as it is") == 1
    assert "is a status file" in lab.run("check", files[1], check=2).stderr


@pytest.mark.parametrize("path", [r"C:\new\test.py", r"%YAML%\table.csv", r"\\nas\raw"])
def test_a_path_in_double_quotes_that_lost_a_backslash_is_told(lab: Lab, path: str) -> None:
    written = path.replace(r"\\nas", r"\\\\nas")
    (lab.data / "p.yaml").write_text(
        f'run:\n- environment: cmd\n  commands:\n  - echo\n  - --in: "{written}"\n', encoding="utf-8"
    )
    done = lab.run("check", lab.data / "p.yaml")
    assert "p.yaml:5:" in done.stdout
    assert "single quotes" in done.stdout


def test_line_breaks_in_double_quotes_that_are_no_path_are_left_alone(lab: Lab) -> None:
    (lab.data / "p.yaml").write_text(
        'run:\n- environment: cmd\n  commands: [echo, "a\\nb", "x: 1\\ty"]\n', encoding="utf-8"
    )
    assert "could run as it is" in lab.run("check", lab.data / "p.yaml").stdout


def test_the_places_that_were_searched_stand_in_lines_of_their_own(lab: Lab) -> None:
    pipeline = lab.pipeline([{"name": "a", "environment": "conda:x", "commands": ["python", "-V"]}])
    said = lab.run(pipeline, check=3, PATH=str(Path(sys.executable).parent)).stderr
    assert "error: conda was not found, which the environment 'x' needs\n" in said
    places = said[said.index("Looked in:") :].splitlines()
    assert len([line for line in places if line.startswith("    ")]) > 3
    assert max(map(len, places)) < 160


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_status_names_the_segment_that_runs_and_ctrl_c_says_how_to_go_on(lab: Lab) -> None:
    lab.script("wait.py", "import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\ntime.sleep(60)\n")
    pipeline = lab.pipeline([segment("Wait here", "python", "%REPO%/scripts/wait.py", "%YAML%/started")])
    process = subprocess.Popen(
        lab.argv(pipeline), env=lab.environ(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    for _ in range(600):
        if (lab.data / "started").exists():
            break
        time.sleep(0.1)
    assert "Now: 1. Wait here" in lab.run("status", pipeline).stdout
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "Start the pipeline again to go on from this segment" in said
    (log,) = lab.data.glob(".run-pipeline/*/*/*/log.txt")
    assert "KeyboardInterrupt" in log.read_text(encoding="utf-8")
    assert "Now:" not in lab.run("status", pipeline).stdout


def test_a_script_that_is_not_there_is_told_once(lab: Lab) -> None:
    pipeline = lab.pipeline([{"name": "a", "environment": "script", "commands": ["python", "%YAML%/x.py"]}])
    assert lab.run(pipeline, "--dry-run").stdout.count("there is no script") == 1
    assert lab.run("check", pipeline, check=2).stdout.count("there is no script") == 1
