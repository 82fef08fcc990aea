"""The list of Windows' processes, against a stand-in for kernel32; and whose child a process is."""

import ctypes
from typing import Any

import pytest

from runner.process import running_windows
from runner.process.entry import Entry
from runner.process.snapshot import with_descendants


class Kernel:
    """Answers like kernel32.dll for `rows` of pid, parent and name."""

    def __init__(self, rows: list[tuple[int, int, str]]) -> None:
        self.rows, self.closed = list(rows), False

    def CreateToolhelp32Snapshot(self, flags: int, pid: int) -> int:  # noqa: N802
        assert (flags, pid) == (2, 0)
        return 9

    def Process32NextW(self, handle: int, into: Any) -> int:  # noqa: N802
        entry = into._obj
        assert entry.dwSize == ctypes.sizeof(running_windows.ProcessEntry)
        if not self.rows:
            return 0
        entry.th32ProcessID, entry.th32ParentProcessID, name = self.rows.pop(0)
        data = (name + "\0").encode("utf-16-le")
        ctypes.memmove(ctypes.addressof(entry) + type(entry).szExeFile.offset, data, len(data))
        return 1

    Process32FirstW = Process32NextW

    def CloseHandle(self, handle: int) -> None:  # noqa: N802
        self.closed = True


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes of 64 bit")
def test_the_record_of_a_windows_process_has_its_documented_size() -> None:
    assert ctypes.sizeof(running_windows.ProcessEntry) == 568
    assert running_windows.ProcessEntry.th32ParentProcessID.offset == 32
    assert running_windows.ProcessEntry.szExeFile.offset == 44


def test_windows_processes_are_listed_with_their_parents_and_names() -> None:
    rows = [(0, 0, "[System Process]"), (4, 0, "System"), (812, 4, "python.exe"), (813, 812, "Zähl µ.exe"), (9, 1, "x")]
    kernel = Kernel(rows)
    assert list(running_windows.running(kernel)) == rows
    assert kernel.closed


def test_a_list_that_windows_refuses_is_an_error_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel([])
    monkeypatch.setattr(kernel, "CreateToolhelp32Snapshot", lambda flags, pid: ctypes.c_void_p(-1).value)
    with pytest.raises(OSError, match="list"):
        next(running_windows.running(kernel))


def process(pid: int, parent: int, started: float) -> Entry:
    return Entry(pid, parent, -1, started, False, 0, 0.0, f"{pid}.exe")


def test_a_pid_that_is_used_again_makes_nobody_the_child_of_a_younger_process() -> None:
    desktop, leader, child, grandchild = process(20, 10, 5.0), process(10, 1, 50.0), process(11, 10, 50.0), process(
        12, 11, 60.0
    )  # fmt: skip
    entries = {entry.pid: entry for entry in (desktop, leader, child, grandchild)}
    assert with_descendants({10}, entries) == {10, 11, 12}
