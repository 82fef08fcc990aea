"""The CUDA that a group of uv.lock, or a conda environment, brings along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.doctor import Context
from runner.environments import kind
from runner.model import EnvironmentSpec

Version = tuple[int, int]
_LOCAL = re.compile(r"\+cu(\d+?)(\d)(?:\.|$)")  # torch 2.4.0+cu124
_RUNTIME = re.compile(r"nvidia-cuda-runtime(?:-cu\d+)?")
_CONDA = ("pytorch-cuda", "cuda-version", "cudatoolkit")


@dataclass(frozen=True)
class Wanted:
    """CUDA that somebody brings along."""

    name: str  # "uv:segment_ernet", "conda environment cellpose"
    cuda: Version
    spec: EnvironmentSpec


def wanted(context: Context) -> list[Wanted]:
    """Of the groups of FILE, or of all; and of the conda environments of FILE."""
    found = [
        Wanted(f"uv:{name}", cuda, spec)
        for spec, name, packages in context.locked()
        if (cuda := cuda_of_packages(packages, context.site.host.platform))
    ]
    seen: set[str] = set()
    for job in context.uses("conda"):
        if job.spec.name not in seen:
            seen.add(job.spec.name)
            cuda = _cuda_of_conda(kind(job.spec).fingerprint(job.spec, job.entries, context.site).get("packages"))
            if cuda:
                found.append(Wanted(f"conda environment {job.spec.name}", cuda, job.spec))
    return found


def cuda_of_packages(packages: Iterable[Mapping[str, Any]], platform: str) -> Version | None:
    """From `torch 2.4.0+cu124`, else from NVIDIA's runtime, which PyPI's torch brings on Linux alone."""
    runtime = None
    for package in packages if platform != "darwin" else ():
        name, version = str(package.get("name", "")), str(package.get("version", ""))
        if name in ("torch", "torchvision", "torchaudio") and (found := _LOCAL.search(version)):
            return int(found[1]), int(found[2])
        if _RUNTIME.fullmatch(name) and platform == "linux":
            runtime = two_numbers(version)
    return runtime


def cpu_on_windows(context: Context) -> list[str]:
    """Groups whose torch computes on a GPU under Linux, and under Windows without a word on the CPU."""
    if not context.site.host.windows:
        return []
    return [
        spec.name
        for spec, _, packages in context.locked()
        if cuda_of_packages(packages, "linux") and not cuda_of_packages(packages, "win32")
    ]


def _cuda_of_conda(packages: object) -> Version | None:
    if not isinstance(packages, Mapping):
        return None
    return next((cuda for name in _CONDA if (cuda := two_numbers(str(packages.get(name, ""))))), None)


def two_numbers(text: str) -> Version | None:
    """12.4.127 -> (12, 4)."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
