"""How many cores a program may use: a runner that starts many programs at once tells each its share."""

from __future__ import annotations

import os

TOLD = "RUN_PIPELINE_CPUS"
# What libraries read when they are loaded: of linear algebra, OpenMP, numba, and those that read and write files.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TIFFFILE_NUM_THREADS",
    "ZARR_THREADING__MAX_WORKERS",
)


def cores() -> int:
    """Those that were told, but no more than the system gives to this process; on a cluster, the job's share."""
    try:
        here = len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:
        here = os.cpu_count() or 1
    return min(_number(TOLD) or here, here)


def share(processes: int) -> None:
    """Where cores were told, holds each process's threads to its part of them; smaller numbers there stay."""
    if not _number(TOLD):
        return
    part = max(1, cores() // processes)
    for name in THREADS:
        os.environ[name] = str(min(part, _number(name) or part))


def _number(name: str) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else 0
