"""Process trees on Windows: a job object for each segment."""

from __future__ import annotations

import subprocess
import sys
import time
from queue import SimpleQueue
from typing import Any

from runner.process import spawn
from runner.process.ending import end_all
from runner.process.entry import Entry, Tree
from runner.process.identity import process_started
from runner.process.jobs_windows import Job, resume, send_break
from runner.process.running_windows import entries_of
from runner.process.snapshot import Look
from runner.process.tree import EXITED, Ended, in_thread

assert sys.platform == "win32"


class WindowsTree:
    """See `tree.OwnedTree`. The process was started suspended, so that it starts nothing outside of its job."""

    def __init__(self, process: subprocess.Popen[bytes], marker: str) -> None:
        self.pid = process.pid
        self.started = process_started(process.pid)
        self._process = process
        self._tree = Tree(process.pid, self.started, marker)
        handle = int(vars(process)["_handle"])
        self._job = _job_for(handle)
        resume(handle)

    def watch(self, queue: SimpleQueue[Any]) -> None:
        in_thread("wait", self._wait, queue)

    def _wait(self, queue: SimpleQueue[Any]) -> None:
        self._process.wait()
        queue.put(EXITED)

    def stop_kindly(self, number: int, *, leader_only: bool) -> None:
        # only this event can be sent to a group, and it reaches all of it
        if not send_break(self.pid):
            self.kill()  # nobody hears it: to wait for their end would be in vain

    def still_stopping(self) -> bool:
        return bool(self._living())

    def kill(self) -> None:
        if self._job:
            self._job.terminate()
        end_all(self._living, 0.0)

    def end_leftovers(self, grace: float) -> list[Entry]:
        deadline = time.monotonic() + min(grace, 0.2)  # helpers often end right after who started them
        while (left := self._living()) and time.monotonic() < deadline:
            time.sleep(0.01)
        if left:
            self.kill()
        return left

    def members(self, look: Look) -> list[Entry]:
        if not self._job:
            return entries_of([entry.pid for entry in look.members(self._tree)], look.rows)
        return entries_of(self._job.pids(), look.rows)

    def collect(self) -> Ended:
        code = self._process.wait()
        spawn.forget(self._process)
        if not self._job:
            return Ended(code)
        # what all had committed together: it ends before a sample is taken, or has its peak between two
        ended = Ended(code, cpu=self._job.cpu_time(), memory=self._job.peak_memory())
        self._job.close()
        return ended

    def _living(self) -> list[Entry]:
        if not self._job:
            return Look().members(self._tree, thorough=True, but=() if self._process.poll() is None else (self.pid,))
        if not [pid for pid in self._job.pids() if pid != self.pid or self._process.poll() is None]:
            return []
        return [entry for entry in self.members(Look()) if entry.pid != self.pid or self._process.poll() is None]


def _job_for(handle: int) -> Job | None:
    """A job with the process in it; None where the system refuses (an old Windows inside another job)."""
    try:
        job = Job()
    except OSError:
        return None
    if job.assign(handle):
        return job
    job.close()
    return None
