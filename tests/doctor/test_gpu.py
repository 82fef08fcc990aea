"""GPU, driver and CUDA, with a program that answers as nvidia-smi does, and PyTorch's place taken by a small module."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.doctor import Line, State
from runner.doctor.cuda_table import TOOLKIT_DRIVERS, cuda_of_driver, numbers
from runner.doctor.cuda_wanted import cuda_of_packages
from tests.doctor.machine import SLEEPS, Machine, only
from tests.support import nvidia

TORCH = Path(__file__).with_name("fake_torch.py")


def nvidia_smi(machine: Machine, driver: str = "551.61", cuda: str = "12.4", card: str = "NVIDIA RTX A4000",
               used: int = 500, capability: str = "8.6") -> None:  # fmt: skip
    told = {"name": card, "driver_version": driver, "memory.total": "16376", "memory.used": str(used)}
    nvidia.nvidia_smi(machine.programs / "nvidia-smi", told | {"compute_cap": capability}, cuda=cuda)


def with_torch(machine: Machine, version: str = "2.4.0+cu124") -> Machine:
    machine.shop.wheel("torch", version).write(plain=["torch"])
    return machine


def test_a_machine_without_a_driver_is_fine_until_a_pipeline_brings_cuda(machine: Machine) -> None:
    assert machine.said("GPU") == [("ok", "no NVIDIA driver (nvidia-smi) was found")]
    with_torch(machine)
    assert only(machine.lines("GPU")).state is State.OK
    machine.pipeline({"name": "a", "environment": "uv:plain", "commands": ["python", "-c", "pass"]})
    line = only(machine.lines("GPU"))
    assert line.state is State.WARNING
    assert "uv:plain brings CUDA" in line.text
    assert machine.said("CUDA") == []


def test_gpu_memory_and_driver_are_shown(machine: Machine) -> None:
    nvidia_smi(machine)
    assert machine.said("GPU") == [("ok", "NVIDIA RTX A4000, 16 GiB, driver 551.61")]
    nvidia_smi(machine, used=16000)
    line = only(machine.lines("GPU"))
    assert line.state is State.WARNING
    assert "in use already" in line.text


def test_the_drivers_library_is_asked_before_nvidia_smi(machine: Machine) -> None:
    nvidia_smi(with_torch(machine, "2.9.0+cu130"))
    machine.nvml = lambda: SimpleNamespace(
        NVMLError=OSError,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda device: "GPU-1",
        nvmlDeviceGetName=lambda device: "NVIDIA H200",
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(total=140 << 30, used=1 << 30),
        nvmlDeviceGetCudaComputeCapability=lambda device: [9, 0],
        nvmlDeviceGetMaxMigDeviceCount=lambda device: 0,
        nvmlSystemGetDriverVersion=lambda: "580.95.05",
        nvmlSystemGetCudaDriverVersion=lambda: 13000,
    )
    assert machine.said("GPU") == [("ok", "NVIDIA H200, 140 GiB, driver 580.95.05")]
    assert "up to 13.0; brought along: uv:plain 13.0" in only(machine.lines("CUDA")).text


def test_an_older_nvidia_smi_that_does_not_know_the_compute_capability_is_asked_without_it(machine: Machine) -> None:
    told = {"name": "Quadro P4000", "driver_version": "470.10", "memory.total": "8117"}
    nvidia.nvidia_smi(machine.programs / "nvidia-smi", told, unknown=["compute_cap"])
    assert machine.said("GPU") == [("ok", "Quadro P4000, 7.9 GiB, driver 470.10")]


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch", "the driver was updated"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "install NVIDIA's driver"),
    ],
)
def test_a_driver_that_does_not_answer_well_is_a_problem_for_a_pipeline_that_needs_it(
    machine: Machine, said: str, cure: str
) -> None:
    machine.program("nvidia-smi", f"print({said!r}); sys.exit(9)")
    line = only(machine.lines("GPU"))
    assert line.state is State.WARNING
    assert said in line.text
    assert cure in line.cure
    with_torch(machine).pipeline({"name": "a", "environment": "uv:plain", "commands": ["python", "-c", "pass"]})
    assert only(machine.lines("GPU")).state is State.PROBLEM


def test_an_nvidia_smi_that_hangs_is_a_warning(machine: Machine) -> None:
    machine.program("nvidia-smi", SLEEPS)
    line = only(machine.lines("GPU", longest=0.5))
    assert line.state is State.WARNING
    assert "did not answer" in line.text


def test_cuda_that_the_driver_runs_is_fine(machine: Machine) -> None:
    nvidia_smi(with_torch(machine))
    line = only(machine.lines("CUDA"))
    assert line.state is State.OK
    assert "up to 12.4; brought along: uv:plain 12.4" in line.text


def test_a_driver_of_an_older_cuda_is_a_problem_and_its_cure_names_the_driver(machine: Machine) -> None:
    nvidia_smi(with_torch(machine, "2.9.0+cu130"), driver="551.61", cuda="12.4")
    line = only(machine.lines("CUDA"))
    assert line.state is State.PROBLEM
    assert "brings CUDA 13.0, but driver 551.61 runs CUDA up to 12.4" in line.text
    assert "580.65" in line.cure
    nvidia_smi(machine, driver="470.82", cuda="11.4")
    machine.shop.wheels.clear()
    with_torch(machine)
    assert ("528.33" if sys.platform == "win32" else "525.60.13") in only(machine.lines("CUDA")).cure


def test_a_driver_of_the_same_cuda_family_is_only_a_warning(machine: Machine) -> None:
    nvidia_smi(with_torch(machine), driver="535.54.03", cuda="12.2")
    line = only(machine.lines("CUDA"))
    assert line.state is State.WARNING
    assert ("551.61" if sys.platform == "win32" else "550.54.14") in line.cure


def test_a_gpu_that_is_too_new_or_too_old_for_that_cuda_is_a_problem(machine: Machine) -> None:
    nvidia_smi(with_torch(machine), driver="591.10", cuda="13.1", card="NVIDIA RTX 5090", capability="12.0")
    line = only(machine.lines("CUDA"))
    assert line.state is State.PROBLEM
    assert "does not know the NVIDIA RTX 5090 yet" in line.text
    assert "12.8" in line.cure
    machine.shop.wheels.clear()
    with_torch(machine, "2.9.0+cu130")
    nvidia_smi(machine, driver="580.95", cuda="13.0", card="Tesla V100", capability="7.0")
    assert "does not know the Tesla V100 any more" in only(machine.lines("CUDA")).text


def test_torch_for_the_cpu_on_windows_is_named(machine: Machine) -> None:
    machine.shop.wheel("torch", "2.9.0").wheel("nvidia-cuda-runtime-cu12", "12.8.90")
    machine.shop.write(plain=["torch", "nvidia-cuda-runtime-cu12 ; sys_platform == 'linux'"])
    machine.platform = "win32"
    line = only(machine.lines("CUDA"))
    assert line.state is State.WARNING
    assert "on Windows it is the one for the CPU" in line.text


def test_on_a_mac_nobody_asks_for_cuda(machine: Machine) -> None:
    machine.platform = "darwin"
    with_torch(machine)
    assert only(machine.lines("GPU")).state is State.OK
    assert machine.said("CUDA") == []


def test_cuda_is_read_from_the_local_version_or_from_nvidias_runtime() -> None:
    local = [{"name": "torch", "version": "2.4.0"}, {"name": "torch", "version": "2.4.0+cu118"}]
    assert cuda_of_packages(local, "win32") == (11, 8)
    runtime = [{"name": "torch", "version": "2.9.0"}, {"name": "nvidia-cuda-runtime", "version": "13.0.48"}]
    assert cuda_of_packages(runtime, "linux") == (13, 0)
    assert cuda_of_packages(runtime, "win32") is None
    assert cuda_of_packages(local, "darwin") is None


def test_the_table_of_drivers_rises_with_cuda() -> None:
    for windows in (False, True):
        drivers = [numbers(TOOLKIT_DRIVERS[cuda][windows]) for cuda in sorted(TOOLKIT_DRIVERS)]
        assert drivers == sorted(drivers)
    assert cuda_of_driver("551.61", windows=True) == (12, 4)
    assert cuda_of_driver("12.0", windows=False) is None
    assert cuda_of_driver("unknown", windows=False) is None


def tried(machine: Machine, mode: str) -> Line:
    machine.gpu = True
    machine.environ["FAKE_TORCH"] = mode
    return only(machine.lines("GPU test"))


def test_the_gpu_is_tried_only_when_it_is_asked_for_and_there_is_something_to_try(machine: Machine) -> None:
    assert machine.said("GPU test") == []
    line = tried(machine, "")
    assert line.state is State.WARNING
    assert "nothing to try" in line.text


def test_the_gpu_is_tried_in_an_environment_prepared_as_for_a_segment(machine: Machine) -> None:
    with_torch(machine)
    line = tried(machine, "fine")
    assert line.state is State.PROBLEM
    assert "neither prepared nor tried: no NVIDIA driver (nvidia-smi) was found" in line.text
    assert not (machine.repo / ".venvs" / "plain").exists()
    nvidia_smi(machine)
    line = tried(machine, "fine")  # prepared; but what it holds there is no PyTorch yet
    assert line.state is State.PROBLEM
    assert "computing on the GPU failed" in line.text
    (module,) = (machine.repo / ".venvs" / "plain").rglob("torch.py")
    module.unlink()  # it is linked from uv's cache
    module.write_text(TORCH.read_text(encoding="utf-8"), encoding="utf-8")
    line = tried(machine, "fine")
    assert line.state is State.OK, line.text
    assert "PyTorch 2.4.0+cu124 computes on Fake GPU with CUDA 12.4; 10 GiB of 16 GiB are free" in line.text
    for mode, text, cure in (
        ("cpu", "the one for the CPU alone", "index for CUDA"),
        ("none", "sees no GPU (the driver is too old)", "GPU and CUDA"),
        ("wrong", "computes wrongly", "GPU and CUDA"),
        ("full", "CUDA out of memory", "nvidia-smi"),
        ("dies", "could not be tried", "GPU and CUDA"),
    ):
        line = tried(machine, mode)
        assert line.state is State.PROBLEM, mode
        assert text in line.text
        assert cure in line.cure


def test_a_pytorch_that_takes_too_long_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_torch(machine).shop.prepare("uv:plain")
    (module,) = (machine.repo / ".venvs" / "plain").rglob("torch.py")
    module.unlink()
    module.write_text("import time; time.sleep(60)\n", encoding="utf-8")
    monkeypatch.setattr("runner.doctor.gpu_smoke._RESERVE", 25.0)  # one second is left
    line = tried(machine, "slow")
    assert line.state is State.WARNING
    assert "not ready within" in line.text
    assert "env sync plain" in line.cure
