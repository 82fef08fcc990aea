"""A program is asked something; whatever happens is an answer."""

import os
import sys
import time
from pathlib import Path

import pytest

from runner.process.capture import capture
from runner.process.launch import MARKER
from tests.support.bench import Bench


def test_output_errors_and_exit_code_are_kept_apart() -> None:
    got = capture([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"])
    assert (got.code, got.stdout.split(), got.stderr.split(), got.error) == (3, [b"out"], [b"err"], "")


def test_it_gets_the_input_folder_and_variables_that_are_given(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['A'])"
    got = capture(
        [sys.executable, "-c", code], env={**os.environ, "A": "b", "PYTHONUTF8": "1"}, cwd=str(tmp_path), stdin=b"in"
    )
    assert got.stdout.decode().split() == ["in", str(tmp_path), "b"]


def test_without_input_it_reads_an_end_at_once() -> None:
    assert capture([sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"]).stdout.strip() == b"''"


def test_much_on_both_streams_does_not_stop_it() -> None:
    code = "import os\nfor _ in range(50): os.write(1, b'o' * 9999); os.write(2, b'e' * 9999)"
    got = capture([sys.executable, "-c", code])
    assert (len(got.stdout), len(got.stderr)) == (499950, 499950)


def test_a_program_that_is_missing_is_an_answer(tmp_path: Path) -> None:
    got = capture(["no such program"])
    assert got.code is None and "was not found" in got.error
    assert "does not exist" in capture([sys.executable], cwd=str(tmp_path / "gone")).error
    assert "NUL" in capture([sys.executable, "a\0b"]).error


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_one_that_hangs_is_ended_with_its_children_and_what_it_said_is_kept(bench: Bench) -> None:
    start = time.monotonic()
    got = capture(["sh", "-c", "echo first; setsid sleep 71 & sleep 72"], env=bench.environ, timeout=0.4)
    assert got.code is None and got.stdout == b"first\n"
    assert got.error == "sh did not answer within 0.4 s and was ended."
    assert time.monotonic() - start < 8


def test_its_processes_carry_the_callers_marker(bench: Bench) -> None:
    got = capture([sys.executable, "-c", f"import os; print(os.environ[{MARKER!r}])"], env=bench.environ)
    assert got.stdout.decode().startswith(bench.marker + "/")
