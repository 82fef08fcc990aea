"""This machine as a value: platform, environment variables, look-ups. Tests hand in another one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import IO, Any

from runner.frozen import frozen
from runner.model import Capture as Capture
from runner.model import Captured as Captured


@frozen
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
    nvml: Callable[[], Any] = lambda: None  # NVIDIA's library, started (`process.gpu.open_library`)

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


def _nvml() -> Any:
    from runner.process.gpu import open_library

    return open_library()


def is_terminal(stream: IO[str] | None, *, is_console: Callable[[int], bool] | None = None) -> bool:
    """Whether a person sits at `stream`; `isatty()` is true for Windows' NUL as well."""
    if stream is None or not stream.isatty():
        return False
    if is_console is None and sys.platform == "win32":
        is_console = _is_console
    return is_console is None or is_console(stream.fileno())


def _is_console(descriptor: int) -> bool:
    """https://learn.microsoft.com/windows/console/getconsolemode: fails for what is no console."""
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    handle, mode = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor)), ctypes.c_uint32()
    return bool(ctypes.WinDLL("kernel32").GetConsoleMode(handle, ctypes.byref(mode)))


def this_host(*, interactive: bool | None = None) -> Host:
    """The machine that runs this code; what it can be asked is imported when it is asked."""
    if interactive is None:
        interactive = is_terminal(sys.stdin) and is_terminal(sys.stdout)
    return Host(sys.platform, dict(os.environ), Path.home(), _which, _capture, interactive, _nvml)
