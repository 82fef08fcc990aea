"""Which GPUs a program may use, told by NVIDIA's library or by nvidia-smi."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.process import gpu
from runner.process.gpu import Gpu, devices
from tests.support.programs import program

LISTED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111-2222)
  MIG 3g.20gb     Device  0: (UUID: MIG-aa01-x)
  MIG 1g.5gb      Device  1: (UUID: MIG-aa02-x)
GPU 1: NVIDIA RTX A4000 (Ada) (UUID: GPU-bbbb1111-2222)
GPU 2: NVIDIA RTX A4000 (UUID: GPU-bbbb3333-4444)
  MIG 1g.5gb Device 0: (UUID: MIG-GPU-bbbb3333-4444/7/0)
"""
MEBIBYTE = 1 << 20
DIVIDED = Gpu(0, "GPU-aaaa1111-2222", "NVIDIA A100-SXM4-40GB", 40960 * MEBIBYTE, ("MIG-aa01-x", "MIG-aa02-x"))
WHOLE = Gpu(1, "GPU-bbbb1111-2222", "NVIDIA RTX A4000 (Ada)", 16376 * MEBIBYTE)
OLD = Gpu(2, "GPU-bbbb3333-4444", "NVIDIA RTX A4000", 0, ("MIG-GPU-bbbb3333-4444/7/0",))

Machine = Callable[..., dict[str, str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes nvidia-smi say something, and gives an environment that finds it."""
    monkeypatch.setattr(gpu, "_open_library", lambda: None)

    def made(listed: str = LISTED, code: int = 0, **environ: str) -> dict[str, str]:
        program(
            tmp_path / "tools" / "nvidia-smi",
            f"import sys\nlisted = {listed!r} if sys.argv[1] == '-L' else '0, 40960\\n1, 16376\\n2, [N/A]\\n'\n"
            f"print(listed, end='')\nsys.exit({code})",
        )
        return {"PATH": f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}", **environ}

    return made


def test_all_gpus_are_told_with_their_parts_and_memory(machine: Machine) -> None:
    assert devices(machine()) == [DIVIDED, WHOLE, OLD]


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
        ("MIG-aa02-x", [Gpu(0, DIVIDED.uuid, DIVIDED.name, DIVIDED.memory, ("MIG-aa02-x",))]),
        ("MIG-aa02-x,MIG-aa01-x", [Gpu(0, DIVIDED.uuid, DIVIDED.name, DIVIDED.memory, ("MIG-aa02-x", "MIG-aa01-x"))]),
        ("MIG-GPU-bbbb3333-4444/7/0", [OLD]),
        ("MIG-nowhere", []),
        ("²", []),
    ],
)
def test_what_cuda_would_show_is_shown(machine: Machine, visible: str, expected: list[Gpu]) -> None:
    assert devices(machine(CUDA_VISIBLE_DEVICES=visible)) == expected


def test_without_a_driver_or_with_one_that_fails_there_is_none(machine: Machine, tmp_path: Path) -> None:
    assert devices(machine("Failed to initialize NVML: Driver/library version mismatch\n", 18)) == []
    assert devices(machine("No devices found.\n")) == []
    assert devices({"PATH": str(tmp_path)}) == []


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
        return SimpleNamespace(total=1000) if device == "device 0" else refuse()

    def processes(holder: str) -> list[SimpleNamespace]:
        told = {"part 0": [(5, 10)], "part 1": [(5, 20), (6, None)], "device 2": [(7, 40)], "device 0": []}
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in told[holder]]

    return SimpleNamespace(**{
        "NVMLError": NvmlError,
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": handle,
        "nvmlDeviceGetUUID": lambda it: f"UUID of {it}",
        "nvmlDeviceGetName": lambda it: f"name of {it}",
        "nvmlDeviceGetMemoryInfo": memory,
        "nvmlDeviceGetMaxMigDeviceCount": lambda device: 7 if device == "device 0" else refuse(),
        "nvmlDeviceGetMigDeviceHandleByIndex": part,
        "nvmlDeviceGetComputeRunningProcesses": processes,
    } | change)  # fmt: skip


def test_the_library_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_open_library", library)
    assert devices({}) == [
        Gpu(0, "UUID of device 0", "name of device 0", 1000, ("UUID of part 0", "UUID of part 1")),
        Gpu(2, "UUID of device 2", "name of device 2"),
    ]


def test_the_memory_of_a_divided_gpu_is_counted_once() -> None:
    assert gpu._ask_library(library()) == {5: 30, 7: 40}
    whole = library(nvmlDeviceGetComputeRunningProcesses=lambda it: [SimpleNamespace(pid=5, usedGpuMemory=30)])
    assert gpu._ask_library(whole) == {5: 60}  # on the two GPUs
