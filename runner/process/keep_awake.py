"""During a run the machine does not go to sleep by itself; its screen may, and a person can still send it to sleep."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from runner.process import spawn
from runner.process.launch import Launch

# https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-setthreadexecutionstate
ES_CONTINUOUS = 0x80000000
ES_SYSTEM_REQUIRED = 0x00000001


@contextlib.contextmanager
def kept_awake(environ: Mapping[str, str], platform: str = sys.platform, *, api: Any = None) -> Iterator[None]:
    """For the main thread: Windows forgets the wish with the thread. Where it cannot be had, nothing happens."""
    if platform == "win32":
        from runner.process.jobs_windows import kernel32

        kernel = api or kernel32()
        kernel.SetThreadExecutionState(ES_CONTINUOUS | ES_SYSTEM_REQUIRED)
        try:
            yield
        finally:
            kernel.SetThreadExecutionState(ES_CONTINUOUS)
        return
    helper = _start(helper_words(platform), environ)
    try:
        yield
    finally:
        if helper is not None:
            _end(helper)


def helper_words(platform: str) -> list[str]:
    """The program that keeps it awake for as long as it can read, that is until we end, however that is."""
    if platform == "darwin":
        return ["caffeinate", "-i", "cat"]
    why = "a pipeline is running"
    return ["systemd-inhibit", "--what=idle:sleep", "--who=run-pipeline", f"--why={why}", "--mode=block", "cat"]


def _start(words: list[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes] | None:
    program = shutil.which(words[0], path=environ.get("PATH"))
    if program is None:
        return None
    quiet = subprocess.DEVNULL
    launch = Launch([program, *words[1:]])
    try:
        return spawn.spawn(
            launch, env=environ, cwd=os.sep, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, hidden=True
        )
    except OSError:
        return None


def _end(helper: subprocess.Popen[bytes]) -> None:
    assert helper.stdin is not None
    with contextlib.suppress(OSError):
        helper.stdin.close()
    try:
        helper.wait(2.0)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()
    spawn.forget(helper)
