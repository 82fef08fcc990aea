"""How much memory a tree of processes takes, looked at from time to time in a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from runner.process.snapshot import Entry
from runner.process.tree import in_thread

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
# a process that is so young will hardly compute on a GPU, and NVIDIA's library takes its time to start
GPU_AFTER = 1.0
_SHARE = 0.05  # of one processor's time, at most


class Sampler:
    """Peaks, in bytes; None until something was seen."""

    def __init__(self, members: Callable[[], Sequence[Entry]], path: str | None) -> None:
        self.peak_memory: int | None = None
        self.gpu_memory: int | None = None
        self.cpu_time = 0.0  # seconds, of all processes that were seen, as last seen
        self._members = members
        self._path = path
        self._cpu: dict[tuple[int, float], float] = {}
        self._gpu_reader: tuple[Callable[[], dict[int, int]], float] | None = None
        self._gpu_due = time.monotonic() + GPU_AFTER
        self._gpu_sought = False
        self._end = threading.Event()
        self._thread = in_thread("sample", self._sample)

    def stop(self) -> None:
        """No look after this one."""
        self._end.set()
        self._thread.join(1.0)  # it may be waiting for nvidia-smi

    def _sample(self) -> None:
        pause = FIRST_PAUSE
        while True:
            start = time.thread_time()
            self._look()
            cost = time.thread_time() - start
            if self._end.wait(max(pause, cost / _SHARE)):
                return
            pause = min(pause * 1.3, LONGEST_PAUSE)

    def _look(self) -> None:
        members = self._members()
        if not members:
            return
        self.peak_memory = max(self.peak_memory or 0, sum(entry.memory for entry in members))
        self._cpu.update(((entry.pid, entry.started), entry.cpu) for entry in members)
        self.cpu_time = sum(self._cpu.values())
        if time.monotonic() >= self._gpu_due:
            self._look_at_gpu({entry.pid for entry in members})

    def _look_at_gpu(self, pids: set[int]) -> None:
        if not self._gpu_sought:
            from runner.process.gpu import find_reader

            self._gpu_sought, self._gpu_reader = True, find_reader(self._path)
        if self._gpu_reader is None:
            self._gpu_due = float("inf")
            return
        read, period = self._gpu_reader
        used = read()
        self._gpu_due = time.monotonic() + period
        ours = [memory for pid, memory in used.items() if pid in pids]
        if ours:
            self.gpu_memory = max(self.gpu_memory or 0, sum(ours))
