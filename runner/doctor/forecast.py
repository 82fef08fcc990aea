"""How many bytes a run will write: outputs from earlier runs' receipts, environments from the lock."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.doctor import Context
from runner.doctor.cuda_wanted import cuda_of_packages
from runner.environments.uv.kind import place
from runner.environments.uv.stamp import Place, State, condition, read_stamp
from runner.errors import EnvironmentMissing
from runner.ground.words import size_text
from runner.items.ledger import outputs_of
from runner.records.layout import Record, run_folders
from runner.records.receipt import Receipt
from runner.state.outputs import MOST_LISTED

MIB = 1 << 20
EARLIER_RUNS = 10  # looked at, the newest first
# unpacked, and rough: PyTorch comes with all of NVIDIA's libraries; few other packages are above 20 MiB
_TORCH_WITH_CUDA = 6 << 30
_PACKAGE = 20 * MIB


@dataclass(frozen=True)
class Forecast:
    size: int  # bytes
    text: str


@dataclass(frozen=True)
class OutputsForecast:
    """Bytes that a whole run wrote at last, for each folder right below which it wrote."""

    sizes: Mapping[Path, int]
    at_least: bool = False  # not all files are known

    def text(self, size: int) -> str:
        """What is written to one disk, in words."""
        return f"a run writes {'at least ' * self.at_least}{size_text(size)} of outputs"


def outputs_forecast(context: Context) -> OutputsForecast:
    """From the newest receipt of each segment."""
    if context.records is None:
        return OutputsForecast({})
    found: dict[int, tuple[Path, Receipt]] = {}  # segment -> its newest receipt
    for folder in reversed(run_folders(context.records)[-EARLIER_RUNS:]):
        for receipt in Record(folder).receipts():
            if ((receipt.succeeded and receipt.outputs) or receipt.items) and receipt.segment is not None:
                found.setdefault(receipt.segment, (folder, receipt))
    sizes: dict[Path, int] = {}
    for folder, receipt in found.values():
        outputs = [(entry["path"], entry["size"]) for entry in receipt.outputs]
        if receipt.items:
            outputs = list(outputs_of(folder, receipt))
        top = _common_folder([path for path, _ in outputs])
        sizes[top] = sizes.get(top, 0) + sum(size for _, size in outputs)
    # a receipt lists no more than that
    more = any(len(receipt.outputs) >= MOST_LISTED for _, receipt in found.values())
    return OutputsForecast(sizes, at_least=more)


def environments_forecast(context: Context) -> Forecast | None:
    """Bytes of the environments that FILE needs and that are still to be made; a rough guess from the lock."""
    if not context.has_file:
        return None
    size = 0
    names: list[str] = []
    try:
        for spec, _, packages in context.locked():
            if not _is_to_be_made(place(spec, context.site), context):
                continue
            size += _PACKAGE * len(packages)
            size += _TORCH_WITH_CUDA if cuda_of_packages(packages, context.site.host.platform) else 0
            names.append(spec.name)
    except EnvironmentMissing:
        return None  # another line tells what is wrong with the lock
    return Forecast(size, f"preparing {', '.join(names)} takes about {size_text(size)}") if size else None


def _is_to_be_made(where: Place, context: Context) -> bool:
    """Not there, or given up half-way; one that is merely behind gets a few packages."""
    return condition(where, context.site).state is State.MISSING or read_stamp(where) is None


def _common_folder(paths: list[str]) -> Path:
    folders = [os.path.dirname(path) for path in paths if path]  # noqa: PTH120  (up to a thousand texts)
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # two drives: the first stands for all
        return Path(folders[0]) if folders else Path()
