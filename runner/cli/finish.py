"""Waiting for a key: at a `pause`, and at the end of a window that was double-clicked."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.host import is_terminal

if TYPE_CHECKING:
    from runner.process.stop import StopRequest

POLL = 0.1  # seconds
HOLD_LIMIT = 3600.0  # seconds that a double-clicked window stays open
# what stands between the runner and whoever started it
LAUNCHERS = ("python", "pythonw", "py", "pyw", "run-pipeline", "uv", "uvw", "uvx")


def wait_for_enter(stop: StopRequest | None, *, limit: float | None = None) -> bool:
    """True once Enter was pressed or the input ended; False when asked to stop or after `limit` seconds."""
    _forget_earlier_keys()
    sys.stdout.write("Press Enter to go on ...")
    sys.stdout.flush()
    deadline = None if limit is None else time.monotonic() + limit
    while not _enter_pressed(POLL):
        if (stop is not None and stop.requested) or (deadline is not None and time.monotonic() > deadline):
            return False
    return True


def _forget_earlier_keys() -> None:
    """An Enter pressed while a segment ran is no answer to a question that came later."""
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
        return
    import termios

    with contextlib.suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _enter_pressed(seconds: float) -> bool:
    """Wait for at most `seconds`. A plain input() would sleep through Ctrl-C, which only sets a request."""
    if sys.platform == "win32":
        import msvcrt

        time.sleep(seconds)
        while msvcrt.kbhit():
            if msvcrt.getwch() in "\r\n\x1a":
                print()
                return True
        return False
    import select

    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return False
    sys.stdin.readline()
    return True


def hold_window() -> None:
    """Keep a double-clicked window open until it was read. Nothing anywhere else."""
    if sys.platform != "win32" or not is_terminal(sys.stdout):
        return
    if started_by_double_click(_ancestors()):
        print()
        wait_for_enter(None, limit=HOLD_LIMIT)


def started_by_double_click(ancestors: Sequence[str]) -> bool:
    """Whether the first ancestor that is no launcher of ours is the Explorer; names as `python.exe`, nearest first."""
    for name in ancestors:
        base = name.lower().removesuffix(".exe")
        if base.rstrip("0123456789.") not in LAUNCHERS:
            return base == "explorer"
    return False


def _ancestors() -> list[str]:
    import psutil

    try:
        return [parent.name() for parent in psutil.Process().parents()]
    except (psutil.Error, OSError):  # a window too much or too few is no reason to fail
        return []
