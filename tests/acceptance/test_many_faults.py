"""What a weekend with many items brings: a killed runner, crashing items, a full disk, odd names, Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.killed import kill_often
from tests.support.lab import Lab, shell

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and file names of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="whose a process is, Linux tells")
PYTHON = f'exec "{sys.executable}" -S -E'


def over(lab: Lab, code: str, *args: str, foreach: Any, **keys: Any) -> dict[str, Any]:
    """A segment that runs `code` for each item with `args`."""
    script = lab.script("item.py", code)
    return {"name": "many", "environment": "cmd", "foreach": foreach, **keys, "commands": [PYTHON, str(script), *args]}


def receipts(lab: Lab, pipeline: Path) -> dict[str, dict[str, Any]]:
    """Of the newest run's items, by key."""
    found = {}
    for path in lab.runs(pipeline)[-1].glob("*/receipts-*.jsonl"):
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError):
                told = json.loads(line.rpartition(b"\t")[0])
                found[told["key"]] = told
    return found


def counts(lab: Lab, pipeline: Path) -> dict[str, int]:
    return dict(lab.receipts(pipeline)[-1]["items"])


def none_with(word: str, seconds: float = 10) -> bool:
    """No process has `word` on its command line, or soon none."""
    deadline = time.monotonic() + seconds
    while any(_has(process, word) for process in psutil.process_iter()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _has(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(word in one for one in process.cmdline())
    return False


@linux
def test_a_runner_killed_with_items_in_flight_loses_none_and_runs_none_twice_that_has_a_receipt(lab: Lab) -> None:
    seen = kill_often(lab, 4, 40, random.Random(7), longest=1.0)
    assert (seen.kills, seen.twice, seen.lost, seen.left) == (4, [], [], 0)


@posix
def test_a_name_with_a_shell_s_signs_is_a_text_in_a_shell_s_line(lab: Lab) -> None:
    names = [
        'a"; touch x; ".tif',
        "b$(touch x).tif",
        "c'; touch x; '.tif",
        "d\n&.tif",
        "-rf .tif",
        "ü ß.tif",
        "%STEM%.tif",
    ]
    folder = lab.data / "in"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    (lab.data / "out").mkdir()
    line = "cp -- %ITEM% \"out/%STEM%.txt\" && cmp '%ITEM%' out/%STEM%.txt"
    pipeline = lab.pipeline([shell("copies", line, foreach="in/*.tif", cwd="%YAML%")])
    lab.run(pipeline)
    assert sorted(p.read_text() for p in (lab.data / "out").iterdir()) == sorted(names)
    assert not list(lab.root.rglob("x"))


@posix
def test_a_name_that_would_run_as_code_fails_alone_with_what_to_write_instead(lab: Lab) -> None:
    line = "bash -c 'echo got:%ITEM%'"
    pipeline = lab.pipeline([shell("nested", line, foreach=["plain", "a; touch x"])])
    lab.run(pipeline, check=1)
    note = receipts(lab, pipeline)["a; touch x"]["note"]
    assert "could run as a command" in note and "`env: {FILE: '%ITEM%'}`" in note
    assert counts(lab, pipeline)["done"] == 1
    assert not list(lab.root.rglob("x"))


@posix
def test_a_value_that_is_an_operator_of_the_shell_s_is_an_argument(lab: Lab) -> None:
    commands = ["printf '<%s>\\n'", "%ITEM%", "touched"]
    pipeline = lab.pipeline([{**shell("echoes", ""), "foreach": [">", "&&", ";", "|"], "commands": commands}])
    lab.run(pipeline)
    logs = b"".join(p.read_bytes() for p in lab.runs(pipeline)[-1].glob("*/log-*.txt")).decode()
    assert sorted(logs.split()) == sorted(["<>>", "<&&>", "<;>", "<|>", *["<touched>"] * 4])
