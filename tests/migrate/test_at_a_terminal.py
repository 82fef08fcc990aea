"""The question before anything is written, at a real terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.migrate.places import Place

if sys.platform == "win32":
    pytest.skip("pseudo-terminals of POSIX", allow_module_level=True)

import pty
import select


def answered(place: Place, recipe: Path, answer: bytes) -> tuple[int, str]:
    """Exit code and screen, when `answer` is typed at the question."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "migrate", "--repo", str(place.repo), str(recipe)],
        cwd=Path(__file__).resolve().parents[2],
        env={**place.environ(), "TERM": "xterm"},
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
            os.write(master, answer)
            sent = True
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
