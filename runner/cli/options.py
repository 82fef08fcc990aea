"""Reading a pipeline and choosing its segments: shared by run, check and status."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.environments import Site
    from runner.jobs import Jobs
    from runner.model import Pipeline, Segment
    from runner.plan import Plan, Selection
    from runner.state.records import Run
    from runner.state.status import Status

_RUNS_READ = 20  # the newest, for what a segment was before


@dataclass(frozen=True)
class Loaded:
    """A pipeline with what is known of its earlier runs."""

    pipeline: Pipeline
    path: Path
    status_file: Path
    status: Status  # with what a killed run's receipts add
    recovered: int  # how many entries they added
    last: Run | None
    root: Path  # of its run records


def load(path: Path, records: str | None, pipeline: Pipeline) -> Loaded:
    """The status file and the last run's record of `pipeline`. Raises StateError."""
    from dataclasses import replace

    from runner.state.records import latest_run, records_root
    from runner.state.recovery import unrecorded
    from runner.state.status import status_of, status_path

    root = records_root(path, Path(records).expanduser().absolute() if records else None)
    status = status_of(path)
    last = latest_run(root)
    found = unrecorded(last, status.entries)
    if found:
        status = replace(status, entries=(*status.entries, *found))
    return Loaded(pipeline, path, status_path(path), status, len(found), last, root)


def plan_for(loaded: Loaded, selection: Selection, site: Site) -> tuple[Plan, Jobs]:
    """The plan, and a job for every normal segment."""
    from runner.jobs import Jobs
    from runner.plan import make_plan
    from runner.state.outputs import missing_output

    segments = loaded.pipeline.segments
    jobs = Jobs(loaded.pipeline, site)
    done = {entry.content_hash for entry in loaded.status.entries if entry.done}
    gone = {}
    for segment in segments:
        if segment.outputs and not segment.is_control and segment.content_hash in done:
            job = jobs[segment.number]
            if missing := missing_output(job.outputs, job.cwd):
                gone[segment.number] = job.masked(missing, site)
    return make_plan(segments, loaded.status.entries, selection, gone, partial(_earlier, loaded)), jobs


def _earlier(loaded: Loaded, content_hash: str) -> Segment | None:
    """The segment that had this hash in one of the last runs."""
    from runner.errors import PipelineError
    from runner.pipeline.reader import read_pipeline
    from runner.state.records import run_folders

    for folder in run_folders(loaded.root)[: -_RUNS_READ - 1 : -1]:
        try:
            segments = read_pipeline(folder / "pipeline.yaml", hashes_only=True).segments
        except PipelineError:
            continue
        if found := next((one for one in segments if one.content_hash == content_hash), None):
            return found
    return None


def select(pipeline: Pipeline, start: str | None, only: str | None, *, force: bool, accept: bool) -> Selection:
    """--from and --only by number or name. Raises UsageError."""
    from runner.errors import UsageError
    from runner.plan import Selection

    if start is not None and only is not None:
        raise UsageError("--from and --only exclude each other", "Give one of them.")
    return Selection(
        force=force,
        start=_number(pipeline, start, "--from") if start is not None else None,
        only=_number(pipeline, only, "--only") if only is not None else None,
        accept=accept,
    )


def _number(pipeline: Pipeline, text: str, option: str) -> int:
    from difflib import get_close_matches

    from runner.errors import UsageError
    from runner.model import Segment
    from runner.plan import find_segment

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
