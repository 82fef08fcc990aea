"""The environments of ERnet's programs, shared by all test processes: onnxruntime, and PyTorch for the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin

from tests.programs.conftest import PROGRAMS, REPO, UV_HOME, child_environment, exclusive, python_of, shared

__all__ = ["shared"]  # a fixture: environments that all test processes share

HERE = Path(__file__).resolve().parent
TORCH = "2.13.0+cpu"
# With these the group would need several GB and a GPU; on a CPU the wheel above stands in for the first.
CUDA_PACKAGES = ("torch", "torchvision", "torchaudio", "triton", "nvidia-")


def wheel_folder() -> str:
    """Where pip looks for wheels, when it holds the CPU build of PyTorch for this machine; else ""."""
    folder = os.environ.get("PIP_FIND_LINKS", "")
    machine = "win_amd64" if os.name == "nt" else "linux_x86_64" if os.uname().machine == "x86_64" else "none"
    fits = folder and Path(folder).is_dir() and any(
        wheel.name.replace("manylinux_2_28", "linux").endswith(f"cp311-cp311-{machine}.whl")
        for wheel in Path(folder).glob(f"torch-{TORCH}-*.whl")
    )  # fmt: skip
    return folder if fits else ""


@cache
def torch_python(folder: Path) -> Path:
    """The interpreter of the group segment_ernet, with PyTorch for the CPU in place of CUDA's."""
    environment = folder / "segment_ernet"
    environ = child_environment(folder) | UV_HOME
    environ |= {"UV_PROJECT_ENVIRONMENT": str(environment), "UV_COMPILE_BYTECODE": "0"}
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with exclusive(folder / "segment_ernet.lock"):
        if not (environment / "ready").exists():
            lock = tomllib.loads((REPO / "uv.lock").read_text(encoding="utf-8"))
            left_out = sorted({one["name"] for one in lock["package"] if one["name"].startswith(CUDA_PACKAGES)})
            options = [word for name in left_out for word in ("--no-install-package", name)]
            sync = ["sync", "-q", "--locked", "--only-group", "segment_ernet", "--python", "3.11", *options]
            subprocess.run([find_uv_bin(), *sync], cwd=REPO, env=environ, check=True)
            install = ["pip", "install", "-q", "--python", str(python), "--no-deps", "--no-index"]
            wheels = ["--find-links", wheel_folder(), f"torch=={TORCH}"]
            subprocess.run([find_uv_bin(), *install, *wheels], cwd=folder, env=environ, check=True)
            (environment / "ready").touch()
    return python


@dataclass(frozen=True)
class Engine:
    """One way to run the network: "onnx" or "torch"."""

    name: str
    python: Path
    environments: Path
    folder: Path

    def environ(self) -> dict[str, str]:
        return child_environment(self.environments) | {"OMP_NUM_THREADS": "2"}

    def ask(self, what: str, *arguments: object) -> Any:
        """What the function of that name in inside.py gives."""
        command = [str(self.python), str(HERE / "inside.py"), what, *map(str, arguments)]
        done = subprocess.run(command, env=self.environ(), capture_output=True, encoding="utf-8", timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, *arguments: object, code: int = 0, environ: dict[str, str] | None = None) -> Any:
        """_segment_ernet.py with these arguments; its exit code must be `code`."""
        command = [str(self.python), str(PROGRAMS / "_segment_ernet.py"), *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environ() | (environ or {}),
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
        assert done.returncode == code, f"it ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done


def _engine(name: str, environments: Path, folder: Path) -> Engine:
    if name == "onnx":
        return Engine(name, python_of("segment_er", environments), environments, folder)
    if not wheel_folder():
        pytest.skip(f"PIP_FIND_LINKS names no folder with a wheel of torch {TORCH} for Python 3.11 on this machine")
    return Engine(name, torch_python(environments), environments, folder)


@pytest.fixture(params=["onnx", "torch"])
def engine(request: pytest.FixtureRequest, shared: Path, tmp_path: Path) -> Engine:
    return _engine(request.param, shared, tmp_path)


@pytest.fixture
def onnx(shared: Path, tmp_path: Path) -> Engine:
    return _engine("onnx", shared, tmp_path)


@pytest.fixture
def pytorch(shared: Path, tmp_path: Path) -> Engine:
    return _engine("torch", shared, tmp_path)
