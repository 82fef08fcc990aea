"""The one list of all checks, in the order of the page."""

from __future__ import annotations

from runner.doctor import (
    Check,
    batch,
    conda,
    disk,
    gpu,
    gpu_smoke,
    imagej,
    index,
    paths,
    pipeline_file,
    sleep,
    uv_checks,
    uv_environments,
    windows,
    wsl,
)

CHECKS: tuple[Check, ...] = (
    *pipeline_file.CHECKS,
    *uv_checks.CHECKS,
    *uv_environments.CHECKS,
    *conda.CHECKS,
    *imagej.CHECKS,
    *wsl.CHECKS,
    *gpu.CHECKS,
    *gpu_smoke.CHECKS,
    *disk.CHECKS,
    *index.CHECKS,
    *paths.CHECKS,
    *batch.CHECKS,
    *windows.CHECKS,
    *sleep.CHECKS,
)
