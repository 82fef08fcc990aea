"""What the command line asks for, as a request for a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from runner.environments import Site
from runner.errors import UsageError
from runner.model import Pipeline, Segment
from runner.pipeline.reader import read_pipeline
from runner.plan import Selection, find_segment
from runner.process.stop import StopRequest
from runner.records.journal import Journal, Reporter
from runner.records.layout import records_root, submitted_elsewhere
from runner.runs.look import Look, look_at
from runner.runs.request import RunRequest


class Silent:
    """For what is only looked at."""

    def on(self, event: object) -> None:
        pass

    def output(self, chunk: bytes, segment: int | None = None) -> None:
        pass

    def tick(self, seconds: float, segment: int | None = None) -> None:
        pass


def open_reporter(*, as_json: bool, verbose: bool) -> Reporter:
    """What shows a run."""
    from runner.cli.common import screen

    console = screen(as_json=as_json)
    if as_json:
        from runner.report.events import EventReporter

        return EventReporter(sys.stdout, console)
    from runner.report.lines import LineReporter

    return LineReporter(console, windows=sys.platform == "win32", verbose=verbose, clock=_awake)


def _awake() -> float:
    """Asked for what runs only: all that starts programs comes along with it."""
    from runner.process.suspend import awake

    return awake()


def request_for(
    pipeline: Pipeline,
    site: Site,
    *,
    reporter: Reporter | None = None,
    stop: StopRequest | None = None,
    selection: Selection | None = None,
    records: str | None = None,
    **asked: Any,
) -> RunRequest:
    """`records`: as --records gives it; `asked`: what else RunRequest has."""
    journal, root = Journal(reporter or Silent()), records_of(Path(pipeline.path), records)
    return RunRequest(pipeline, site, journal, stop or StopRequest(), selection or Selection(), root, **asked)


def records_of(pipeline: Path, records: str | None) -> Path:
    """Where its run records are, by --records; without, where its run is that was submitted and has not ended."""
    if not records and (found := submitted_elsewhere(pipeline)) is not None:
        return found.folder.parent
    return records_root(pipeline, Path(records).expanduser().absolute() if records else None)


def load(path: Path, site: Site, records: str | None) -> Look:
    """What a run of the file would do; nothing is written."""
    return look_at(request_for(read_pipeline(path), site, records=records))


def select(pipeline: Pipeline, start: str | None, only: str | None, **flags: Any) -> Selection:
    """--from and --only by number or name; `flags` as Selection has them. Raises UsageError."""
    if start is not None and only is not None:
        raise UsageError("--from and --only exclude each other", "Give one of them.")
    first = None if start is None else numbered(pipeline, start, "--from")
    alone = None if only is None else numbered(pipeline, only, "--only")
    return Selection(start=first, only=alone, **flags)


def numbered(pipeline: Pipeline, text: str, option: str) -> int:
    from difflib import get_close_matches

    found = find_segment(pipeline.segments, text)
    if isinstance(found, Segment):
        if option == "--only" and found.is_control:
            raise UsageError(f"{option}: segment {found.number} is a {found.type.value} segment", "Name one that runs.")
        return found.number
    if found:
        numbers = ", ".join(str(s.number) for s in found)
        raise UsageError(f"{option}: several segments are named {text!r}: {numbers}", "Give the number instead.")
    names = [s.name for s in pipeline.segments if s.name]
    near = get_close_matches(text, names, 1, 0.5)
    listing = "; ".join(f"{s.number}. {s.name}" for s in pipeline.segments[:20])
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"{option}: there is no segment {text!r}", f"{hint}The segments are: {listing}")
