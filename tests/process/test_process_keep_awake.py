"""The machine stays awake for as long as a run lasts, and no longer, however the run ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.process.keep_awake import helper_words, kept_awake
from tests.support.lab import Lab, shell

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows is asked itself, without a helper")
# notes how it was started, and that it lives
HELPER = """\
#!/bin/sh
echo "$*" > "{folder}/words"
touch "{folder}/awake"
while [ "$1" != cat ]; do shift; done
"$@"
rm "{folder}/awake"
"""


class Kernel:
    """Windows' kernel32: what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def SetThreadExecutionState(self, state: int) -> int:  # noqa: N802
        self.asked.append(state)
        return 0x80000000


@pytest.fixture
def helper(tmp_path: Path) -> Path:
    """The folder of the system's helper, played by a script."""
    folder = tmp_path / "helper"
    folder.mkdir()
    program = folder / helper_words(sys.platform)[0]
    program.write_text(HELPER.format(folder=folder), encoding="utf-8")
    program.chmod(0o755)
    return folder


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def path_with(folder: Path) -> str:
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_windows_is_asked_not_to_sleep_and_the_wish_is_taken_back() -> None:
    kernel = Kernel()
    with kept_awake({}, "win32", api=kernel):
        assert kernel.asked == [0x80000001]
    assert kernel.asked == [0x80000001, 0x80000000]


def test_the_wish_is_taken_back_when_a_run_breaks_off() -> None:
    kernel = Kernel()
    with pytest.raises(KeyError), kept_awake({}, "win32", api=kernel):
        raise KeyError
    assert kernel.asked[-1] == 0x80000000


@posix
def test_elsewhere_a_helper_of_the_system_holds_it_awake_until_the_end(helper: Path) -> None:
    with kept_awake({"PATH": path_with(helper)}):
        assert soon((helper / "awake").exists)
    assert not (helper / "awake").exists()
    assert (helper / "words").read_text().split() == " ".join(helper_words(sys.platform)[1:]).split()


@posix
def test_without_a_helper_and_with_one_that_refuses_a_run_goes_on(helper: Path) -> None:
    with kept_awake({"PATH": str(helper.parent)}):
        pass
    (helper / helper_words(sys.platform)[0]).write_text("#!/bin/sh\necho 'Access denied' >&2\nexit 1\n")
    with kept_awake({"PATH": path_with(helper)}):
        pass


@posix
def test_a_killed_runner_keeps_nothing_awake(helper: Path) -> None:
    code = (
        "import os, sys, time\nfrom runner.process.keep_awake import kept_awake\n"
        "with kept_awake(os.environ): print('in', flush=True); time.sleep(60)"
    )
    environ = {**os.environ, "PATH": path_with(helper)}
    with subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None and runner.stdout.readline() == b"in\n"
        assert soon((helper / "awake").exists)
        runner.kill()
    assert soon(lambda: not (helper / "awake").exists())


@posix
def test_a_run_holds_the_machine_awake_while_its_segments_run(lab: Lab, helper: Path) -> None:
    wait = f'for i in $(seq 500); do [ -e "{helper}/awake" ] && break; sleep 0.02; done; test -e "{helper}/awake"'
    pipeline = lab.pipeline([shell("looks", wait)])
    lab.run(pipeline, "--dry-run", PATH=path_with(helper))
    assert not (helper / "words").exists()
    lab.run(pipeline, PATH=path_with(helper))
    assert not (helper / "awake").exists()
    lab.run(pipeline, PATH=path_with(helper))
