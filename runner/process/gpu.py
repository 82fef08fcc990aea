"""NVIDIA's GPUs and the memory that processes take there: its library where there is one, else nvidia-smi."""

from __future__ import annotations

import ctypes
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from runner.process.capture import capture

# seconds between two looks; nvidia-smi takes a second itself
LIBRARY_PERIOD = 1.0
PROGRAM_PERIOD = 5.0
_MEBIBYTE = 1 << 20

Reader = Callable[[], dict[int, int]]


@dataclass(frozen=True)
class Gpu:
    """One GPU; where it is divided (MIG), a program is given one of its parts and not the whole."""

    index: int  # as NVIDIA's driver counts, which CUDA does only with CUDA_DEVICE_ORDER=PCI_BUS_ID
    uuid: str
    name: str
    memory: int = 0  # bytes in all; 0 where it is not told
    mig: tuple[str, ...] = ()  # the UUIDs of its parts


def devices(environ: Mapping[str, str]) -> list[Gpu]:
    """The GPUs that a program started with `environ` may use, as CUDA_VISIBLE_DEVICES there says and in its order."""
    library = _open_library()
    found = list(_from_library(library)) if library is not None else _from_program(environ.get("PATH"))
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else _visible(found, visible)


def _visible(found: list[Gpu], visible: str) -> list[Gpu]:
    """As CUDA reads it: nothing counts from the first entry on that names no device ("-1", "NoDevFiles", "")."""
    chosen: dict[str, Gpu] = {}
    for word in (entry.strip() for entry in visible.split(",")):
        named = _named(found, word)
        if len(named) != 1:
            break
        gpu = named[0]
        before = chosen.get(gpu.uuid, gpu)
        chosen[gpu.uuid] = replace(gpu, mig=tuple(dict.fromkeys(before.mig + gpu.mig)))
    return list(chosen.values())


def _named(found: list[Gpu], word: str) -> list[Gpu]:
    """By index, or by the clear beginning of a UUID; a part of a GPU is that GPU with no other part."""
    if word.isdecimal():
        return [gpu for gpu in found if gpu.index == int(word)]
    if word.startswith("MIG-"):
        return [replace(gpu, mig=(part,)) for gpu in found for part in gpu.mig if part.startswith(word)]
    return [gpu for gpu in found if word.startswith("GPU-") and gpu.uuid.startswith(word)]


@cache
def find_reader(path: str | None) -> tuple[Reader, float] | None:
    """What gives bytes by pid, and how often to ask it; None without an NVIDIA driver."""
    library = _open_library()
    if library is not None:
        return lambda: _ask_library(library), LIBRARY_PERIOD
    program = shutil.which("nvidia-smi", path=path)
    if program:
        return lambda: _ask_program(program), PROGRAM_PERIOD
    return None


@cache
def _open_library() -> Any:
    if sys.platform == "darwin":
        return None
    try:
        if sys.platform == "linux":
            ctypes.CDLL("libnvidia-ml.so.1")  # most machines have none: then a large module need not be loaded
        import pynvml  # type: ignore[import-untyped]
    except OSError:
        return None
    try:
        pynvml.nvmlInit()
    except (pynvml.NVMLError, OSError, AttributeError):
        return None
    return pynvml


def _handles(nvml: Any) -> Iterator[tuple[int, Any]]:
    """A GPU that has fallen off the bus is passed over."""
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError:
        return
    for index in range(count):
        try:
            yield index, nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError:
            continue


def _parts(nvml: Any, device: Any) -> Iterator[Any]:
    """The parts that a GPU is divided into; most are not, or cannot be."""
    try:
        room = nvml.nvmlDeviceGetMaxMigDeviceCount(device)
    except nvml.NVMLError:
        return
    for index in range(room):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(device, index)
        except nvml.NVMLError:
            continue


def _from_library(nvml: Any) -> Iterator[Gpu]:
    for index, device in _handles(nvml):
        try:
            uuid, name = nvml.nvmlDeviceGetUUID(device), nvml.nvmlDeviceGetName(device)
        except nvml.NVMLError:
            continue
        try:
            memory = int(nvml.nvmlDeviceGetMemoryInfo(device).total)
        except nvml.NVMLError:
            memory = 0  # one that shares the machine's memory does not tell
        yield Gpu(index, uuid, name, memory, tuple(nvml.nvmlDeviceGetUUID(part) for part in _parts(nvml, device)))


def _ask_library(nvml: Any) -> dict[int, int]:
    used: dict[int, int] = {}
    for _, device in _handles(nvml):
        # what a divided GPU tells holds for its parts; where we may not ask it for others' programs it tells nothing
        found = _running(nvml, device) or [one for part in _parts(nvml, device) for one in _running(nvml, part)]
        for process in found:
            used[process.pid] = used.get(process.pid, 0) + (process.usedGpuMemory or 0)
    return {pid: memory for pid, memory in used.items() if memory}  # Windows often does not tell


def _running(nvml: Any, device: Any) -> list[Any]:
    try:
        return list(nvml.nvmlDeviceGetComputeRunningProcesses(device))
    except nvml.NVMLError:
        return []


def _from_program(path: str | None) -> list[Gpu]:
    program = shutil.which("nvidia-smi", path=path)
    if program is None:
        return []
    listed = capture([program, "-L"], timeout=10.0)
    found = parse_list(listed.stdout.decode("utf-8", "replace")) if listed.code == 0 else []
    if found:
        query = [program, "--query-gpu=index,memory.total", "--format=csv,noheader,nounits"]
        answer = capture(query, timeout=10.0)
        sizes = parse_program(answer.stdout.decode("ascii", "replace")) if answer.code == 0 else {}
        found = [replace(gpu, memory=sizes.get(gpu.index, 0)) for gpu in found]
    return found


def parse_list(text: str) -> list[Gpu]:
    """`nvidia-smi -L`: a line for each GPU, below it one for each of its parts."""
    found: list[Gpu] = []
    for line in text.splitlines():
        if gpu := re.match(r"GPU (\d+): (.*) \(UUID: ([^)]+)\)", line):
            found.append(Gpu(int(gpu[1]), gpu[3], gpu[2]))
        elif found and (part := re.match(r"\s+MIG .*\(UUID: ([^)]+)\)", line)):
            found[-1] = replace(found[-1], mig=(*found[-1].mig, part[1]))
    return found


def _ask_program(program: str) -> dict[int, int]:
    query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    answer = capture(query, timeout=10.0)
    return parse_program(answer.stdout.decode("ascii", "replace")) if answer.code == 0 else {}


def parse_program(text: str) -> dict[int, int]:
    """Lines `number, MiB` as bytes by number; a value may be `[N/A]`."""
    sizes: dict[int, int] = {}
    for line in text.splitlines():
        number, _, memory = line.partition(",")
        if number.strip().isdigit() and memory.strip().isdigit():
            sizes[int(number)] = sizes.get(int(number), 0) + int(memory) * _MEBIBYTE
    return sizes
