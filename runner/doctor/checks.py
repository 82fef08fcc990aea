"""The one list of all checks, in the order of the page."""

from __future__ import annotations

from importlib import import_module

from runner.doctor import Check

_ROOMS = (
    "pipeline_file uv_checks uv_environments store offline conda shell_around imagej wsl gpu gpu_smoke kernels disk "
    "quota index paths batch windows sleep"
).split()
CHECKS = tuple(
    one for room in _ROOMS for one in vars(import_module(f"runner.doctor.{room}")).values() if isinstance(one, Check)
)
