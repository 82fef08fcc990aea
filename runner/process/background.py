"""Programs that outlive the command that starts them: the keeper of a login, and the ssh that it holds.

They are in no tree of a segment and in no job object of ours, and Ctrl-C or a closed terminal does not end them (on
Windows a closed window ends what is attached to it).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

_CREATE_NEW_PROCESS_GROUP = 0x00000200  # Windows: no Ctrl-C reaches it
_CREATE_BREAKAWAY_FROM_JOB = 0x01000000
_OF_TERMINALS = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTSTP")


Background = subprocess.Popen[bytes]
TooLong = subprocess.TimeoutExpired


def start_background(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, errors_apart: bool = True
) -> Background:
    """A program with pipes for its streams, still at the terminal of its caller, where ssh asks. Raises OSError."""

    def start(flags: int) -> Background:
        return subprocess.Popen(
            list(argv),
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT,
            bufsize=0,
            creationflags=flags,
        )

    if sys.platform == "win32":
        try:
            return start(_CREATE_NEW_PROCESS_GROUP | _CREATE_BREAKAWAY_FROM_JOB)
        except PermissionError:  # the job that we are in lets nobody out
            return start(_CREATE_NEW_PROCESS_GROUP)
    with _deaf():
        return start(0)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """POSIX: what is started meanwhile ignores the terminal's signals; ssh leaves ignored ones ignored."""
    if sys.platform == "win32":
        yield
        return
    before = {one: signal.signal(one, signal.SIG_IGN) for name in _OF_TERMINALS if (one := getattr(signal, name))}
    try:
        yield
    finally:
        for one, old in before.items():
            signal.signal(one, signal.SIG_DFL if old is None else old)


def leave_terminal() -> None:
    """From now on this process has no terminal; its folder is no share that somebody wants to unmount."""
    if sys.platform == "win32":
        import ctypes

        ctypes.WinDLL("kernel32").FreeConsole()
    else:
        with contextlib.suppress(OSError):
            os.setsid()
