"""Process trees on Linux and macOS: a session of their own, a marker, and on Linux adopted orphans and a tag.

Where there is no tag (`tag.py`), an orphan without a marker goes to whichever tree looks first.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.process import spawn
from runner.process.ending import end_all, reap
from runner.process.entry import Entry, Tree
from runner.process.identity import catches, process_started
from runner.process.snapshot import Look, marker_of, with_descendants
from runner.process.tag import below, release, tag_of
from runner.process.tree import EXITED, Ended, in_thread

assert sys.platform != "win32"


class PosixTree:
    """See `tree.OwnedTree`. The leader stays a zombie until `collect`, so that its pid cannot become another's."""

    def __init__(self, process: subprocess.Popen[bytes], marker: str, tag: int, before: frozenset[int]) -> None:
        self.pid = process.pid
        self.started = process_started(process.pid)
        self._process = process
        self._given = tag
        self._tag = tag if tag_of(process.pid) == tag else 0
        self._tree = Tree(process.pid, self.started, marker, self._tag)
        self._before = before
        self._gone = False
        self._asked = 0  # the signal that the whole group got
        self._left_cpu = 0.0
        self._lost = False
        self._waited: tuple[int, Any] | None = None
        self._dead_before: set[int] = set()

    def watch(self, queue: SimpleQueue[Any]) -> None:
        in_thread("wait", self._wait, queue)

    def _wait(self, queue: SimpleQueue[Any]) -> None:
        try:
            if sys.platform == "darwin":  # has no waitid before Python 3.13
                _, status, usage = os.wait4(self.pid, 0)
                self._gone, self._waited = True, (status, usage)
            else:
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            self._gone = True
        queue.put(EXITED)

    def stop_kindly(self, number: int, *, leader_only: bool) -> None:
        if self._gone:
            return
        self._asked = 0 if leader_only else number
        send = os.kill if leader_only else os.killpg
        with contextlib.suppress(OSError):
            send(self.pid, number)
            os.killpg(self.pid, signal.SIGCONT)  # one that is suspended could not stop

    def still_stopping(self) -> bool:
        if not self._asked:
            return False
        rest = [e.pid for e in Look().members(self._tree) if e.session == self.pid != e.pid]
        return any(catches(pid, self._asked) for pid in rest)

    def kill(self) -> None:
        end_all(self._living, 0.0)

    def end_leftovers(self, grace: float) -> list[Entry]:
        if sys.platform == "linux" and self._orphans() == set():
            return []
        ended = end_all(self._living, grace)
        self._left_cpu = sum(entry.cpu for entry in ended)
        return ended

    def members(self, look: Look) -> list[Entry]:
        if sys.platform == "linux":
            self._reap_orphans(look)
        return list(({e.pid: e for e in look.members(self._tree)} | self._unmarked(look)).values())

    def collect(self) -> Ended:
        release(self._given)
        try:
            status, usage = self._waited or os.wait4(self.pid, 0)[1:]
        except ChildProcessError:
            self._process.returncode = 0  # nothing to wait for any more
            spawn.forget(self._process)
            return Ended(None)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        spawn.forget(self._process)
        return Ended(
            code=128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status),
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            cpu=usage.ru_utime + usage.ru_stime + self._left_cpu,
            lost=self._lost,
            memory=_largest(usage.ru_maxrss),
        )

    def _orphans(self) -> set[int] | None:
        """Linux: our living orphans that we adopted; the dead ones are reaped. None where it cannot be told."""
        with spawn.LOCK:
            orphans = spawn.adopted()
        if orphans is None:
            return None
        if self._tag:
            orphans = {pid for pid in orphans if below(tag_of(pid), self._tag)}
        else:
            orphans -= self._before
        return orphans - self._reap(orphans)

    def _reap(self, orphans: Iterable[int]) -> set[int]:
        ended = reap(orphans)
        self._lost = self._lost or any(os.WIFSIGNALED(s) and os.WTERMSIG(s) == signal.SIGKILL for s in ended.values())
        return set(ended)

    def _living(self) -> list[Entry]:
        """All of the tree, those that broke away included."""
        look = Look()
        found = {e.pid: e for e in look.members(self._tree, thorough=True)} | self._unmarked(look)
        return [e for e in found.values() if e.pid != self.pid or not self._gone]

    def _unmarked(self, look: Look) -> dict[int, Entry]:
        """Without a tag: orphans that dropped their environment. One with our own session somebody else started."""
        if self._tag or sys.platform != "linux" or not (orphans := self._orphans()):
            return {}
        entries, ours = look.entries, os.getsid(0)
        roots = {pid for pid in orphans if pid in entries and entries[pid].session != ours and marker_of(pid) is None}
        return {pid: entries[pid] for pid in with_descendants(roots, entries) if not entries[pid].dead}

    def _reap_orphans(self, look: Look) -> None:
        """Orphans that end while the segment goes on for hours would stay in the process table."""
        dead = {e.pid for e in look.entries.values() if e.dead and e.parent == os.getpid()} - self._before
        if self._tag:
            self._reap(pid for pid in dead if below(look.tags.get(pid, 0), self._tag))
            return
        self._reap(dead & self._dead_before)
        self._dead_before = dead


def _largest(maxrss: int) -> int | None:
    """getrusage(2) gives KiB on Linux, bytes on macOS; a child starts with the figure of who forked it."""
    size = maxrss if sys.platform == "darwin" else maxrss * 1024
    return size if size > _our_peak_if_below(size) else None


_our_peak = 0  # as last looked at: it only grows


def _our_peak_if_below(size: int) -> int:
    """Bytes; on Linux of this program alone: getrusage(2) also tells what the program that started us had."""
    global _our_peak
    if size <= _our_peak:
        return _our_peak
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "darwin":
        with contextlib.suppress(OSError, ValueError, IndexError):
            peak = int(Path("/proc/self/status").read_text(errors="replace").partition("VmHWM:")[2].split()[0])
        peak *= 1024
    _our_peak = peak
    return peak
