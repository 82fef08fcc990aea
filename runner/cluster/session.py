"""A run on a cluster from its beginning or from where it was left: what `run`, `resume`, `collect` and others do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.cluster import handles
from runner.cluster.by_hand import KIND as BY_HAND
from runner.cluster.by_hand import ByHand
from runner.cluster.ending import until_ended
from runner.cluster.follow import ClusterExecutor, How
from runner.cluster.freeze import Submitted, read_submitted, write_submitted
from runner.cluster.scheduler import Scheduler, scheduler_of
from runner.environments import kind
from runner.environments.users import forget_jobs
from runner.errors import ExitCode, PipelineError, StateError, UsageError
from runner.executors.preparer import Preparer
from runner.ground.told import write_json
from runner.host import Host
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline
from runner.records.layout import BROKEN_OFF, CANCEL, SUBMITTED, Record, latest_run, note_elsewhere
from runner.records.receipt import SCHEMA
from runner.runs.drive import drive
from runner.runs.look import Look
from runner.runs.open import Opened, run
from runner.runs.request import RunRequest
from runner.site_file import ExecutorSettings

CANCELLED = "cancelled"


def submitted_run(root: Path, name: str) -> tuple[Record, Submitted, Pipeline]:
    """The run of a pipeline that was submitted and has not ended. Raises UsageError, StateError."""
    record = latest_run(root)
    if record is None or record.state != SUBMITTED:
        raise UsageError(f"nothing of {name} is submitted", f'Submit it: run-pipeline submit "{name}" --executor NAME.')
    submitted, frozen = read_submitted(record.folder), record.folder / "pipeline.yaml"
    try:
        pipeline = read_pipeline(frozen)
    except (PipelineError, UsageError) as error:
        raise StateError(f"{frozen} is damaged: {error.message}", _ANEW) from error
    if record.data.get("sha256", pipeline.sha256) != pipeline.sha256:
        raise StateError(f"{frozen} is not what was submitted", _ANEW)
    return record, submitted, replace(pipeline, path=Path(submitted.pipeline))


_ANEW = "End its jobs with `run-pipeline cancel`, and start anew: what was finished stays done."


def in_place(path: Path, record: Record, submitted: Submitted, how: How) -> Path:
    """Where the pipeline file of a submitted run is that somebody calls `path`. Raises UsageError."""
    own = Path(submitted.pipeline)
    if own.exists():
        if own.samefile(path):
            return own
        raise UsageError(
            f"{record.folder} is a copy: its jobs belong to {own}",
            f'Go on with them there: run-pipeline resume "{own}". Once that folder is removed, {path.name} runs here.',
        )
    if how.submits:
        raise UsageError(
            f"it was submitted as {own}, where it is not any more, and its jobs look for it there",
            "Put it back, or go on from a computer that has it there. `run-pipeline collect` takes in what was "
            "finished, `run-pipeline cancel` ends the jobs.",
        )
    return path


def give_up(record: Record, settings: ExecutorSettings, host: Host, tell: Callable[[str], None]) -> list[str]:
    """End the jobs of a run of which no more can be read than what was submitted. Returns them. Raises RunnerError."""
    scheduler = scheduler_of(settings, host)
    live = [one for one in handles.read(record.folder) if not one.cancelled]
    names = [one.name for one in live if not one.job]
    found = scheduler.find(names) if names else {}
    jobs = list(dict.fromkeys([*(one.job for one in live if one.job), *found.values()]))
    if jobs:
        scheduler.cancel([(job, None) for job in jobs])
        until_ended(scheduler, live, tell, time.sleep)
    record.data.update(state=BROKEN_OFF, exit_code=int(ExitCode.INTERRUPTED))  # the next run takes in its receipts
    record.save()
    return jobs


def start(
    request: RunRequest, settings: ExecutorSettings, look: Look, how: How, scheduler: Scheduler | None = None
) -> ExitCode:
    """Submit what of a pipeline is not done, and follow it as `how` says. Raises RunnerError."""
    scheduler = scheduler or scheduler_of(settings, request.site.host)

    def driven(opened: Opened) -> ExitCode:
        parts = f"{settings.at_once} computers of a share (--shard)"
        opened.record.data["executor"] = parts if settings.kind == BY_HAND else settings.name
        submitted = Submitted(settings, str(request.site.repo), sys.executable, str(request.path), request.selection)
        write_submitted(opened.record.folder, submitted)
        note_elsewhere(request.path, opened.record)
        return _driven(opened, settings, scheduler, how)

    return run(request, driven, look)[0]


def take_up(
    request: RunRequest, record: Record, submitted: Submitted, how: How, scheduler: Scheduler | None = None
) -> ExitCode:
    """Go on with a run that was left. `request` is of its frozen pipeline. Raises RunnerError."""
    settings = submitted.settings
    asks = how.submits or how.cancels  # else this may be a computer of the share without its programs
    scheduler = scheduler or (scheduler_of(settings, request.site.host) if asks else ByHand())
    if settings.kind == BY_HAND and how.waits and not how.cancels:
        request.journal.note(f"   {_parts(request.path, settings)}. Until all have ended, this one only waits for them")
    how = replace(how, again=True)
    return run(request, partial(_driven, settings=settings, scheduler=scheduler, how=how), again=record)[0]


def cancel_followed(record: Record, submitted: Submitted, host: Host, tell: Callable[[str], None]) -> int:
    """While another process follows the run: it is asked to submit nothing more, and what is submitted is ended here.

    How many jobs that were. Raises ClusterError, StateError.
    """
    write_json(record.folder / CANCEL, {"schema": SCHEMA})
    live = [one for one in handles.read(record.folder) if one.job and not one.cancelled]
    scheduler = scheduler_of(submitted.settings, host)
    scheduler.cancel([(one.job, None) for one in live])
    until_ended(scheduler, live, tell, time.sleep)
    return len(live)


def _driven(opened: Opened, settings: ExecutorSettings, scheduler: Scheduler, how: How) -> ExitCode:
    executors: list[ClusterExecutor] = []

    def make(opened: Opened, preparer: Preparer, events: object) -> ClusterExecutor:
        executors.append(ClusterExecutor(opened, preparer, events, scheduler, settings, how))  # type: ignore[arg-type]
        return executors[0]

    try:
        code = drive(opened, make)
    finally:
        if opened.record.state == SUBMITTED:
            opened.advice = _come_back(opened, settings)
        else:
            _let_go(opened)
    if how.cancels:
        opened.record.data.update(state=CANCELLED, exit_code=int(ExitCode.INTERRUPTED))
        opened.record.save()
        opened.advice = "Cancelled. What was finished stays done: start the pipeline again for the rest."
        return ExitCode.DONE
    return code


def _let_go(opened: Opened) -> None:
    """No job of it needs its environments any more."""
    for job in opened.look.jobs.values():
        forget_jobs(kind(job.spec).folder(job.spec, job.entries, opened.request.site), opened.record.folder)


def _come_back(opened: Opened, settings: ExecutorSettings) -> str:
    file = f'"{opened.look.path}"'
    if settings.kind == BY_HAND:
        return _parts(opened.look.path, settings)
    return (
        f"The jobs go on by themselves. Go on with this run: run-pipeline resume {file}\n"
        f"See how far they are: run-pipeline status {file}; end them: run-pipeline cancel {file}"
    )


def _parts(path: Path, settings: ExecutorSettings) -> str:
    count = settings.at_once
    parts = f"--shard 1/{count} to --shard {count}/{count}"
    return f'It is done in parts: start run-pipeline "{path}" {parts}, each on a computer that sees this folder'
