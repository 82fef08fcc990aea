"""A stand-in for nvidia-smi, which answers what it is asked by the names of its fields, as the real one does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.programs import program

_CODE = """\
import sys
if not sys.argv[1:]:
    sys.exit(print("| NVIDIA-SMI   CUDA Version: {cuda} |"))
if sys.argv[1] == "-L":
    for gpu in {gpus!r}:
        print("GPU", gpu["index"] + ":", gpu["name"], "(UUID: " + gpu["uuid"] + ")")
        for number, part in enumerate(gpu.get("parts", ())):
            print("  MIG 1g.5gb     Device ", str(number) + ": (UUID: " + part + ")")
    sys.exit()
for field in sys.argv[1].partition("--query-gpu=")[2].split(","):
    if field in {unknown!r}:
        sys.exit(print('Field "' + field + '" is not a valid field to query.') or 2)
for gpu in {gpus!r}:
    print(", ".join(gpu.get(field, "[N/A]") for field in sys.argv[1].partition("=")[2].split(",")))
"""


def nvidia_smi(
    path: Path, *gpus: Mapping[str, str | list[str]], cuda: str = "12.4", unknown: Sequence[str] = ()
) -> Path:
    """`gpus`: what is told by the name of its field; `parts` are the UUIDs of a divided one. `unknown`: its fields."""
    told = [
        {"index": str(index), "uuid": f"GPU-{index}", "name": "NVIDIA RTX A4000", "driver_version": "551.61"}
        | ({"mig.mode.current": "Enabled"} if gpu.get("parts") else {})
        | gpu
        for index, gpu in enumerate(gpus)
    ]
    return program(path, _CODE.format(gpus=told, cuda=cuda, unknown=tuple(unknown)))
