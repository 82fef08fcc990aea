"""Run records: what each run did, in `.run-pipeline/NAME.yaml/NUMBER-DATE/` beside the pipeline file.

    run.json              state, times, host, how long each segment took last
    plan.json             what was to run, and why
    pipeline.yaml         the pipeline file as it was run
    kept.json             what it was made from: locks, scripts, inputs (see kept.py)
    events.jsonl          what happened, a line each, as it happened
    01-convert/log.txt    what the segment printed, byte for byte
    01-convert/receipt.json

A run on a cluster, or on several computers of a share, has more, written before anything is submitted:

    cluster.json          for whom it was frozen: executor, repository, Python, what was asked for
    handles.jsonl         what was submitted
    probe/                the job that looks from a node whether all is there
    01-convert/job.json, items.jsonl, job.sh   what each worker needs
    01-convert/jobs/      what scheduler and workers say of themselves

A receipt is written (write, then rename) before the status file: killed at any moment, a run loses no
finished segment. Runs are numbered, so that a clock set back changes no order.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.errors import StateError
from runner.ground.files import Syncer, state_errors, write_atomic
from runner.ground.plain import is_link
from runner.ground.told import read_json, text, whole, write_json
from runner.records.kept import prune_kept
from runner.records.reading import MARKER, Child, read_child
from runner.records.receipt import NAME as RECEIPT
from runner.records.receipt import SCHEMA, Receipt, read_receipt

FOLDER = ".run-pipeline"
FAILED = "failed"  # in a segment's folder: the logs of items that failed
PLAN = "plan.json"
CLUSTER = "cluster.json"
HANDLES = "handles.jsonl"
CANCEL = "cancel.json"  # asks whoever follows the run to end its jobs
PROBE = "probe"
JOB = "job.json"
ITEMS = "items.jsonl"
SCRIPT = "job.sh"
ELSEWHERE = "elsewhere.json"  # beside the pipeline file: which run was submitted with its records in another folder
JOBS = "jobs"  # in a segment's folder: what scheduler and workers say of themselves
RUNNING = "running"
BROKEN_OFF = "broken off"  # ended by an error of the runner's own, such as a full disk
SUBMITTED = "submitted"  # its workers outlive the driver: nobody may take it for killed
UNFINISHED = (RUNNING, BROKEN_OFF)  # its receipts may say more than the status file
KEEP_RUNS = 50
KEEP_DAYS = 180
_CLOCKS_DIFFER = 600.0  # seconds between the clocks of two computers that run the same pipeline
_RUN_NAME = re.compile(r"(\d{6,12})-\d{4}-\d\d-\d\d-\d{6}", re.ASCII)
_SEGMENT_NAME = re.compile(r"(\d{2,9})(-[\w-]*)?", re.ASCII)
_OWN_FILE = re.compile(
    r"(run\.json|kept\.json|plan\.json|child\.json|events\.jsonl|pipeline\.yaml|prepare-\d+\.(txt|json)|log(\.\d+)?\.txt|receipt\.json"
    r"|(receipts-[0-9a-f]+-\d+\.jsonl|log-\d+\.txt|items-\d+\.txt|\d{5,9}\.log)"
    r"|cluster\.json|cancel\.json|handles\.jsonl|probe\.json|job\.json|items\.jsonl|job(-\d+)*\.sh)"
    r"(\.[0-9a-f]+\.tmp)?",
    re.ASCII,
)

_OF_JOBS = re.compile(  # in JOBS and PROBE, where schedulers name files by a job's id and name
    r"\d+(\.\d+)?\.json|probe\.(json|txt)|job(-\d+)*\.sh|[\w.\[\]-]+\.(out|err|OU|ER|[oe]\d+(\.\d+|\[\d+\])?)"
    r"|[\w.-]+\.[0-9a-f]+\.tmp",
    re.ASCII,
)


def records_root(pipeline: Path, records: Path | None) -> Path:
    """Where the runs of this pipeline lie: beside it, or in a folder of its own below `records`."""
    if records is None:
        return pipeline.parent / FOLDER / pipeline.name
    digest = hashlib.sha256(str(pipeline).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return records / f"{pipeline.name}-{digest}"


@dataclass
class Record:
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

    @property
    def mark(self) -> tuple[str, int] | None:
        """What all processes of the run carry; None unless it is sound: nothing is ended on a guess."""
        marker, tag = text(self.data.get("marker")), whole(self.data.get("tag"))
        return (marker, tag) if marker and MARKER.fullmatch(marker) and tag is not None else None

    def child(self) -> Child | None:
        """The process that a runner before 0.2 noted."""
        return read_child(self.folder / "child.json")

    def segment_folder(self, number: int, name: str) -> Path:
        slug = re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-").lower()[:40]
        return self.folder / f"{number:02d}-{slug}".rstrip("-")

    def receipts(self) -> Iterator[Receipt]:
        """The receipts of this run, in the segments' order; one that cannot be read is passed over."""
        for _, folder in sorted(_numbered(self.folder, _SEGMENT_NAME)):
            receipt = read_receipt(folder / RECEIPT)
            if receipt is not None:
                yield receipt


def done_file(root: Path, content_hash: str) -> Path:
    """What is known of the items of the segment with that hash, over all runs."""
    return root / "done" / f"{content_hash[:16]}.jsonl"


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


def latest_run(root: Path) -> Record | None:
    """The newest run that has a readable run.json; one that went to a cluster counts also without: its jobs may run."""
    for folder in reversed(run_folders(root)):
        data = read_json(folder / "run.json")
        if data is None and (folder / CLUSTER).exists():
            data = {"schema": SCHEMA, "state": SUBMITTED}
        if data is not None:
            return Record(folder, data)
    return None


def note_elsewhere(pipeline: Path, record: Record) -> None:
    """A run that is submitted with --records is found again, and refused a second time, without. Raises StateError."""
    own = records_root(pipeline, None)
    if record.folder.parent != own:
        with state_errors("write", own):
            make_root(own)
        write_json(own / ELSEWHERE, {"schema": SCHEMA, "record": str(record.folder)})


def submitted_elsewhere(pipeline: Path) -> Record | None:
    """The run of `pipeline` that was submitted with its records in another folder, and has not ended."""
    told = text((read_json(records_root(pipeline, None) / ELSEWHERE) or {}).get("record"))
    found = latest_run(Path(told).parent) if told else None
    return found if found is not None and found.state == SUBMITTED else None


def new_run(root: Path, data: Mapping[str, Any], syncer: Syncer | None = None) -> Record:
    """Make the next run's folder. Raises StateError where it cannot be written."""
    with state_errors("write", root):
        make_root(root)
        folders = run_folders(root)
        number = int(folders[-1].name.split("-")[0]) + 1 if folders else 1
        folder = root / f"{number:06d}-{datetime.now():%Y-%m-%d-%H%M%S}"
        folder.mkdir()
    run = Record(folder, {"schema": SCHEMA, **data})
    run.save(syncer)
    return run


def make_root(root: Path) -> None:
    """The folder of a pipeline's runs. Raises OSError."""
    root.mkdir(parents=True, exist_ok=True)
    if root.parent.name == FOLDER:
        hide(root.parent)


def hide(folder: Path) -> None:
    """Keep the folder out of git, whatever repository the pipeline file lies in."""
    marker = folder / ".gitignore"
    if not marker.exists():
        with contextlib.suppress(StateError):
            write_atomic(marker, b"*\n", durable=False)


def prune(root: Path, *, runs: int = KEEP_RUNS, days: int = KEEP_DAYS) -> list[Path]:
    """Remove runs beyond the newest `runs` or older than `days` days; never the last success nor the newest.

    Returns what was removed. What cannot be removed is left for the next time, and a folder with anything in it that
    no run put there is left for good. One that is submitted stays: workers may yet write to it.
    """
    folders = run_folders(root)
    if len(folders) <= 1:
        return []
    keep = set(folders[-max(runs, 1) :]) - _older(folders, days * 86400.0)
    doomed = [folder for folder in folders[:-1] if folder not in keep]
    if not doomed:
        return []
    last_success = next((f for f in reversed(folders) if _succeeded(f)), None)
    removed = [folder for folder in doomed if folder != last_success and _remove(folder)]
    if removed:
        prune_kept(root, run_folders(root))
    return removed


def _remove(folder: Path) -> bool:
    """Each file by its name and no other; run.json, which tells whose folder it is, last."""
    told = folder / "run.json"
    data = read_json(told) or {}
    if whole(data.get("schema")) is None or data.get("state") == SUBMITTED:
        return False
    try:
        segments = [path for _, path in _numbered(folder, _SEGMENT_NAME)]
        failed = [path / FAILED for path in segments if _is_folder(path / FAILED)]
        told_there = [path for path in (folder / PROBE, *(one / JOBS for one in segments)) if _is_folder(path)]
        inside = [folder, *segments, *failed, *told_there]
        files = [path for one in inside for path in one.iterdir() if path not in inside]
        if not all(_is_own(path, told_there) for path in files):
            return False
        for path in sorted(files, key=lambda path: path == told):
            path.unlink()
        for one in reversed(inside):
            one.rmdir()
    except OSError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not is_link(path)


def _is_own(path: Path, told_there: list[Path]) -> bool:
    names = _OF_JOBS if path.parent in told_there else _OWN_FILE
    return bool(names.fullmatch(path.name)) and path.is_file() and not is_link(path)


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
