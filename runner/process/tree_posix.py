"""Process trees on Linux and macOS: a session of their own, adopted orphans, and a marker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from queue import SimpleQueue
from typing import Any

from runner.process import spawn
from runner.process.ending import end_all, reap
from runner.process.identity import catches, process_started
from runner.process.snapshot import Entry, Tree, living_members, marker_of, snapshot, with_descendants
from runner.process.tree import EXITED, Ended, Strays, in_thread

assert sys.platform != "win32"


class PosixTree:
    """See `tree.OwnedTree`. The leader stays a zombie until `collect`, so that its pid cannot become another's."""

    def __init__(self, process: subprocess.Popen[bytes], marker: str, before: frozenset[int], our_memory: int) -> None:
        self.pid = process.pid
        self.started = process_started(process.pid)
        self._process = process
        self._tree = Tree(process.pid, self.started, marker)
        self._before = before
        self._our_memory = our_memory
        self._gone = False
        self._asked = 0  # the signal that the whole group got
        self._left_cpu = 0.0
        self._waited: tuple[int, Any] | None = None
        self._dead_before: set[int] = set()
        self.strays: Strays = ()

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
        rest = [e.pid for e in living_members(self._tree, thorough=False) if e.session == self.pid != e.pid]
        return any(catches(pid, self._asked) for pid in rest)

    def kill(self) -> None:
        end_all(self._living, 0.0)

    def end_leftovers(self, grace: float) -> list[Entry]:
        if sys.platform == "linux" and self._strangers() == set():
            return []
        ended = end_all(self._living, grace)
        self._left_cpu = sum(entry.cpu for entry in ended)
        return ended

    def members(self) -> list[Entry]:
        if sys.platform == "linux":
            self._reap_orphans()
        found = {e.pid: e for e in living_members(self._tree, thorough=False)}
        if sys.platform == "linux":
            found |= self._unmarked()
        self.strays = tuple((e.pid, e.started) for e in found.values() if e.session != self.pid)
        return list(found.values())

    def collect(self) -> Ended:
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
            memory=self._largest(usage.ru_maxrss),
        )

    def _largest(self, maxrss: int) -> int | None:
        """getrusage(2) gives KiB on Linux, bytes on macOS; a child starts with the figure of who forked it."""
        size = maxrss if sys.platform == "darwin" else maxrss * 1024
        return size if size > self._our_memory else None

    def _strangers(self) -> set[int] | None:
        """Linux: orphans that we adopted; the dead ones are reaped by the way. None where it cannot be told."""
        with spawn.LOCK:
            children = spawn.own_children()
            if children is None:
                return None
            strangers = children - spawn.OURS - self._before
        if strangers:
            reap(strangers)
        return strangers

    def _living(self) -> list[Entry]:
        """All of the tree, those that broke away included."""
        found = {e.pid: e for e in living_members(self._tree, thorough=True)}
        if sys.platform == "linux":
            found.update(self._unmarked())
        return [e for e in found.values() if e.pid != self.pid or not self._gone]

    def _unmarked(self) -> dict[int, Entry]:
        """Orphans that broke away and dropped their environment. One with our own session somebody else started."""
        strangers = self._strangers() or set()
        if not strangers:
            return {}
        entries = snapshot()
        ours = os.getsid(0)
        roots = {pid for pid in strangers if pid in entries and entries[pid].session != ours and marker_of(pid) is None}
        return {pid: entries[pid] for pid in with_descendants(roots, entries) if not entries[pid].dead}

    def _reap_orphans(self) -> None:
        """Orphans that end while the segment goes on for hours would stay in the process table."""
        entries = snapshot()
        dead = {e.pid for e in entries.values() if e.dead and e.parent == os.getpid()} - self._before
        reap(dead & self._dead_before)
        self._dead_before = dead
