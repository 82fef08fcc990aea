"""Segments that run at the same time share what is made ready for them."""

import contextlib
import json
import os
import subprocess
import sys
import time

import psutil
import pytest
from uv import find_uv_bin

from tests.support.lab import Lab


def test_an_environment_that_cannot_be_made_is_tried_once_for_all_who_wait_for_it(lab: Lab) -> None:
    (lab.root / "file").write_text("no folder")
    names = ("a", "b", "c", "d")
    segments = [{"name": n, "environment": "uv:default", "needs": [], "commands": ["python", "-c", "1"]} for n in names]
    done = lab.run(lab.pipeline(segments), "--jobs", "4", "--json", check=3, RUN_PIPELINE_ENVS=str(lab.root / "file"))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sum(event["event"] == "preparing" for event in events) == 1
    assert "cannot be prepared" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="what a killed runner leaves is looked up in /proc")
def test_what_prepares_an_environment_does_not_outlive_a_killed_runner_and_the_next_start(lab: Lab) -> None:
    number, programs = lab.root / "number", lab.root / "programs"
    programs.mkdir()
    slow = programs / "uv"
    slow.write_text(
        f"#!/bin/sh\ncase $1 in sync) echo $$ > '{number}'; exec sleep 100;; esac\nexec '{find_uv_bin()}' \"$@\"\n"
    )
    slow.chmod(0o755)
    pipeline = lab.pipeline([{"name": "a", "environment": "uv:default", "commands": ["python", "-c", "1"]}])
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "UV": str(slow)}
    process = subprocess.Popen(
        lab.argv(pipeline), env=lab.environ(**path), cwd=lab.root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (number.exists() and number.read_text().strip()):
        time.sleep(0.05)
    process.kill()
    process.wait()
    pid = int(number.read_text())
    assert psutil.pid_exists(pid)
    assert f"sleep (pid {pid})" in lab.run(pipeline).stdout
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
