"""`run-pipeline logs FILE`: what the segments of the last run print, as it comes where they still run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.common import print_json, screen
from runner.cli.completing import complete_segments
from runner.cli.on import OnCluster
from runner.cli.submitted import on_a_submitted_run
from runner.ground.told import text as text_of

if TYPE_CHECKING:
    from runner.model import Segment
    from runner.records.layout import Record
    from runner.report.console import Console

_MOST = 12  # files that are shown of a segment, the newest
_EACH = 0.5  # seconds between two looks
_SELDOM = 10  # looks between two at all receipts


@click.command(name="logs", cls=OnCluster)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until the run has ended.")
@click.option("--item", metavar="KEY", help="Of a segment over many items, what this one printed.")
@click.option("--lines", type=click.IntRange(0), default=20, metavar="N", help="The last N of each file; 0: all.")
@on_a_submitted_run
@click.argument("segment", required=False, shell_complete=complete_segments)
def command(
    file: str,
    segment: str | None,
    follow: bool,
    item: str | None,
    lines: int,
    records: str | None,
    as_json: bool,
    repo: str | None,
) -> int:
    """Show what the segments of FILE.yaml print: those of the last run, or SEGMENT alone (its number or name).

    Of segments on a cluster, also what the scheduler and the workers say.
    """
    from runner.cli.common import pipeline_path
    from runner.cli.options import numbered, records_of
    from runner.errors import UsageError
    from runner.pipeline.reader import read_pipeline
    from runner.records.layout import latest_run

    path = pipeline_path(file)
    record = latest_run(records_of(path, records))
    if record is None:
        raise UsageError(f"{path.name} was never run", "There is no record of a run.")
    pipeline = read_pipeline(record.folder / "pipeline.yaml", hashes_only=True)
    segments = [one for one in pipeline.segments if not one.is_control]
    if segment is not None:
        number = numbered(pipeline, segment, "logs")
        segments = [one for one in segments if one.number == number]
    console = screen()
    if item is not None:
        _item(record, segments, item, console, as_json=as_json)
        return 0
    _files(record, segments, lines, console, as_json=as_json, follow=follow)
    return 0


def _item(record: Record, segments: list[Segment], key: str, console: Console, *, as_json: bool) -> None:
    """Raises UsageError where no segment has a receipt of it."""
    from runner.errors import UsageError
    from runner.ground.text import decoded
    from runner.records.lines import read_lines

    found = False
    for segment in segments:
        folder = record.segment_folder(segment.number, segment.name)
        for path in sorted(folder.glob("receipts-*.jsonl")):
            for receipt in read_lines(path):
                if receipt.key != key:
                    continue
                found = True
                text = ""
                if receipt.log is not None:
                    name, start, length = receipt.log
                    try:
                        with (folder / name).open("rb") as file:
                            file.seek(start)
                            text = decoded(file.read(length))
                    except OSError:
                        text = ""
                if as_json:
                    told = {"state": receipt.state.value, "note": receipt.note, "text": text}
                    print_json("log", segment=segment.number, item=key, **told)
                    continue
                head = f"── {segment.number}. {segment.name}: {key}, {receipt.state.value}"
                console.line(console.style(head, "cyan"))
                for line in (*receipt.note.splitlines(), *text.splitlines()):
                    console.line(line)
    if not found:
        raise UsageError(
            f"no receipt of {key} is there",
            "It has not ended, or has another name: `run-pipeline status FILE --items`.",
        )


def _files(
    record: Record, segments: list[Segment], lines: int, console: Console, *, as_json: bool, follow: bool
) -> None:
    read: dict[Path, int] = {}
    last: Path | None = None
    first, looks = True, 0
    while True:
        going = _goes_on(record)  # asked before: what is written until the end is shown
        for segment in segments:
            folder = record.segment_folder(segment.number, segment.name)
            for path in _logs(folder)[-_MOST:] if first else _logs(folder):
                text = _new(path, read, lines if first else 0)
                if not text:
                    continue
                if as_json:
                    print_json("log", segment=segment.number, file=str(path), text=text)
                    continue
                if path != last:
                    console.line(console.style(f"── {segment.number}. {segment.name}: {path}", "cyan"))
                    last = path
                for line in text.splitlines():
                    console.line(line)
        if first and last is None and not as_json:
            names = ", ".join(record.segment_folder(one.number, one.name).name for one in segments[:3])
            console.line(f"Nothing was printed yet (looked in {record.folder}: {names}).")
        if follow and going and looks % _SELDOM == 0 and _nobody_goes_on(record, segments):
            file = text_of(record.data.get("pipeline")) or "FILE"
            console.line(f'All that was submitted has ended, and nobody goes on: run-pipeline resume "{file}" does.')
            return
        first, looks = False, looks + 1
        if not follow or not going:
            return
        time.sleep(_EACH)


def _logs(folder: Path) -> list[Path]:
    """What is printed there, the oldest first."""
    found: list[tuple[int, Path]] = []
    for path in _candidates(folder):
        try:
            info = path.stat()
        except OSError:
            continue
        if info.st_size:
            found.append((info.st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def _candidates(folder: Path) -> Iterator[Path]:
    from runner.records.layout import JOBS

    yield from folder.glob("log*.txt")
    yield from (path for path in (folder / JOBS).glob("*") if path.suffix not in (".json", ".sh", ".tmp"))


def _new(path: Path, read: dict[Path, int], lines: int) -> str:
    """What came since the last look; of a file that is new, its last `lines`."""
    from runner.ground.text import decoded

    try:
        with path.open("rb") as file:
            file.seek(read.get(path, 0))
            data = file.read()
    except OSError:
        return ""
    read[path] = read.get(path, 0) + len(data)
    text = decoded(data)
    return "\n".join(text.splitlines()[-lines:]) if lines else text


def _nobody_goes_on(record: Record, segments: list[Segment]) -> bool:
    """Whether all jobs of a run on a cluster have ended while no process follows it."""
    from runner.cluster.told import look
    from runner.errors import StateError
    from runner.records.layout import SUBMITTED
    from runner.state.locks import LockFile
    from runner.state.status import status_path

    path = text_of(record.data.get("pipeline"))
    if record.state != SUBMITTED or not path:
        return False
    try:
        held = LockFile.of_run(status_path(Path(path)), "").held()
        return held is None and not any(told.is_open for told in look(record, segments, None))
    except (StateError, OSError):
        return False


def _goes_on(record: Record) -> bool:
    from runner.ground.told import read_json
    from runner.records.layout import RUNNING, SUBMITTED

    data = read_json(record.folder / "run.json") or {}
    return data.get("state") in (RUNNING, SUBMITTED)
