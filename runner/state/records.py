"""Run records: what each run did, in `.run-pipeline/NAME.yaml/NUMBER-DATE/` beside the pipeline file.

    run.json              plan, state, times, host, how long each segment took last
    pipeline.yaml         the pipeline file as it was run
    01-convert/log.txt    what the segment printed, byte for byte
    01-convert/receipt.json

A receipt is written (write, then rename) before the status file: killed at any moment, a run loses no
finished segment. Runs are numbered, so that a clock set back changes no order.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runner.errors import StateError
from runner.state.files import Syncer, state_error, write_atomic

SCHEMA = 1
FOLDER = ".run-pipeline"
RUNNING = "running"
BROKEN_OFF = "broken off"  # ended by an error of the runner's own, such as a full disk
UNFINISHED = (RUNNING, BROKEN_OFF)  # its receipts may say more than the status file
SUCCEEDED = "succeeded"
CHILD_LENGTH = 300  # bytes of child.json, whatever it holds
KEEP_RUNS = 50
KEEP_DAYS = 180
_RUN_NAME = re.compile(r"(\d{6,})-.*")


def now_text() -> str:
    """Local time with its offset, to the millisecond."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


def records_root(pipeline: Path, records: Path | None) -> Path:
    """Where the runs of this pipeline lie: beside it, or in a folder of its own below `records`."""
    if records is None:
        return pipeline.parent / FOLDER / pipeline.name
    digest = hashlib.sha256(str(pipeline).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return records / f"{pipeline.name}-{digest}"


@dataclass
class Run:
    """One run's folder; `data` is run.json."""

    folder: Path
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return str(self.data.get("state", ""))

    def save(self, syncer: Syncer | None = None) -> None:
        write_json(self.folder / "run.json", self.data, syncer)

    def note_child(self, child: Mapping[str, Any]) -> None:
        """The process that runs now, in a file of its own, which is overwritten in place: replacing a file makes
        some file systems write to the disk at once, just when the process starts. A torn one is passed over."""
        text = json.dumps(child).ljust(CHILD_LENGTH).encode("utf-8", "backslashreplace")
        path = self.folder / "child.json"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            try:
                os.write(descriptor, text)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise state_error("write", path, error) from error

    def child(self) -> dict[str, Any] | None:
        return read_json(self.folder / "child.json")

    def segment_folder(self, number: int, name: str) -> Path:
        slug = re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-").lower()[:40]
        return self.folder / f"{number:02d}-{slug}".rstrip("-")

    def receipts(self) -> Iterator[dict[str, Any]]:
        """The receipts of this run, in the segments' order; one that cannot be read is passed over."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.glob("*/receipt.json"), key=lambda p: int(p.parent.name.split("-")[0] or 0)):
            data = read_json(path)
            if data is not None:
                yield data


def write_json(path: Path, data: Mapping[str, Any], syncer: Syncer | None = None) -> None:
    """`data` with a line for each of its keys: readable, and without the cost of indenting all of it."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items())
    write_atomic(path, f"{{\n{lines}\n}}\n".encode("utf-8", "backslashreplace"), syncer=syncer)


def read_json(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def run_folders(root: Path) -> list[Path]:
    """Folders of runs, oldest first."""
    try:
        found = [(int(m[1]), p) for p in root.iterdir() if (m := _RUN_NAME.fullmatch(p.name))]
    except OSError:
        return []
    return [path for _, path in sorted(found)]


def latest_run(root: Path) -> Run | None:
    """The newest run that has a readable run.json."""
    for folder in reversed(run_folders(root)):
        data = read_json(folder / "run.json")
        if data is not None:
            return Run(folder, data)
    return None


def new_run(root: Path, data: Mapping[str, Any], syncer: Syncer | None = None) -> Run:
    """Make the next run's folder. Raises StateError where it cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        if root.parent.name == FOLDER:
            hide(root.parent)
        folders = run_folders(root)
        number = int(folders[-1].name.split("-")[0]) + 1 if folders else 1
        folder = root / f"{number:06d}-{datetime.now():%Y-%m-%d-%H%M%S}"
        folder.mkdir()
    except OSError as error:
        raise state_error("write", root, error) from error
    run = Run(folder, {"schema": SCHEMA, **data})
    run.save(syncer)
    return run


def hide(folder: Path) -> None:
    """Keep the folder out of git, whatever repository the pipeline file lies in."""
    marker = folder / ".gitignore"
    if not marker.exists():
        with contextlib.suppress(StateError):
            write_atomic(marker, b"*\n", durable=False)


def prune(root: Path, *, runs: int = KEEP_RUNS, days: int = KEEP_DAYS) -> list[Path]:
    """Remove runs beyond the newest `runs` or older than `days` days; never the last success nor the newest.

    Returns what was removed. A folder that cannot be removed is left for the next time.
    """
    folders = run_folders(root)
    if len(folders) <= 1:
        return []
    limit = datetime.now(UTC) - timedelta(days=days)
    keep = set(folders[-max(runs, 1) :])
    doomed = [folder for folder in folders[:-1] if folder not in keep or _older(folder, limit)]
    if not doomed:
        return []
    last_success = next((f for f in reversed(folders) if _succeeded(f)), None)
    removed = []
    for folder in doomed:
        if folder == last_success:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            removed.append(folder)
    return removed


def _succeeded(folder: Path) -> bool:
    data = read_json(folder / "run.json") or {}
    return data.get("exit_code") == 0 and not data.get("accept")


def _older(folder: Path, limit: datetime) -> bool:
    try:
        return datetime.fromtimestamp((folder / "run.json").stat().st_mtime, UTC) < limit
    except OSError:
        return False
