"""One chunk of a segment's items, run on the node where a scheduler started us, or by hand.

Receipts are what counts; the exit code says no more than whether there is one for each item. It asks no scheduler and
prepares no environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.budget import Budget
from runner.cluster.allocation import allocation, job_of
from runner.cluster.behind import Behind
from runner.cluster.chunk import run_chunk
from runner.cluster.element import Element, Work, frozen_pipeline, patient
from runner.cluster.element import WorkerExit as WorkerExit
from runner.cluster.freeze import SegmentJob, read_segment, task_digest
from runner.cluster.notes import Note, TakenOver, take, where_pids_count
from runner.cluster.receipts import plain_receipt, worker_number
from runner.environments import Site, kind
from runner.errors import EnvironmentMissing, RunnerError, UsageError
from runner.executors.task import Around, run_task
from runner.executors.uses import Uses
from runner.ground.away import Shares
from runner.ground.disk import free_space, on_disk
from runner.ground.files import Syncer
from runner.model import Pipeline, Segment
from runner.process.identity import process_started
from runner.process.stop import StopRequest
from runner.process.tag import new_run_mark
from runner.records.journal import Journal
from runner.records.layout import Record
from runner.records.receipt import Receipt, Result, machine
from runner.tasks import Task, make_task


def work(element: Element, site: Site, journal: Journal, stop: StopRequest) -> WorkerExit:
    """Raises RunnerError for what is no item's fault; the note in `jobs/` says it too."""
    pipeline, segments = _segment(element.record, element.segment)
    folder = Record(element.record).segment_folder(element.segment, segments[element.segment].name)
    # what a shared disk does not show yet is no reason to give up
    job = patient(lambda: read_segment(folder), folder, stop)
    number = worker_number(element.generation, element.chunk)
    own = os.getpid()
    note = Note(
        number,
        node=machine()["host"],
        job=job_of(site.host),
        pid=own,
        process=process_started(own) or 0.0,
        boot=where_pids_count(site.host),
        began=time.time(),
        items=next((len(one.places) for one in job.chunking.chunks if one.number == element.chunk), 0),
    )
    try:
        claim = take(folder, note, stop, journal.note, silent=element.silent, may_take_over=not element.by_hand)
    except TakenOver as error:
        if element.by_hand:
            raise
        journal.note(error.message)
        return WorkerExit.TAKEN_OVER
    told: dict[str, Any] = {"code": 4, "says": "it ended by an error of the runner's own"}
    uses = Uses(site)
    try:
        if stop.requested:
            code = WorkerExit.STOPPED
        else:
            shares = Shares((folder, *map(on_disk, (site.repo, site.environments))), journal.note, stop.wait)
            mark = new_run_mark(site.host.environ)
            around = Around(site, journal, stop, Syncer(), mark, max(segments), shares=shares)
            it = _prepared(element, segments, pipeline, folder, job, around, told)
            uses.begin(it.task)
            worker = worker_number(element.generation, element.chunk, claim.note.turn)
            code = run_chunk(it, worker) if job.many else _plain(it)
        if claim.taken_over:
            code = WorkerExit.TAKEN_OVER
        told |= {"code": int(code), "says": told.get("why", "")}
        return code
    except RunnerError as error:
        told |= {"code": int(error.exit_code), "says": f"{error.message}\n{error.cure}".strip()}
        raise
    finally:
        uses.close()
        told.pop("why", None)
        claim.end(**told)


def _segment(record: Path, number: int) -> tuple[Pipeline, dict[int, Segment]]:
    """Raises RunnerError."""
    pipeline = frozen_pipeline(record)
    segments = {segment.number: segment for segment in pipeline.segments if not segment.is_control}
    if number not in segments:
        raise UsageError(f"{record} has no segment {number}", f"It has {', '.join(map(str, segments))}.")
    return pipeline, segments


def _prepared(
    element: Element,
    segments: Mapping[int, Segment],
    pipeline: Pipeline,
    folder: Path,
    job: SegmentJob,
    around: Around,
    told: dict[str, Any],
) -> Work:
    """Raises RunnerError where this node cannot run the segment as it was submitted."""
    segment, site = segments[element.segment], around.site
    task = make_task(segment, pipeline, site)
    if task_digest(task) != job.task:
        raise UsageError(
            f"segment {segment.number} is not what it was when this run was submitted: .env was changed, or the "
            f"repository lies in another folder here ({site.repo})",
            "Cancel this run and submit it anew, or put back what was changed.",
        )
    ready(task, site)
    outputs = Path(pipeline.folder)
    budget = Budget(allocation(site.host, segment.resources), element.jobs, lambda: free_space(outputs))
    return Work(element, folder, job, task, around, budget, Behind(element.record, job, segments), told)


def ready(task: Task, site: Site) -> None:
    """That the environment is there as it was prepared. Raises EnvironmentMissing."""
    preparation = kind(task.spec).prepare(task.spec, task.entries, site)
    if preparation is not None and preparation.changes is not None:
        raise EnvironmentMissing(
            f"{preparation.title} is not ready on {machine()['host']} (looked for in {preparation.changes})",
            "It is prepared before anything is submitted: put the environments where all nodes see them "
            "(RUN_PIPELINE_ENVS), or submit again if pyproject.toml or uv.lock was changed meanwhile.",
        )


# a segment that goes over nothing


def _plain(work: Work) -> WorkerExit:
    segment = work.segment
    if plain_receipt(work.folder) is not None:
        return WorkerExit.DONE
    if (stands := work.behind.whole()) is not None:
        before, good = stands
        if good is None:
            work.told |= {"waiting": 1, "why": f"segment {before.segment} has not ended"}
            return WorkerExit.WAITING
        why = f"segment {before.segment} failed"
        Receipt(segment.number, segment.name, segment.content_hash, Result.NOT_RUN, why).write(work.folder)
        return WorkerExit.DONE
    lease = work.budget.take(segment.resources, many=False)
    if lease is None:
        raise EnvironmentMissing(f"segment {segment.number} {work.budget.why_never(segment.resources)}", "")
    receipt = run_task(work.task.given(lease.environ()), work.folder, work.around)
    work.around.syncer.finish()
    return WorkerExit.STOPPED if receipt.state == Result.STOPPED else WorkerExit.DONE
