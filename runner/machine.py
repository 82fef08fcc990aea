"""What this process may use of the machine: a container or a cluster's job often has less than the whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runner.frozen import frozen


@frozen
class Machine:
    cores: int
    memory: int  # bytes
    gpus: tuple[str, ...] = ()  # as CUDA_VISIBLE_DEVICES takes them: indices or UUIDs, those of MIG too


def read_machine(gpus: Sequence[str] = (), root: Path = Path("/")) -> Machine:
    """`gpus` is asked of the driver by the caller, and only where a segment wants one."""
    import psutil

    quota, limit = _limits(root)
    cores = min(_cores(), max(1, int(quota))) if quota else _cores()
    total = psutil.virtual_memory().total
    return Machine(cores, min(total, limit) if limit else total, tuple(gpus))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]  # a cluster job's share
    except AttributeError:  # Windows, macOS
        return os.cpu_count() or 1


def _limits(root: Path) -> tuple[float | None, int | None]:
    """Cores and bytes that the control groups of Linux leave us, from our own up to the root."""
    quotas: list[float] = []
    limits: list[int] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        for base in _bases(root / "sys/fs/cgroup", number, names.split(",")):
            for folder in _upwards(base, path):
                quotas += _quota(folder)
                limits += _numbers(_text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes"))[:1]
    return min(quotas, default=None), min(limits, default=None)


def _bases(mounted: Path, number: str, names: list[str]) -> list[Path]:
    if number == "0":  # version 2
        return [mounted]
    if {"cpu", "memory"} & set(names):
        return [mounted / name for name in (",".join(names), *names)]
    return []


def _upwards(base: Path, path: str) -> list[Path]:
    """Inside a container the path is often the host's, and only the root is there."""
    own = base / path.lstrip("/")
    return [own, *(folder for folder in own.parents if folder == base or base in folder.parents)]


def _quota(folder: Path) -> list[float]:
    words = _text(folder / "cpu.max")  # version 2: quota and period in one
    if not words:
        words = f"{_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}"
    numbers = _numbers(words)
    return [numbers[0] / numbers[1]] if len(numbers) == 2 and numbers[0] > 0 and numbers[1] > 0 else []


def _numbers(text: str) -> list[int]:
    """`max` and -1 say that there is no limit."""
    return [int(word) for word in text.split() if word.isdigit()]


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
