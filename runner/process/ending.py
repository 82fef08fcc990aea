"""End processes: kindly, after a while by force, until none is left."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable

from runner.process import spawn
from runner.process.entry import Entry, Tree
from runner.process.identity import is_alive, process_started
from runner.process.snapshot import Look

# a process in an uninterruptible wait (a file server that does not answer) outlives even KILL for a while
FORCE_PATIENCE = 5.0


def end_tree(pid: int, started: float | None, marker: str, grace: float = 5.0, *, tag: int = 0) -> list[str]:
    """End what a killed runner left: that process, its descendants, and all that carry `marker` or `tag`.

    With a pid of 0 all trees of a run (`tag.RunMark`); to be called on the same start of the same machine. We ourselves
    and those that started us are left alone. First kindly, after `grace` seconds by force. Returns the names of those
    that were ended.
    """
    tree = Tree(pid, started, marker, tag)
    return [str(e) for e in end_all(lambda: Look().members(tree, thorough=True), grace)]


def end_all(find: Callable[[], list[Entry]], grace: float) -> list[Entry]:
    """End what `find` finds, again and again, until it finds nothing. Returns what was there, each process once."""
    met: dict[tuple[int, float], Entry] = {}
    found = find()
    if found and grace > 0 and sys.platform != "win32":
        met.update(((e.pid, e.started), e) for e in found)
        for entry in found:
            signal_entry(entry, signal.SIGTERM)
            signal_entry(entry, signal.SIGCONT)
        wait_until_gone(found, grace)
        found = find()
    deadline = time.monotonic() + FORCE_PATIENCE
    while found and time.monotonic() < deadline:
        met.update(((e.pid, e.started), e) for e in found)
        for entry in found:
            force(entry)
        wait_until_gone(found, 0.5)
        found = find()
    return list(met.values())


def signal_entry(entry: Entry, number: int) -> None:
    """Send a signal to that very process, if it still is there."""
    if sys.platform != "win32" and is_alive(entry.pid, entry.started):
        with contextlib.suppress(OSError):
            os.kill(entry.pid, number)


def force(entry: Entry) -> None:
    """End that very process at once."""
    if sys.platform != "win32":
        signal_entry(entry, signal.SIGKILL)
        return
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        if process_started(entry.pid) == entry.started:
            psutil.Process(entry.pid).kill()


def wait_until_gone(entries: Iterable[Entry], patience: float) -> bool:
    """Whether all of them ended within `patience` seconds. Most are not our children, so we can but look."""
    deadline = time.monotonic() + patience
    pause = 0.001
    left = list(entries)
    while True:
        reap(e.pid for e in left)
        left = [e for e in left if is_alive(e.pid, e.started)]
        if not left or time.monotonic() >= deadline:
            return not left
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def reap(pids: Iterable[int]) -> dict[int, int]:
    """Take, and tell, the wait status of adopted children that ended; a child that we started is not touched."""
    taken: dict[int, int] = {}
    if sys.platform != "win32":
        for pid in pids:
            with spawn.LOCK, contextlib.suppress(OSError):
                if pid not in spawn.OURS and (ended := os.waitpid(pid, os.WNOHANG))[0]:
                    taken[pid] = ended[1]
    return taken
