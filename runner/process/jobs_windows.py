"""Windows job objects: a set of processes that no descendant leaves, and that ends with its owner.

https://learn.microsoft.com/windows/win32/procthread/job-objects
"""

from __future__ import annotations

import ctypes
from ctypes import c_int64, c_size_t, c_uint32, c_uint64, c_void_p, sizeof
from typing import Any

KILL_ON_JOB_CLOSE = 0x00002000
BASIC_ACCOUNTING = 1
BASIC_PROCESS_IDS = 3
EXTENDED_LIMITS = 9
_MORE_DATA = 234
_CTRL_BREAK = 1
_HUNDRED_NANOSECONDS = 1e-7


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("PerProcessUserTimeLimit", c_int64),
        ("PerJobUserTimeLimit", c_int64),
        ("LimitFlags", c_uint32),
        ("MinimumWorkingSetSize", c_size_t),
        ("MaximumWorkingSetSize", c_size_t),
        ("ActiveProcessLimit", c_uint32),
        ("Affinity", c_size_t),
        ("PriorityClass", c_uint32),
        ("SchedulingClass", c_uint32),
    )


class IoCounters(ctypes.Structure):
    """IO_COUNTERS."""

    _fields_ = tuple(
        (f"{kind}{what}Count", c_uint64) for what in ("Operation", "Transfer") for kind in ("Read", "Write", "Other")
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("BasicLimitInformation", BasicLimits),
        ("IoInfo", IoCounters),
        ("ProcessMemoryLimit", c_size_t),
        ("JobMemoryLimit", c_size_t),
        ("PeakProcessMemoryUsed", c_size_t),
        ("PeakJobMemoryUsed", c_size_t),
    )


class BasicAccounting(ctypes.Structure):
    """JOBOBJECT_BASIC_ACCOUNTING_INFORMATION; times in units of 100 ns."""

    _fields_ = (
        ("TotalUserTime", c_int64),
        ("TotalKernelTime", c_int64),
        ("ThisPeriodTotalUserTime", c_int64),
        ("ThisPeriodTotalKernelTime", c_int64),
        ("TotalPageFaultCount", c_uint32),
        ("TotalProcesses", c_uint32),
        ("ActiveProcesses", c_uint32),
        ("TotalTerminatedProcesses", c_uint32),
    )


def process_ids(room: int) -> Any:
    """JOBOBJECT_BASIC_PROCESS_ID_LIST with room for so many pids."""

    class ProcessIds(ctypes.Structure):
        _fields_ = (
            ("NumberOfAssignedProcesses", c_uint32),
            ("NumberOfProcessIdsInList", c_uint32),
            ("ProcessIdList", c_size_t * room),
        )

    return ProcessIds()


def kernel32() -> Any:
    """kernel32.dll with the signatures we use; handles are pointers, not ints. Windows only."""
    dll = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009
    dll.CreateJobObjectW.argtypes = [c_void_p, ctypes.c_wchar_p]
    dll.CreateJobObjectW.restype = c_void_p
    dll.GetCurrentProcess.restype = c_void_p
    dll.AssignProcessToJobObject.argtypes = [c_void_p, c_void_p]
    dll.SetInformationJobObject.argtypes = [c_void_p, ctypes.c_int, c_void_p, c_uint32]
    dll.QueryInformationJobObject.argtypes = [c_void_p, ctypes.c_int, c_void_p, c_uint32, c_void_p]
    dll.TerminateJobObject.argtypes = [c_void_p, c_uint32]
    dll.CloseHandle.argtypes = [c_void_p]
    dll.GenerateConsoleCtrlEvent.argtypes = [c_uint32, c_uint32]
    dll.CreateToolhelp32Snapshot.argtypes = [c_uint32, c_uint32]
    dll.CreateToolhelp32Snapshot.restype = c_void_p
    dll.Process32FirstW.argtypes = [c_void_p, c_void_p]
    dll.Process32NextW.argtypes = [c_void_p, c_void_p]
    dll.SetThreadExecutionState.argtypes = [c_uint32]
    dll.SetThreadExecutionState.restype = c_uint32
    return dll


def last_error() -> int:
    """The code of the last failed call. Windows only."""
    return int(getattr(ctypes, "get_last_error")())  # noqa: B009


class Job:
    """A job object whose processes end when it is closed, or when we die."""

    def __init__(self, api: Any = None) -> None:
        self._api = api or kernel32()
        self._handle = self._api.CreateJobObjectW(None, None)
        limits = ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = KILL_ON_JOB_CLOSE
        if not self._handle or not self._api.SetInformationJobObject(
            self._handle, EXTENDED_LIMITS, ctypes.byref(limits), sizeof(limits)
        ):
            raise OSError(last_error(), "cannot make a job object")

    def assign(self, process_handle: int) -> bool:
        """Put a process, and with it all that it will start, into the job."""
        return bool(self._api.AssignProcessToJobObject(self._handle, process_handle))

    def pids(self) -> list[int]:
        """The processes that are in the job now."""
        room = 64
        while True:
            ids = process_ids(room)
            done = self._query(BASIC_PROCESS_IDS, ids)
            if done or last_error() != _MORE_DATA:
                return list(ids.ProcessIdList[: ids.NumberOfProcessIdsInList]) if done else []
            room *= 4

    def cpu_time(self) -> float | None:
        """Seconds that all its processes used, those that ended included."""
        accounting = BasicAccounting()
        if not self._query(BASIC_ACCOUNTING, accounting):
            return None
        return float((accounting.TotalUserTime + accounting.TotalKernelTime) * _HUNDRED_NANOSECONDS)

    def peak_memory(self) -> int | None:
        """Bytes that all its processes had committed together at the most."""
        limits = ExtendedLimits()
        return int(limits.PeakJobMemoryUsed) if self._query(EXTENDED_LIMITS, limits) else None

    def terminate(self) -> None:
        """End all its processes at once."""
        self._api.TerminateJobObject(self._handle, 1)

    def close(self) -> None:
        """Let go of the job; what is left in it ends."""
        handle, self._handle = self._handle, None
        if handle:
            self._api.CloseHandle(handle)

    def _query(self, kind: int, into: Any) -> bool:
        return bool(self._api.QueryInformationJobObject(self._handle, kind, ctypes.byref(into), sizeof(into), None))


_our_own: Job | None = None


def die_with_us() -> None:
    """Put ourselves into a job, so that whatever kills us ends every child as well."""
    global _our_own
    try:
        job = Job()
        if job.assign(job._api.GetCurrentProcess()):
            _our_own = job  # never closed: the system does that when we end
        else:
            job.close()
    except OSError:
        return  # a job that allows none inside it: each segment's own job still ends with us


def send_break(group: int, api: Any = None) -> bool:
    """Ctrl-Break to the processes of a group; False where we have no console that they could hear it through.

    os.kill() is no way: Python 3.11 and 3.12 end the process by force when the event cannot be sent, and raise
    SystemError.
    """
    return bool((api or kernel32()).GenerateConsoleCtrlEvent(_CTRL_BREAK, group))


def resume(process_handle: int) -> None:
    """Let a process run that was started suspended."""
    ntdll = getattr(ctypes, "WinDLL")("ntdll")  # noqa: B009
    ntdll.NtResumeProcess.argtypes = [c_void_p]
    ntdll.NtResumeProcess(process_handle)
