"""The question before anything is written, at a real terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest
import uv as uv_package

from runner.migrate.pipelines import plan_twins, write_twins
from tests.migrate.places import Place
from tests.migrate.test_twins import sign, write

if sys.platform == "win32":
    pytest.skip("pseudo-terminals of POSIX", allow_module_level=True)

import pty
import select


def answered(
    place: Place,
    recipe: Path | str,
    answer: bytes,
    more: Mapping[str, str] = {},
    stop_at: bytes = b"",
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[int, str]:
    """Exit code and screen, when `answer` is typed at the question, or Ctrl-C as soon as `stop_at` is shown.

    `meanwhile` happens while the question waits.
    """
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "migrate", "--repo", str(place.repo), str(recipe)],
        cwd=Path(__file__).resolve().parents[2],
        env={**place.environ(), "TERM": "xterm", **more},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen, sent = b"", False
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.2)[0]:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            screen += chunk
        if not sent and b"[y/N]" in screen:
            meanwhile()
            os.write(master, answer)
            sent = True
        if stop_at and stop_at in screen:
            os.killpg(process.pid, signal.SIGINT)
            stop_at = b""
    os.close(master)
    return process.wait(timeout=30), screen.decode("utf-8", "replace")


def test_the_plan_is_shown_before_the_question_and_no_writes_nothing(place: Place) -> None:
    before = place.pyproject
    code, screen = answered(place, place.recipe("- spots"), b"n\n")
    assert code == 0
    assert screen.index("guessed") < screen.index("Write the group cells?")
    assert "Nothing was written" in screen
    assert place.pyproject == before


def test_yes_writes_it(place: Place) -> None:
    code, screen = answered(place, place.recipe("- spots"), b"y\n")
    assert code == 0, screen
    assert "cells = [" in place.pyproject
    assert "uv lock beside" in screen  # what takes its time is shown while it does


def test_an_end_of_the_input_at_the_question_is_no_crash_and_writes_nothing(place: Place) -> None:
    before = place.pyproject
    code, screen = answered(place, place.recipe("- spots"), b"\x04")
    assert code == 130, screen
    assert "report" not in screen
    assert place.pyproject == before


def slow_uv(place: Place, delay: str, where: str = "*") -> dict[str, str]:
    """Variables under which `uv lock` in a folder that is like `where` is delayed."""
    slow = place.root / "slow uv" / "uv"
    slow.parent.mkdir()
    lines = f'case "$1 $PWD" in lock\\ {where}) {delay};; esac\nexec "{uv_package.find_uv_bin()}" "$@"\n'
    slow.write_text(f"#!/bin/sh\n{lines}", encoding="utf-8")
    slow.chmod(0o755)
    return {"RUN_PIPELINE_UV": str(slow)}


def test_seconds_are_counted_while_uv_works(place: Place) -> None:
    code, screen = answered(place, place.recipe("- spots"), b"n\n", slow_uv(place, "sleep 1.5"))
    assert code == 0, screen
    assert re.search(r"uv lock of the group cells alone: 1\.\d s", screen)


@pytest.mark.parametrize(
    ("where", "stop_at"), [("*run-pipeline-migrate-*", b"as it is"), ("*Labor*", b"uv lock in the repository")]
)
def test_ctrl_c_while_uv_works_leaves_both_files_and_no_process(place: Place, where: str, stop_at: bytes) -> None:
    before = (place.repo / "pyproject.toml").read_bytes(), (place.repo / "uv.lock").read_bytes()
    scratch = place.root / "scratch"
    scratch.mkdir()
    # in the repository the lock comes last: Ctrl-C when both files are written already
    environ = slow_uv(place, "exec sleep 77", where) | {"TMPDIR": str(scratch)}
    code, screen = answered(place, place.recipe("- spots"), b"y\n", environ, stop_at)
    assert code == 130, screen
    assert "pyproject.toml and uv.lock are as they were" in screen
    assert ((place.repo / "pyproject.toml").read_bytes(), (place.repo / "uv.lock").read_bytes()) == before
    assert list(scratch.iterdir()) == []
    assert not [one for one in psutil.process_iter(["environ"]) if str(scratch) in str(one.info["environ"])]


def test_a_retirement_lists_all_that_goes_and_removes_that_or_nothing(place: Place) -> None:
    recipe = place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", name="job.yaml")
    sign(place.repo, path, write_twins(plan_twins([path], ["cells"], "g"))[0])
    status = write(path.parent, "segments: []\n", "job_status.yaml")
    other = place.repo / "new" / "other.yaml"

    code, screen = answered(place, "--retire=cells", b"n\n")
    assert (code, screen.count("to remove")) == (0, 3)
    assert "Remove 3 files?" in screen
    code, screen = answered(place, "--retire=cells", b"y\n", meanwhile=lambda: write(other.parent, name=other.name))
    assert code == 2
    assert "were changed meanwhile; nothing was removed" in screen
    assert all(one.exists() for one in (recipe, path, status))
    other.unlink()
    code, screen = answered(place, "--retire=cells", b"y\n")
    assert code == 0
    assert not any(one.exists() for one in (recipe, path, status))
