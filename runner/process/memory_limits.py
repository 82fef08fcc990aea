"""Linux: how many processes the kernel ended because memory ran out."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Protocol


def out_of_memory_kills(root: Path = Path("/")) -> int:
    """How many so far: in our control group, else on the whole machine; 0 where the kernel does not tell."""
    if sys.platform != "linux":
        return 0
    return sum(_count(file) or 0 for file in _files(root))


@cache
def _files(root: Path) -> tuple[str, ...]:
    """Where the count stands; the machine's own also counts other people's containers, so it comes last."""
    own = tuple(str(file) for file in _of_group(root) if _count(str(file)) is not None)
    return own or (str(root / "proc/vmstat"),)


def _of_group(root: Path) -> list[Path]:
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":  # version 2
            files.append(root / "sys/fs/cgroup" / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(root / "sys/fs/cgroup/memory" / path.lstrip("/") / "memory.oom_control")
    return files


def _count(file: str) -> int | None:
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123
            data = stream.read(1 << 16)
    except OSError:
        return None
    for line in data.splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill" and value.strip().isdigit():
            return int(value)
    return None


_PATIENCE = 0.3  # seconds: of two that failed, the one that was killed may be looked at last


class Blame(Protocol):
    """Whether a tree that failed lost a process to a kill for memory, which no other then has lost one to.

    `killed`: it ended as a killed one does, which goes first. Any other waits a little for those that still run, and
    then must be the only one, or have `lost` a process when the count rose.
    """

    def __call__(self, *, killed: bool, lost: Callable[[], bool]) -> bool: ...


class Kills:
    """Puts each kill for memory down to one of the trees that run meanwhile."""

    def __init__(self, count: Callable[[], int] = out_of_memory_kills) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._living = 0
        self._claimed: set[int] = set()  # kills by their number, from 1

    @contextmanager
    def alive(self) -> Iterator[Blame]:
        """While a tree runs. What it gives is asked once that has failed: was it one of the kills since?"""
        with self._lock:
            self._living += 1
            before = self.count()
        try:
            yield partial(self._claim, before)
        finally:
            with self._lock:
                self._living -= 1
                if not self._living:
                    self._claimed.clear()

    def _claim(self, before: int, *, killed: bool, lost: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + _PATIENCE
        while True:
            late = time.monotonic() >= deadline
            with self._lock:
                free = [n for n in range(before + 1, self.count() + 1) if n not in self._claimed]
                if free and (killed or self._living == 1 or (late and lost())):
                    self._claimed.add(free[0])
                    return True
            if not free or late:
                return False
            time.sleep(0.02)


KILLS = Kills()
