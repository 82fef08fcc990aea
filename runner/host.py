"""This machine as a value: platform, environment variables, look-ups. Tests hand in another one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Protocol


@dataclass(frozen=True)
class Captured:
    """What a short query printed. `code` is None when it could not be started or did not end in time."""

    code: int | None
    stdout: bytes
    stderr: bytes
    error: str = ""


class Capture(Protocol):
    """Runs a short query (`conda info --base`); the only way for an environment to ask a program."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Captured: ...


@dataclass(frozen=True)
class Host:
    """Everything about the machine that decides what is started and how.

    `platform` is a value of `sys.platform`: "linux", "win32" or "darwin".
    """

    platform: str
    environ: Mapping[str, str]
    home: PurePath
    which: Callable[[str], str | None]
    capture: Capture
    interactive: bool = False  # a person can answer at the terminal

    @property
    def windows(self) -> bool:
        return self.platform == "win32"

    def path(self, text: str | PurePath) -> PurePath:
        """`text` as a path of this platform, whatever platform runs the code."""
        return PureWindowsPath(text) if self.windows else PurePosixPath(text)


def _which(program: str) -> str | None:
    import shutil

    return shutil.which(program)


def _capture(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = 30.0,
    stdin: bytes = b"",
) -> Captured:
    from runner.process.capture import capture

    return capture(argv, env=env, cwd=cwd, timeout=timeout, stdin=stdin)


def this_host(*, interactive: bool | None = None) -> Host:
    """The machine that runs this code; what it can be asked is imported when it is asked."""
    if interactive is None:
        interactive = bool(sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty())
    return Host(sys.platform, dict(os.environ), Path.home(), _which, _capture, interactive)
