"""Linux: how many processes the kernel ended because memory ran out."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path


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
