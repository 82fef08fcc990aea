"""Windows job objects: the records by their documented sizes, and the calls against a stand-in for kernel32."""

import ctypes
from typing import Any

import pytest

from runner.process import jobs_windows as jobs


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="sizes of 64 bit")
def test_the_records_of_windows_jobs_have_their_documented_sizes() -> None:
    assert ctypes.sizeof(jobs.BasicLimits) == 64
    assert ctypes.sizeof(jobs.IoCounters) == 48
    assert ctypes.sizeof(jobs.ExtendedLimits) == 144
    assert ctypes.sizeof(jobs.BasicAccounting) == 48
    assert ctypes.sizeof(jobs.process_ids(3)) == 32
    assert jobs.BasicLimits.LimitFlags.offset == 16
    assert jobs.BasicLimits().LimitFlags | jobs.KILL_ON_JOB_CLOSE == 0x2000


class Kernel:
    """Answers like kernel32.dll; `pids` is what lives in the one job."""

    def __init__(self, pids: list[int], *, refuses: bool = False) -> None:
        self.pids, self.refuses = pids, refuses
        self.calls: list[tuple[Any, ...]] = []

    def CreateJobObjectW(self, security: None, name: None) -> int:  # noqa: N802
        return 0 if self.refuses else 77

    def SetInformationJobObject(self, job: int, kind: int, data: Any, size: int) -> int:  # noqa: N802
        self.calls.append(("limits", job, kind, data._obj.BasicLimitInformation.LimitFlags, size))
        return 1

    def AssignProcessToJobObject(self, job: int, process: int) -> int:  # noqa: N802
        self.calls.append(("assign", job, process))
        return 1

    def TerminateJobObject(self, job: int, code: int) -> int:  # noqa: N802
        self.calls.append(("terminate", job, code))
        self.pids = []
        return 1

    def CloseHandle(self, handle: int) -> int:  # noqa: N802
        self.calls.append(("close", handle))
        return 1

    def QueryInformationJobObject(self, job: int, kind: int, data: Any, size: int, length: None) -> int:  # noqa: N802
        record = data._obj
        if kind == jobs.BASIC_ACCOUNTING:
            record.TotalUserTime, record.TotalKernelTime = 15_000_000, 5_000_000
        elif kind == jobs.EXTENDED_LIMITS:
            record.PeakJobMemoryUsed = 123 << 20
        else:
            room = len(record.ProcessIdList)
            record.NumberOfAssignedProcesses = len(self.pids)
            record.NumberOfProcessIdsInList = min(room, len(self.pids))
            record.ProcessIdList[: record.NumberOfProcessIdsInList] = self.pids[:room]
            return int(room >= len(self.pids))
        return 1


@pytest.fixture(autouse=True)
def the_last_error_is_more_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "last_error", lambda: 234)


def test_a_job_ends_its_processes_when_its_last_handle_closes() -> None:
    kernel = Kernel([])
    jobs.Job(kernel)
    assert kernel.calls == [("limits", 77, 9, 0x2000, ctypes.sizeof(jobs.ExtendedLimits))]


def test_all_processes_of_a_job_are_listed_however_many() -> None:
    for count in (0, 1, 64, 65, 1000):
        assert jobs.Job(Kernel(list(range(1, count + 1)))).pids() == list(range(1, count + 1))


def test_a_job_tells_what_its_processes_used() -> None:
    job = jobs.Job(Kernel([1]))
    assert job.cpu_time() == pytest.approx(2.0)
    assert job.peak_memory() == 123 << 20


def test_a_job_is_terminated_and_closed_once() -> None:
    kernel = Kernel([5])
    job = jobs.Job(kernel)
    assert job.assign(9)
    job.terminate()
    job.close()
    job.close()
    assert kernel.calls[1:] == [("assign", 77, 9), ("terminate", 77, 1), ("close", 77)]


def test_a_job_that_the_system_refuses_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="job object"):
        jobs.Job(Kernel([], refuses=True))


@pytest.mark.parametrize("answer", [0, 1])
def test_ctrl_break_goes_to_the_whole_group_or_is_said_to_reach_nobody(answer: int) -> None:
    sent: list[tuple[int, int]] = []

    class Console:
        def GenerateConsoleCtrlEvent(self, event: int, group: int) -> int:  # noqa: N802
            sent.append((event, group))
            return answer

    assert jobs.send_break(4711, Console()) is bool(answer)
    assert sent == [(1, 4711)]
