"""A run on a cluster from its beginning or from where it was left: what `run`, `resume`, `collect` and others do."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from runner.cluster import handles
from runner.cluster.by_hand import KIND as BY_HAND
from runner.cluster.follow import ClusterExecutor, How
from runner.cluster.freeze import Submitted, read_submitted, write_submitted
from runner.cluster.scheduler import Scheduler, scheduler_of
from runner.errors import ExitCode, UsageError
from runner.executors.preparer import Preparer
from runner.ground.told import write_json
from runner.host import Host
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline
from runner.records.layout import CANCEL, SUBMITTED, Record, latest_run
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
    submitted = read_submitted(record.folder)
    pipeline = replace(read_pipeline(record.folder / "pipeline.yaml"), path=Path(submitted.pipeline))
    return record, submitted, pipeline


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
        return _driven(opened, settings, scheduler, how)

    return run(request, driven, look)[0]


def take_up(
    request: RunRequest, record: Record, submitted: Submitted, how: How, scheduler: Scheduler | None = None
) -> ExitCode:
    """Go on with a run that was left. `request` is of its frozen pipeline. Raises RunnerError."""
    settings = submitted.settings
    scheduler = scheduler or scheduler_of(settings, request.site.host)
    how = replace(how, again=True)
    return run(request, partial(_driven, settings=settings, scheduler=scheduler, how=how), again=record)[0]


def cancel_followed(record: Record, submitted: Submitted, host: Host) -> int:
    """While another process follows the run: it is asked to submit nothing more, and what is submitted is ended here.

    How many jobs that were. Raises ClusterError, StateError.
    """
    write_json(record.folder / CANCEL, {"schema": SCHEMA})
    jobs = [one.job for one in handles.read(record.folder) if one.job and not one.cancelled]
    scheduler_of(submitted.settings, host).cancel([(job, None) for job in jobs])
    return len(jobs)


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
    if how.cancels:
        opened.record.data.update(state=CANCELLED, exit_code=int(ExitCode.INTERRUPTED))
        opened.record.save()
        opened.advice = "Cancelled. What was finished stays done: start the pipeline again for the rest."
        return ExitCode.DONE
    return code


def _come_back(opened: Opened, settings: ExecutorSettings) -> str:
    file = f'"{opened.look.path}"'
    if settings.kind == BY_HAND:
        parts = f"--shard 1/{settings.at_once} to --shard {settings.at_once}/{settings.at_once}"
        return f"It is done in parts: start run-pipeline {file} {parts}, each on a computer that sees this folder"
    return (
        f"The jobs go on by themselves. Go on with this run: run-pipeline resume {file}\n"
        f"See how far they are: run-pipeline status {file}; end them: run-pipeline cancel {file}"
    )
