"""One recorded run: its pipeline as it was, and of each segment the receipt and what it was made from.

A run leaves out what was done before it; of such a segment the run before that made it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from runner.compare.isolation import reached
from runner.compare.sides import Found, receipts_by_hash
from runner.errors import UsageError
from runner.frozen import frozen
from runner.ground.plain import read_plain
from runner.ground.told import read_json
from runner.inputs.ledger import Ledger
from runner.model import Pipeline, Segment
from runner.pipeline.reader import parse_pipeline
from runner.records.kept import Kept, OfSegment, held, of_segment, read_kept
from runner.records.layout import FOLDER, RUNNING, SUBMITTED, Record, run_folders

LAST = "last"
TEXT = "pipeline.yaml"


@frozen
class Recorded:
    """A run as its record has it."""

    record: Record
    path: Path  # of the pipeline file, which may be gone
    pipeline: Pipeline  # as it was; the segments that had a result by then
    found: Mapping[str, Found]  # by content hash
    without: tuple[Segment, ...]  # segments that had none

    @property
    def name(self) -> str:
        return f"run {int(self.record.folder.name.split('-')[0])} of {self.path.name}"

    @property
    def kept(self) -> Kept:
        return read_kept(self.record.folder) or Kept()

    def of(self, segment: Segment) -> OfSegment | None:
        """What it was made from; None where its record does not tell."""
        found = self.found[segment.content_hash]
        kept = read_kept(found.folder)
        return of_segment(found.folder.parent, kept.segments.get(found.receipt.segment or 0, "")) if kept else None

    def read(self, segment: Segment) -> bytes | None:
        """What it read, as a line of the inputs' ledger; None where its record does not tell."""
        found = self.found[segment.content_hash]
        kept = read_kept(found.folder)
        return _lines(found.folder.parent, kept.inputs).raw(segment.content_hash) or None if kept else None

    def held(self, names: Mapping[str, str]) -> dict[str, bytes]:
        """What those files held; empty where one of them is lost."""
        data = {name: held(self.record.folder.parent, digest) for name, digest in names.items()}
        return {name: one for name, one in data.items() if one is not None} if None not in data.values() else {}


@cache
def _lines(root: Path, digest: str) -> Ledger:
    return Ledger.of((held(root, digest) or b"").split(b"\n"), "", {})


def find_run(given: Path, which: str, root: Path) -> Path:
    """The folder of the run: `given` itself, or the one of that number below `root`. Raises UsageError."""
    if given.is_dir():
        if which != LAST or not (given / "run.json").is_file():
            raise UsageError(f"{given} is no record of a run", "Give the folder that holds its run.json.")
        return given
    folders = [folder for folder in run_folders(root) if (folder / "run.json").is_file()]
    if not folders:
        text = f"there is no record of a run of {given.name} in {root}"
        raise UsageError(text, "Name the pipeline file that was run.")
    if which == LAST:
        return folders[-1]
    number = which.split("-")[0]
    for folder in folders:
        if number.isdecimal() and int(folder.name.split("-")[0]) == int(number):
            return folder
    numbers = ", ".join(str(int(folder.name.split("-")[0])) for folder in folders[-8:])
    raise UsageError(f"there is no run {which} of {given.name}", f"The latest are {numbers}; or write `last`.")


def read_run(folder: Path) -> Recorded:
    """Raises UsageError, PipelineError."""
    data = read_json(folder / "run.json")
    if data is None:
        raise UsageError(f"{folder / 'run.json'} cannot be read", "Take the record of another run.")
    record, root = Record(folder, data), folder.parent
    if record.state in (RUNNING, SUBMITTED):
        raise UsageError(f"the run in {folder.name} has not ended", "Wait for it, or take an earlier one.")
    beside = root.parent.name == FOLDER
    path = root.parent.parent / root.name if beside else Path(str(data.get("pipeline")))
    try:
        text = read_plain(folder / TEXT)
    except OSError as error:
        raise UsageError(
            f"{folder / TEXT} cannot be read: {error.strerror or error}", "Take the record of another run."
        ) from error
    pipeline = replace(parse_pipeline(text, folder / TEXT), home=path.parent)
    found = receipts_by_hash(root, folder)
    segments = reached(pipeline)
    done = tuple(segment for segment in segments if segment.content_hash in found)
    if not done:
        raise UsageError(
            f"the run in {folder.name} has no result: {record.data.get('state') or 'it did not come to its end'}",
            "Take the record of a run in which a segment came to its end.",
        )
    without = tuple(segment for segment in segments if segment.content_hash not in found)
    return Recorded(record, path, replace(pipeline, segments=done), found, without)
