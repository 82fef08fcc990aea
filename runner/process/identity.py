"""Which process is it: a pid together with its creation time, since pids are used again."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.host import Host

# Linux counts in clock ticks (10 ms); elsewhere the clock may have been set between two readings
_TOLERANCE = 0.05 if sys.platform == "linux" else 1.0
_TICKS = 100  # of /proc, a second
if sys.platform != "win32":
    _TICKS = os.sysconf("SC_CLK_TCK")
_PREFETCH = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"


def boot_id(host: Host) -> str:
    """What changes with every start of the machine; "" where the system does not tell."""
    if host.platform == "linux":
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:
            return ""
    if host.platform == "darwin":
        answer = host.capture(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], timeout=5.0)
        return answer.stdout.decode("ascii", "replace").strip() if answer.code == 0 else ""
    from runner.ground.registry import read_registry

    return str((read_registry(_PREFETCH) or {}).get("BootId", ""))


def process_started(pid: int) -> float | None:
    """When `pid` was created, to be compared with another answer of the same boot and nothing else.

    Seconds since boot on Linux (a changed clock does not move them), since the epoch elsewhere. None when there
    is no such process, or it belongs to somebody else and may not be asked.
    """
    if sys.platform == "linux":
        fields = _proc_stat(pid)
        return None if fields is None else ticks_to_seconds(fields[19])
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, OSError, ValueError):
        return None


def is_alive(pid: int, started: float | None) -> bool:
    """Whether that very process still runs; a zombie does not. In doubt (another user's process): True."""
    if pid <= 0:
        return False
    if sys.platform == "linux":
        fields = _proc_stat(pid)
        if fields is None:
            return _belongs_to_another(pid)
        return fields[0] not in ("Z", "X") and _same(ticks_to_seconds(fields[19]), started)
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and _same(float(process.create_time()), started)
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):
        return True


def catches(pid: int, number: int) -> bool:
    """Linux: whether `pid` has something of its own to do at that signal; False where it cannot be told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)
    except (OSError, ValueError, IndexError):
        return False


def ticks_to_seconds(ticks: str) -> float:
    """A time of /proc in clock ticks as seconds."""
    return int(ticks) / _TICKS


def _proc_stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, from the state on; the name may hold blanks and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return text.rpartition(b")")[2].decode("ascii").split()


def _same(now: float, then: float | None) -> bool:
    return then is None or abs(now - then) <= _TOLERANCE


def _belongs_to_another(pid: int) -> bool:
    """/proc may be mounted so that it hides other users' processes."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    # it was created, or became visible, after we looked
    return _proc_stat(pid) is not None
