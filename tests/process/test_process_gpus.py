"""Which GPUs a program may use, told by NVIDIA's library or by nvidia-smi."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.compare.sides import machine
from runner.environments import Site
from runner.host import Host
from runner.process import gpu
from runner.process.capture import capture
from runner.process.gpu import Gpu, Told, ask, devices, find_program, newest_cuda
from tests.support.nvidia import nvidia_smi
from tests.support.programs import program

MEBIBYTE = 1 << 20
CARDS: tuple[dict[str, str | list[str]], ...] = (
    {"uuid": "GPU-aaaa1111-2222", "name": "NVIDIA A100-SXM4-40GB", "memory.total": "40960", "memory.used": "512",
     "compute_cap": "8.0", "parts": ["MIG-aa01-x", "MIG-aa02-x"]},
    {"uuid": "GPU-bbbb1111-2222", "name": "NVIDIA RTX A4000 (Ada)", "memory.total": "16376", "compute_cap": "8.9"},
    {"uuid": "GPU-bbbb3333-4444", "parts": ["MIG-GPU-bbbb3333-4444/7/0"]},
)  # fmt: skip
DIVIDED = Gpu(
    0, "GPU-aaaa1111-2222", "NVIDIA A100-SXM4-40GB", "551.61", 40960 * MEBIBYTE, 512 * MEBIBYTE, (8, 0),
    ("MIG-aa01-x", "MIG-aa02-x"),
)  # fmt: skip
WHOLE = Gpu(1, "GPU-bbbb1111-2222", "NVIDIA RTX A4000 (Ada)", "551.61", 16376 * MEBIBYTE, capability=(8, 9))
OLD = Gpu(2, "GPU-bbbb3333-4444", "NVIDIA RTX A4000", "551.61", mig=("MIG-GPU-bbbb3333-4444/7/0",))


def host(tools: Path, nvml: Callable[[], Any] = lambda: None, platform: str = sys.platform, **environ: str) -> Host:
    """A machine where nvidia-smi is looked for in `tools` only."""
    return Host(platform, environ, Path.home(), lambda name: shutil.which(name, path=str(tools)), capture, False, nvml)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvidia_smi(tmp_path_factory.mktemp("tools") / "nvidia-smi", *CARDS).parent


def test_all_gpus_are_told_with_their_parts_and_memory(cards: Path) -> None:
    assert devices(host(cards)) == [DIVIDED, WHOLE, OLD]
    assert newest_cuda(host(cards)) == (12, 4)


@pytest.mark.parametrize("unknown", [["compute_cap"], ["compute_cap", "mig.mode.current"]])
def test_an_older_nvidia_smi_is_not_asked_for_what_it_does_not_know(tmp_path: Path, unknown: list[str]) -> None:
    nvidia_smi(tmp_path / "nvidia-smi", *CARDS, unknown=unknown)
    parts = DIVIDED.mig if len(unknown) == 1 else ()
    assert devices(host(tmp_path))[:2] == [replace(DIVIDED, capability=(), mig=parts), replace(WHOLE, capability=())]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("7", []),
        ("GPU-", []),
        ("1", [WHOLE]),
        (" 2, 1 ", [OLD, WHOLE]),
        ("1,1", [WHOLE]),
        ("1,-1,2", [WHOLE]),
        ("1,9,2", [WHOLE]),
        ("GPU-bbbb3", [OLD]),
        ("GPU-bbbb1111-2222,0", [WHOLE, DIVIDED]),
        ("MIG-aa02-x", [replace(DIVIDED, mig=("MIG-aa02-x",))]),
        ("MIG-aa02-x,MIG-aa01-x", [replace(DIVIDED, mig=("MIG-aa02-x", "MIG-aa01-x"))]),
        ("MIG-GPU-bbbb3333-4444/7/0", [OLD]),
        ("MIG-nowhere", []),
        ("²", []),
    ],
)
def test_what_cuda_would_show_is_shown(cards: Path, visible: str, expected: list[Gpu]) -> None:
    assert devices(host(cards, CUDA_VISIBLE_DEVICES=visible)) == expected


def test_without_a_driver_or_with_one_that_fails_there_is_none(tmp_path: Path) -> None:
    assert ask(host(tmp_path)) is None
    assert newest_cuda(host(tmp_path)) is None
    assert devices(host(tmp_path)) == []
    nvidia_smi(tmp_path / "nvidia-smi")
    assert ask(host(tmp_path)) == Told(why="it lists no GPU")
    said = "Failed to initialize NVML: Driver/library version mismatch"
    program(tmp_path / "nvidia-smi", f"import sys\nprint({said!r})\nsys.exit(18)")
    assert ask(host(tmp_path)) == Told(why=said)
    assert devices(host(tmp_path)) == []


def test_on_windows_it_is_found_where_drivers_put_it(tmp_path: Path) -> None:
    own = nvidia_smi(tmp_path / "System32" / "nvidia-smi.exe", *CARDS)
    there = host(tmp_path, platform="win32", SYSTEMROOT=str(tmp_path))
    assert find_program(there) == str(there.path(own))


class NvmlError(Exception):
    pass


def library(**change: Any) -> SimpleNamespace:
    """NVIDIA's library where the second GPU has fallen off the bus and the third does not tell its memory."""

    def refuse(*_: object) -> Any:
        raise NvmlError

    def handle(index: int) -> str:
        return refuse() if index == 1 else f"device {index}"

    def part(device: str, index: int) -> str:
        return f"part {index}" if device == "device 0" and index < 2 else refuse()

    def memory(device: str) -> SimpleNamespace:
        return SimpleNamespace(total=1000, used=10) if device == "device 0" else refuse()

    def processes(holder: str) -> list[SimpleNamespace]:
        told = {"part 0": [(5, 10)], "part 1": [(5, 20), (6, None)], "device 2": [(7, 40)], "device 0": []}
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in told[holder]]

    return SimpleNamespace(**{
        "NVMLError": NvmlError,
        "nvmlSystemGetDriverVersion": lambda: "551.61",
        "nvmlSystemGetCudaDriverVersion": lambda: 12040,
        "nvmlDeviceGetCudaComputeCapability": lambda device: (8, 6) if device == "device 0" else refuse(),
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": handle,
        "nvmlDeviceGetUUID": lambda it: f"UUID of {it}",
        "nvmlDeviceGetName": lambda it: f"name of {it}",
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetMaxMigDeviceCount": lambda device: 7 if device == "device 0" else refuse(),
        "nvmlDeviceGetMigDeviceHandleByIndex": part,
        "nvmlDeviceGetComputeRunningProcesses": processes,
    } | change)  # fmt: skip


def test_the_library_is_asked_before_the_program_and_tells_the_same(cards: Path) -> None:
    parts = ("UUID of part 0", "UUID of part 1")
    assert devices(host(cards, library)) == [
        Gpu(0, "UUID of device 0", "name of device 0", "551.61", 1000, 10, (8, 6), parts),
        Gpu(2, "UUID of device 2", "name of device 2", "551.61"),
    ]
    assert newest_cuda(host(cards, lambda: library(nvmlSystemGetCudaDriverVersion=lambda: 13010))) == (13, 1)


def test_a_comparison_names_the_gpu_and_its_driver(cards: Path, tmp_path: Path) -> None:
    def told(host: Host) -> dict[str, str]:
        return machine(Site(host, tmp_path, {}, tmp_path))

    assert told(host(cards)).items() >= {"gpu": DIVIDED.name, "driver": "551.61"}.items()
    assert told(host(cards, library))["gpu"] == "name of device 0"
    assert "gpu" not in told(host(tmp_path))


def test_a_library_that_tells_of_nothing_is_believed(cards: Path) -> None:
    def refuse() -> int:
        raise NvmlError

    silent = host(cards, lambda: library(nvmlDeviceGetCount=refuse, nvmlSystemGetCudaDriverVersion=refuse))
    assert ask(silent) == Told(why="it lists no GPU")
    assert newest_cuda(silent) is None


def test_the_memory_of_a_divided_gpu_is_counted_once() -> None:
    assert gpu._ask_library(library()) == {5: 30, 7: 40}
    whole = library(nvmlDeviceGetComputeRunningProcesses=lambda it: [SimpleNamespace(pid=5, usedGpuMemory=30)])
    assert gpu._ask_library(whole) == {5: 60}  # on the two GPUs
