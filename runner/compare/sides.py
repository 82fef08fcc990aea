"""What stands beside the results: versions, times, memory, sizes; from receipts and the environments' own notes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.compare.results import Side
from runner.environments import Site, kind
from runner.environments import fingerprint as fingerprint_of
from runner.environments.spec import normalised_group as normalised
from runner.ground.disk import on_disk
from runner.ground.told import number, read_json
from runner.items.ledger import outputs_of
from runner.records.layout import Record, run_folders
from runner.records.receipt import Receipt
from runner.tasks import Task

SIZE_LIMIT = 15.0  # seconds to spend on one environment's size
_CUDA = re.compile(r"(cudatoolkit|cuda-version|pytorch-cuda|nvidia-cuda-runtime(-cu\d+)?)")


@dataclass(frozen=True)
class Found:
    """A receipt, and the folder of its run."""

    receipt: Receipt
    folder: Path


def receipts_by_hash(root: Path, until: Path | None = None) -> dict[str, Found]:
    """The newest successful receipt of each content hash; of the runs up to that one."""
    found: dict[str, Found] = {}
    folders = run_folders(root)
    for folder in reversed(folders if until is None else folders[: folders.index(until) + 1]):
        for receipt in Record(folder).receipts():
            if receipt.succeeded and receipt.content_hash:
                found.setdefault(receipt.content_hash, Found(receipt, folder))
    return found


def changed_output(found: Found | None) -> Path | None:
    """The first output that is not as the receipt says."""
    if found is None:
        return None
    for output in found.receipt.outputs:
        path = Path(output["path"])
        if not path.exists() or path.stat().st_mtime != output["modified"]:
            return path
    for name, size in outputs_of(found.folder, found.receipt) if found.receipt.items else ():
        path = Path(name)
        if not path.exists() or path.stat().st_size != size:
            return path
    return None


def environment_changed(found: Found, job: Task, site: Site) -> bool:
    """Whether the segment's environment is another one than when it ran."""
    then = {k: v for k, v in found.receipt.environment.items() if k != "text"}
    return bool(then) and then != dict(fingerprint_of(job.spec, job.entries, site))


def side_of(job: Task, found: Found | None, site: Site, sizes: dict[str, int | None]) -> Side:
    """`sizes` remembers each environment's size by its folder."""
    told = found.receipt if found else Receipt()
    fingerprint = dict(told.environment)
    if not fingerprint.get("kind"):
        fingerprint = dict(fingerprint_of(job.spec, job.entries, site))
    place = fingerprint.get("prefix") or kind(job.spec).folder(job.spec, job.entries, site)
    folder = str(on_disk(site.host.path(place))) if place else ""  # where the environment is on this machine
    if folder and folder not in sizes:
        sizes[folder] = folder_size(Path(folder))
    whole = not told.items.get("skipped")  # else it did some of the items only
    prepared = read_json(found.folder / f"prepare-{job.segment.number:02d}.json") if found else None
    return Side(
        environment=job.segment.environment,
        fingerprint=fingerprint,
        seconds=told.seconds if whole else None,
        peak_memory=told.peak_memory if whole else None,
        gpu_memory=told.gpu_memory,
        size=sizes.get(folder) if folder else None,
        preparation=number(prepared.get("seconds")) if prepared else None,
    )


def folder_size(folder: Path) -> int | None:
    """Bytes of all files; None when there is no folder or it takes too long to look."""
    deadline = time.monotonic() + SIZE_LIMIT
    total = 0
    if not folder.is_dir():
        return None
    for base, _, names in os.walk(folder):
        if time.monotonic() > deadline:
            return None
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_size  # noqa: PTH118  (a hundred thousand files)
            except OSError:
                continue
    return total


def packages(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """Names as PyPI normalises them; what pip put into a conda environment counts before conda's own record."""
    both = {**(fingerprint.get("packages") or {}), **(fingerprint.get("pip") or {})}
    return {normalised(name): str(version) for name, version in both.items()}


def python_of(fingerprint: Mapping[str, Any]) -> str:
    return str(fingerprint.get("python") or packages(fingerprint).get("python", ""))


def cuda_of(fingerprint: Mapping[str, Any]) -> str:
    """The CUDA that the environment brings, by the packages that tell it."""
    found = packages(fingerprint)
    if local := re.search(r"\+cu(\d+)", found.get("torch", "")):
        return f"{local[1][:-1]}.{local[1][-1]}"
    return next((version for name, version in sorted(found.items()) if _CUDA.fullmatch(name)), "")


# what conda calls otherwise; the rest has one name in both worlds
_SAME = {"pytorch": "torch", "pytorch-gpu": "torch", "opencv": "opencv-python", "py-opencv": "opencv-python"}


def versions(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Packages in both with other versions, then those of one alone; Python is one of them."""
    one, two = ({_SAME.get(n, n): v for n, v in packages(side).items()} for side in (a, b))
    for packs, side in ((one, a), (two, b)):
        if version := python_of(side):
            packs["python"] = version
    rows = [(n, one.get(n, ""), two.get(n, "")) for n in sorted(one.keys() | two.keys()) if one.get(n) != two.get(n)]
    return sorted(rows, key=lambda row: (not (row[1] and row[2]), row[0]))


def machine(site: Site) -> dict[str, str]:
    """This machine: system, GPU and its driver where there is one."""
    import platform

    from runner.process.gpu import ask

    out = {"host": platform.node(), "system": platform.platform()}
    told = ask(site.host)
    if told and told.gpus:
        out |= {"gpu": told.gpus[0].name, "driver": told.gpus[0].driver}
    return out
