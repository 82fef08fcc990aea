"""How much memory each tree of processes takes: one thread looks from time to time, for all trees at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from runner.process.entry import Entry
from runner.process.snapshot import Look
from runner.process.tree import in_thread

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
# a process that is so young will hardly compute on a GPU, and NVIDIA's library takes its time to start
GPU_AFTER = 1.0
_SHARE = 0.05  # of one processor's time, at most


class Samples:
    """Peaks of one tree, in bytes; None until something was seen. It is looked at until `stop`."""

    def __init__(self, members: Callable[[Look], Sequence[Entry]], path: str | None, kills: Callable[[], int]) -> None:
        self.peak_memory: int | None = None
        self.gpu_memory: int | None = None
        self.cpu_time = 0.0  # seconds, of all processes that were seen, as last seen
        self.lost = False  # one of its processes was gone when the system had ended some process for lack of memory
        self.path = path
        self.pids: set[int] = set()  # as last seen
        self.pause = FIRST_PAUSE
        self.gpu_after = time.monotonic() + GPU_AFTER
        self._members = members
        self._count = kills
        self._kills = kills()
        self._cpu: dict[tuple[int, float], float] = {}
        self._busy = threading.Lock()
        self._ended = False
        _sampler.add(self)

    def stop(self) -> None:
        """No look after this one."""
        _sampler.remove(self)
        if self._busy.acquire(timeout=1.0):
            self._busy.release()

    def look(self, look: Look) -> None:
        """What it takes now."""
        kills = self._count()
        with self._busy:
            if self._ended:
                return
            members = self._members(look)
        pids = {entry.pid for entry in members}
        self.lost = self.lost or (kills != self._kills and not self.pids <= pids)
        self.pids, self._kills = pids, kills
        if members:
            self.peak_memory = max(self.peak_memory or 0, sum(entry.memory for entry in members))
            self._cpu.update(((entry.pid, entry.started), entry.cpu) for entry in members)
            self.cpu_time = sum(self._cpu.values())

    def end(self) -> None:
        """By the sampler, which holds its own lock."""
        self._ended = True


class _Sampler:
    """The one thread; it ends with the last tree."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[Samples, ...] = ()
        self._wake = threading.Event()
        self._gpu_due = 0.0

    def add(self, samples: Samples) -> None:
        with self._lock:
            self._all += (samples,)
            self._wake.set()  # it may be in a long pause
            if len(self._all) == 1:
                self._wake = threading.Event()
                in_thread("sample", self._run, self._wake)

    def remove(self, samples: Samples) -> None:
        with self._lock:
            samples.end()
            self._all = tuple(other for other in self._all if other is not samples)
            if not self._all:
                self._wake.set()

    def _run(self, wake: threading.Event) -> None:
        while True:
            wake.clear()
            with self._lock:
                every = self._all if wake is self._wake else ()
            if not every:
                return
            start = time.thread_time()
            self._look(every)
            cost = time.thread_time() - start
            pause = max(min(samples.pause for samples in every), cost / _SHARE)
            for samples in every:
                samples.pause = min(samples.pause * 1.3, LONGEST_PAUSE)
            if wake.wait(pause) and self._all:
                time.sleep(max(FIRST_PAUSE, cost / _SHARE))  # who has just come is not looked at for the whole price

    def _look(self, every: tuple[Samples, ...]) -> None:
        look = Look()
        for samples in every:
            samples.look(look)
        now = time.monotonic()
        grown = [samples for samples in every if now >= samples.gpu_after]
        if grown and now >= self._gpu_due:
            self._look_at_gpu(grown)

    def _look_at_gpu(self, grown: list[Samples]) -> None:
        from runner.process.gpu import find_reader

        reader = find_reader(grown[0].path)
        if reader is None:
            for samples in grown:
                samples.gpu_after = float("inf")
            return
        read, period = reader
        used = read()
        self._gpu_due = time.monotonic() + period
        for samples in grown:
            ours = [memory for pid, memory in used.items() if pid in samples.pids]
            if ours:
                samples.gpu_memory = max(samples.gpu_memory or 0, sum(ours))


_sampler = _Sampler()
