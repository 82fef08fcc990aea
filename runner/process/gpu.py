"""GPU memory by process: NVIDIA's library where it is there, else its nvidia-smi, else nothing."""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Callable
from typing import Any

# seconds between two looks; nvidia-smi takes a second itself
LIBRARY_PERIOD = 1.0
PROGRAM_PERIOD = 5.0
_NOT_AVAILABLE = 0xFFFFFFFFFFFFFFFF
_INSUFFICIENT_SIZE = 7
_MEBIBYTE = 1 << 20

Reader = Callable[[], dict[int, int]]


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_v2_t: memory in bytes."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    )


def find_reader(path: str | None) -> tuple[Reader, float] | None:
    """What gives bytes by pid, and how often to ask it; None without an NVIDIA driver."""
    library = _open_library()
    if library is not None:
        return lambda: _ask_library(library), LIBRARY_PERIOD
    program = shutil.which("nvidia-smi", path=path)
    if program:
        return lambda: _ask_program(program), PROGRAM_PERIOD
    return None


def _open_library() -> Any:
    name = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    if sys.platform == "darwin":
        return None
    try:
        library = ctypes.CDLL(name)
        return library if library.nvmlInit_v2() == 0 else None
    except (OSError, AttributeError):
        return None


def _ask_library(library: Any) -> dict[int, int]:
    count = ctypes.c_uint()
    used: dict[int, int] = {}
    if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return used
    for index in range(count.value):
        device = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0:
            for pid, memory in _processes_on(library, device):
                used[pid] = used.get(pid, 0) + memory
    return used


def _processes_on(library: Any, device: ctypes.c_void_p) -> list[tuple[int, int]]:
    ask = getattr(library, "nvmlDeviceGetComputeRunningProcesses_v3", None) or getattr(
        library, "nvmlDeviceGetComputeRunningProcesses_v2", None
    )
    if ask is None:
        return []
    room = 64
    while True:
        infos = (ProcessInfo * room)()
        size = ctypes.c_uint(room)
        code = ask(device, ctypes.byref(size), infos)
        if code == _INSUFFICIENT_SIZE and room < 1 << 16:
            room *= 4
            continue
        if code != 0:
            return []
        known = (i for i in infos[: size.value] if i.usedGpuMemory != _NOT_AVAILABLE)  # Windows often does not tell
        return [(i.pid, i.usedGpuMemory) for i in known]


def _ask_program(program: str) -> dict[int, int]:
    from runner.process.capture import capture

    query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    answer = capture(query, timeout=10.0)
    return parse_program(answer.stdout.decode("ascii", "replace")) if answer.code == 0 else {}


def parse_program(text: str) -> dict[int, int]:
    """Lines `pid, MiB`; a value may be `[N/A]`."""
    used: dict[int, int] = {}
    for line in text.splitlines():
        pid, _, memory = line.partition(",")
        if pid.strip().isdigit() and memory.strip().isdigit():
            used[int(pid)] = used.get(int(pid), 0) + int(memory) * _MEBIBYTE
    return used
