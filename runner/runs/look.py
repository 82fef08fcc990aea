"""A pipeline with what is known of its earlier runs, and what a run would do. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from runner.checks import errors, find_problems
from runner.errors import ExitCode, PipelineError
from runner.model import Action, Diagnostic, Pipeline, Segment
from runner.pipeline.reader import read_pipeline
from runner.plan import Plan, make_plan, same_entries
from runner.records.layout import Record, latest_run, run_folders
from runner.records.recovery import unrecorded
from runner.runs.request import RunRequest
from runner.state.outputs import missing_output
from runner.state.status import Status, read_status, status_of, status_path
from runner.tasks import Job, Jobs

_RUNS_READ = 20  # the newest, for what a segment was before


@dataclass(frozen=True)
class Look:
    """What was found, and the plan that follows from it."""

    request: RunRequest
    plan: Plan
    jobs: Jobs  # by segment number
    status: Status  # with what a killed run's receipts add
    recovered: int  # how many entries they added
    last: Record | None
    root: Path  # of its run records
    status_file: Path

    @property
    def pipeline(self) -> Pipeline:
        return self.request.pipeline

    @property
    def path(self) -> Path:
        return self.request.path

    @property
    def to_run(self) -> list[Job]:
        return [self.jobs[step.segment.number] for step in self.plan.steps if step.action is Action.RUN]

    @property
    def must_write(self) -> bool:
        """Whether the status file changes even if nothing runs."""
        same = same_entries(self.plan.keep, self.status.entries)
        return bool(self.recovered or self.status.broken or not same)

    def problems(self) -> list[Diagnostic]:
        """Raises PipelineError with all that would stop the run; returns what are but warnings."""
        found = find_problems(self.to_run, self.pipeline, self.request.site)
        bad = errors(found)
        if not bad:
            return found
        count = f"{len(bad)} problem{'s' if len(bad) > 1 else ''}"
        error = PipelineError(f"{count} found; nothing was run", found, "`--dry-run` shows the whole plan.")
        if any(problem.is_environment for problem in bad):
            error.exit_code = ExitCode.ENVIRONMENT
        raise error


def look_at(request: RunRequest) -> Look:
    """The status file, the last run's record, and the plan. Raises StateError."""
    root = request.root
    own = request.status_file
    status_file, status = (own, read_status(own)) if own else (status_path(request.path), status_of(request.path))
    last = latest_run(root)
    found = unrecorded(last, status.entries)
    if found:
        status = replace(status, entries=(*status.entries, *found))
    jobs = Jobs(request.pipeline, request.site, request.change)
    plan = make_plan(
        request.pipeline.segments,
        status.entries,
        request.selection,
        _gone(request.pipeline, status, jobs),
        partial(_earlier, root),
    )
    return Look(request, plan, jobs, status, len(found), last, root, status_file)


def _gone(pipeline: Pipeline, status: Status, jobs: Jobs) -> Mapping[int, str]:
    """By number: what of a finished segment's declared outputs is missing."""
    done = {entry.content_hash for entry in status.entries if entry.done}
    gone = {}
    for segment in pipeline.segments:
        if segment.outputs and not segment.is_control and segment.content_hash in done:
            job = jobs[segment.number]
            if missing := missing_output(job.outputs, job.cwd):
                gone[segment.number] = job.masked(missing, jobs.site)
    return gone


def _earlier(root: Path, content_hash: str) -> Segment | None:
    """The segment that had this hash in one of the last runs."""
    for folder in run_folders(root)[: -_RUNS_READ - 1 : -1]:
        try:
            segments = read_pipeline(folder / "pipeline.yaml", hashes_only=True).segments
        except PipelineError:
            continue
        if found := next((one for one in segments if one.content_hash == content_hash), None):
            return found
    return None
