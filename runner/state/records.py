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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.errors import StateError
from runner.ground.files import Syncer, state_error, write_atomic
from runner.ground.plain import NO_LINK, is_link
from runner.state.reading import Child, Receipt, read_child, read_receipt, text, whole
from runner.state.reading import read_json as read_json

SCHEMA = 1
FOLDER = ".run-pipeline"
RUNNING = "running"
BROKEN_OFF = "broken off"  # ended by an error of the runner's own, such as a full disk
UNFINISHED = (RUNNING, BROKEN_OFF)  # its receipts may say more than the status file
SUCCEEDED = "succeeded"
CHILD_LENGTH = 2000  # bytes of child.json, whatever it holds
KEEP_RUNS = 50
KEEP_DAYS = 180
_CLOCKS_DIFFER = 600.0  # seconds between the clocks of two computers that run the same pipeline
_RUN_NAME = re.compile(r"(\d{6,12})-\d{4}-\d\d-\d\d-\d{6}", re.ASCII)
_SEGMENT_NAME = re.compile(r"(\d{2,9})(-[\w-]*)?", re.ASCII)
_OWN_FILE = re.compile(
    r"(run\.json|plan\.json|child\.json|pipeline\.yaml|prepare-\d+\.(txt|json)|log(\.\d+)?\.txt|receipt\.json)"
    r"(\.[0-9a-f]+\.tmp)?",
    re.ASCII,
)


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
        return text(self.data.get("state")) or ""

    @property
    def started(self) -> str:
        return text(self.data.get("started")) or ""

    def save(self, syncer: Syncer | None = None) -> None:
        write_json(self.folder / "run.json", self.data, syncer)

    def note_child(self, child: Mapping[str, Any]) -> None:
        """The process that runs now, in a file of its own, which is overwritten in place: replacing a file makes
        some file systems write to the disk at once, just when the process starts. A torn one is passed over."""
        told = json.dumps(child).ljust(CHILD_LENGTH).encode("utf-8", "backslashreplace")
        path = self.folder / "child.json"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | NO_LINK, 0o644)
            try:
                os.write(descriptor, told)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise state_error("write", path, error) from error

    def child(self) -> Child | None:
        return read_child(self.folder / "child.json")

    def segment_folder(self, number: int, name: str) -> Path:
        slug = re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-").lower()[:40]
        return self.folder / f"{number:02d}-{slug}".rstrip("-")

    def receipts(self) -> Iterator[Receipt]:
        """The receipts of this run, in the segments' order; one that cannot be read is passed over."""
        for _, folder in sorted(_numbered(self.folder, _SEGMENT_NAME)):
            receipt = read_receipt(folder / "receipt.json")
            if receipt is not None:
                yield receipt


def write_json(path: Path, data: Mapping[str, Any], syncer: Syncer | None = None) -> None:
    """`data` with a line for each of its keys: readable, and without the cost of indenting all of it."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items())
    write_atomic(path, f"{{\n{lines}\n}}\n".encode("utf-8", "backslashreplace"), syncer=syncer)


def run_folders(root: Path) -> list[Path]:
    """Folders of runs, oldest first."""
    return [path for _, path in sorted(_numbered(root, _RUN_NAME))]


def _numbered(root: Path, names: re.Pattern[str]) -> list[tuple[int, Path]]:
    """The folders right below `root` that are named as we name them; no links."""
    try:
        found = [(int(m[1]), p) for p in root.iterdir() if (m := names.fullmatch(p.name))]
    except OSError:
        return []
    return [(number, path) for number, path in found if path.is_dir() and not is_link(path)]


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

    Returns what was removed. What cannot be removed is left for the next time, and a folder with anything in it that
    no run put there is left for good.
    """
    folders = run_folders(root)
    if len(folders) <= 1:
        return []
    keep = set(folders[-max(runs, 1) :]) - _older(folders, days * 86400.0)
    doomed = [folder for folder in folders[:-1] if folder not in keep]
    if not doomed:
        return []
    last_success = next((f for f in reversed(folders) if _succeeded(f)), None)
    return [folder for folder in doomed if folder != last_success and _remove(folder)]


def _remove(folder: Path) -> bool:
    """Each file by its name and no other; run.json, which tells whose folder it is, last."""
    told = folder / "run.json"
    if whole((read_json(told) or {}).get("schema")) is None:
        return False
    try:
        inside = [folder, *(path for _, path in _numbered(folder, _SEGMENT_NAME))]
        files = [path for one in inside for path in one.iterdir() if path not in inside]
        if not all(_OWN_FILE.fullmatch(path.name) and path.is_file() and not is_link(path) for path in files):
            return False
        for path in sorted(files, key=lambda path: path == told):
            path.unlink()
        for one in reversed(inside):
            one.rmdir()
    except OSError:
        return False
    return True


def _succeeded(folder: Path) -> bool:
    data = read_json(folder / "run.json") or {}
    return data.get("exit_code") == 0 and not data.get("accept")


def _older(folders: list[Path], limit: float) -> set[Path]:
    """Those that are older than `limit` seconds, as seen from the newest one.

    No clock is believed alone: one that was once a year ahead must not age what is minutes old. So the time between
    two runs counts with half the limit at most, and where times run back nothing before that counts as old.
    """
    found: set[Path] = set()
    age, later = 0.0, _written(folders[-1])
    for folder in reversed(folders[:-1]):
        written = _written(folder)
        if later is None or written is None or written > later + _CLOCKS_DIFFER:
            break
        age, later = age + min(max(later - written, 0.0), limit / 2), written
        if age >= limit:
            found.add(folder)
    return found


def _written(folder: Path) -> float | None:
    try:
        return (folder / "run.json").stat().st_mtime
    except OSError:
        return None
