"""Which processes run on Windows: all in one call, and single ones by their pid.

https://learn.microsoft.com/windows/win32/toolhelp/taking-a-snapshot-and-viewing-processes
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from ctypes import c_int32, c_size_t, c_uint16, c_uint32, c_void_p, sizeof
from typing import Any

from runner.process.entry import Entry
from runner.process.jobs_windows import kernel32

_SNAP_PROCESS = 0x2
_INVALID_HANDLE = c_void_p(-1).value
_NO_SESSION = -1


class ProcessEntry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("dwSize", c_uint32),
        ("cntUsage", c_uint32),
        ("th32ProcessID", c_uint32),
        ("th32DefaultHeapID", c_size_t),
        ("th32ModuleID", c_uint32),
        ("cntThreads", c_uint32),
        ("th32ParentProcessID", c_uint32),
        ("pcPriClassBase", c_int32),
        ("dwFlags", c_uint32),
        ("szExeFile", c_uint16 * 260),
    )

    @property
    def name(self) -> str:
        return bytes(self.szExeFile).decode("utf-16-le", "replace").partition("\0")[0]


def running(api: Any = None) -> Iterator[tuple[int, int, str]]:
    """Pid, parent's pid and name of every process; psutil asks the system anew for each of them."""
    api = api or kernel32()
    handle = api.CreateToolhelp32Snapshot(_SNAP_PROCESS, 0)
    if handle in (None, _INVALID_HANDLE):
        raise OSError("Windows does not list its processes")
    try:
        entry = ProcessEntry(dwSize=sizeof(ProcessEntry))
        there = api.Process32FirstW(handle, ctypes.byref(entry))
        while there:
            yield int(entry.th32ProcessID), int(entry.th32ParentProcessID), entry.name
            there = api.Process32NextW(handle, ctypes.byref(entry))
    finally:
        api.CloseHandle(handle)


def all_entries() -> list[Entry]:
    """Every process, not measured; `started` is 0 where the system does not tell (its own services)."""
    return [_entry(pid, parent, name, measured=False) for pid, parent, name in running()]


def entries_of(pids: list[int], rows: Iterable[tuple[int, int, str]]) -> list[Entry]:
    """Those of `pids` that are among `rows` (from `running`), measured."""
    wanted = set(pids)
    return [_entry(pid, parent, name, measured=True) for pid, parent, name in rows if pid in wanted]


def _entry(pid: int, parent: int, name: str, *, measured: bool) -> Entry:
    import psutil

    started, memory, cpu = 0.0, 0, 0.0
    try:
        process = psutil.Process(pid)
        started = float(process.create_time())
        if measured:
            times = process.cpu_times()
            memory, cpu = process.memory_info().rss, times.user + times.system
    except (psutil.Error, OSError):
        pass  # it ended just now, or is none of ours
    return Entry(pid, parent, _NO_SESSION, started, False, memory, cpu, name or "?")
