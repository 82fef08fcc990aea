"""NVIDIA's GPUs and the memory that processes take there: its library where there is one, else nvidia-smi.

The one place that asks the driver. What it says for people of drivers and CUDA: `runner.doctor.gpu`.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from runner.ground.codes import spell_code
from runner.ground.disk import is_file
from runner.process.capture import capture

if TYPE_CHECKING:
    from runner.host import Host

# seconds between two looks; nvidia-smi takes a second itself
LIBRARY_PERIOD = 1.0
PROGRAM_PERIOD = 5.0
_PATIENCE = 10.0  # seconds for one answer of nvidia-smi
_MEBIBYTE = 1 << 20
_FIELDS = ("index", "uuid", "name", "driver_version", "memory.total", "memory.used")
_NEWER = ("mig.mode.current", "compute_cap")  # which nvidia-smi came to know one after the other

_NONE = "it lists no GPU"

Reader = Callable[[], dict[int, int]]


@dataclass(frozen=True)
class Gpu:
    """One GPU; where it is divided (MIG), a program is given one of its parts and not the whole."""

    index: int  # as NVIDIA's driver counts, which CUDA does only with CUDA_DEVICE_ORDER=PCI_BUS_ID
    uuid: str
    name: str
    driver: str = ""
    memory: int = 0  # bytes in all; 0 where it is not told
    used: int = 0
    capability: tuple[int, ...] = ()  # CUDA's number of what it can do: (8, 6)
    mig: tuple[str, ...] = ()  # the UUIDs of its parts


@dataclass(frozen=True)
class Told:
    """What the driver tells; `why` where there is one that tells of no GPU."""

    gpus: tuple[Gpu, ...] = ()
    why: str = ""


def ask(host: Host) -> Told | None:
    """All GPUs of the machine; None where there is no driver."""
    library = host.nvml()
    if library is not None:
        gpus = tuple(_from_library(library))
        return Told(gpus, "" if gpus else _NONE)
    program = find_program(host)
    return _from_program(program, host) if program else None


def newest_cuda(host: Host) -> tuple[int, int] | None:
    """The newest CUDA that the driver can run; None where it does not tell."""
    library = host.nvml()
    if library is not None:
        number = _told(library, "nvmlSystemGetCudaDriverVersion")
        return (number // 1000, number % 1000 // 10) if number else None  # 12040 is 12.4
    program = find_program(host)
    page = host.capture([program], timeout=_PATIENCE).stdout.decode("utf-8", "replace") if program else ""
    found = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", page)
    return (int(found[1]), int(found[2])) if found else None


def devices(host: Host) -> list[Gpu]:
    """The GPUs that a program may use, as CUDA_VISIBLE_DEVICES says and in its order."""
    told = ask(host)
    found = list(told.gpus) if told else []
    visible = host.environ.get("CUDA_VISIBLE_DEVICES")
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
    library = open_library()
    if library is not None:
        return lambda: _ask_library(library), LIBRARY_PERIOD
    program = shutil.which("nvidia-smi", path=path)
    if program:
        return lambda: _ask_program(program), PROGRAM_PERIOD
    return None


@cache
def open_library() -> Any:
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


def _told(nvml: Any, question: str, *of: Any) -> Any:
    """None where it does not tell: of a GPU that has fallen off the bus, of what an old driver does not know."""
    try:
        return getattr(nvml, question)(*of)
    except nvml.NVMLError:
        return None


def _handles(nvml: Any) -> Iterator[tuple[int, Any]]:
    for index in range(_told(nvml, "nvmlDeviceGetCount") or 0):
        if (device := _told(nvml, "nvmlDeviceGetHandleByIndex", index)) is not None:
            yield index, device


def _parts(nvml: Any, device: Any) -> Iterator[Any]:
    """The parts that a GPU is divided into; most are not, or cannot be."""
    for index in range(_told(nvml, "nvmlDeviceGetMaxMigDeviceCount", device) or 0):
        if (part := _told(nvml, "nvmlDeviceGetMigDeviceHandleByIndex", device, index)) is not None:
            yield part


def _from_library(nvml: Any) -> Iterator[Gpu]:
    driver = _told(nvml, "nvmlSystemGetDriverVersion") or ""
    for index, device in _handles(nvml):
        uuid, name = _told(nvml, "nvmlDeviceGetUUID", device), _told(nvml, "nvmlDeviceGetName", device)
        if not uuid or not name:
            continue
        memory = _told(nvml, "nvmlDeviceGetMemoryInfo", device)  # one that shares the machine's memory does not tell
        total, used = (int(memory.total), int(memory.used)) if memory else (0, 0)
        capability = tuple(_told(nvml, "nvmlDeviceGetCudaComputeCapability", device) or ())
        parts = (_told(nvml, "nvmlDeviceGetUUID", part) for part in _parts(nvml, device))
        yield Gpu(index, uuid, name, driver, total, used, capability, tuple(part for part in parts if part))


def _ask_library(nvml: Any) -> dict[int, int]:
    used: dict[int, int] = {}
    for _, device in _handles(nvml):
        # what a divided GPU tells holds for its parts; where we may not ask it for others' programs it tells nothing
        found = _running(nvml, device) or [one for part in _parts(nvml, device) for one in _running(nvml, part)]
        for process in found:
            used[process.pid] = used.get(process.pid, 0) + (process.usedGpuMemory or 0)
    return {pid: memory for pid, memory in used.items() if memory}  # Windows often does not tell


def _running(nvml: Any, device: Any) -> list[Any]:
    return list(_told(nvml, "nvmlDeviceGetComputeRunningProcesses", device) or ())


def find_program(host: Host) -> str | None:
    """nvidia-smi on PATH, or where drivers for Windows put it."""
    if found := host.which("nvidia-smi"):
        return found
    if not host.windows:
        return None
    root = host.path(host.environ.get("SYSTEMROOT") or "C:/Windows") / "System32" / "nvidia-smi.exe"
    files = host.path(host.environ.get("PROGRAMFILES") or "C:/Program Files")
    older = files / "NVIDIA Corporation" / "NVSMI" / "nvidia-smi.exe"
    return next((str(path) for path in (root, older) if is_file(path)), None)


def _from_program(program: str, host: Host) -> Told:
    for known in range(len(_NEWER), -1, -1):
        fields = (*_FIELDS, *_NEWER[:known])
        got = host.capture(
            [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"], timeout=_PATIENCE
        )
        if got.code != 2:  # a field that it does not know
            break
    text = got.stdout.decode("utf-8", "replace")
    if got.code != 0:
        said = (text + got.stderr.decode("utf-8", "replace")).strip()
        return Told(why=got.error or " ".join(said.split()) or spell_code(got.code))
    rows = [dict(zip(fields, map(str.strip, line.split(",")), strict=False)) for line in text.splitlines()]
    rows = [row for row in rows if len(row) == len(fields) and row["index"].isdecimal()]
    parts: dict[str, tuple[str, ...]] = {}
    if any(row.get("mig.mode.current") == "Enabled" for row in rows):
        parts = parse_parts(host.capture([program, "-L"], timeout=_PATIENCE).stdout.decode("utf-8", "replace"))
    gpus = tuple(
        Gpu(
            int(row["index"]), row["uuid"], row["name"], row["driver_version"],
            _bytes(row["memory.total"]), _bytes(row["memory.used"]),
            tuple(int(word) for word in row.get("compute_cap", "").split(".") if word.isdecimal()),
            parts.get(row["uuid"], ()),
        )
        for row in rows
    )  # fmt: skip
    return Told(gpus, "" if gpus else _NONE)


def _bytes(mebibytes: str) -> int:
    """A value may be `[N/A]`."""
    return int(mebibytes) * _MEBIBYTE if mebibytes.isdecimal() else 0


def parse_parts(text: str) -> dict[str, tuple[str, ...]]:
    """`nvidia-smi -L`: a line for each GPU, below it one for each of its parts; both by their UUIDs."""
    parts: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if found := re.match(r"GPU \d+: .*\(UUID: ([^)]+)\)", line):
            gpu = found[1]
            parts[gpu] = ()
        elif parts and (found := re.match(r"\s+MIG .*\(UUID: ([^)]+)\)", line)):
            parts[gpu] += (found[1],)
    return parts


def _ask_program(program: str) -> dict[int, int]:
    query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    answer = capture(query, timeout=_PATIENCE)
    return parse_program(answer.stdout.decode("ascii", "replace")) if answer.code == 0 else {}


def parse_program(text: str) -> dict[int, int]:
    """Lines `number, MiB` as bytes by number; a value may be `[N/A]`."""
    sizes: dict[int, int] = {}
    for line in text.splitlines():
        number, _, memory = line.partition(",")
        if number.strip().isdigit() and memory.strip().isdigit():
            sizes[int(number)] = sizes.get(int(number), 0) + _bytes(memory.strip())
    return sizes
