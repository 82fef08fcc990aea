"""Linux: how many processes the kernel ended because memory ran out."""

from __future__ import annotations

import sys
from pathlib import Path


def out_of_memory_kills(root: Path = Path("/")) -> tuple[int, int]:
    """The count of our control group and of the whole machine so far; zeros where the kernel does not tell."""
    if sys.platform != "linux":
        return 0, 0
    return _of_group(root), _count(root / "proc/vmstat")


def _of_group(root: Path) -> int:
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return 0
    total = 0
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":  # version 2
            total += _count(root / "sys/fs/cgroup" / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            total += _count(root / "sys/fs/cgroup/memory" / path.lstrip("/") / "memory.oom_control")
    return total


def _count(file: Path) -> int:
    try:
        data = file.read_bytes()
    except OSError:
        return 0
    for line in data.splitlines():
        name, _, value = line.partition(b" ")
        if name == b"oom_kill" and value.strip().isdigit():
            return int(value)
    return 0
