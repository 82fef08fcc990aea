"""One chunk of a segment's items, run on the node where a scheduler started us, or by hand.

Receipts are what counts; the exit code says no more than whether there is one for each item. It asks no scheduler and
prepares no environment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from runner.budget import Budget
from runner.cluster.allocation import allocation, job_of
from runner.cluster.behind import Behind
from runner.cluster.freeze import SegmentJob, read_items, read_segment, read_submitted, task_digest
from runner.cluster.notes import SILENT, Note, TakenOver, take
from runner.cluster.receipts import ended, plain_receipt, worker_number
from runner.environments import Site, kind
from runner.errors import EnvironmentMissing, RunnerError, StateError, UsageError
from runner.executors.items import Ended, ItemWork, OutOfMemory, WorkerFiles, run_items
from runner.executors.local import Finished, LocalExecutor
from runner.executors.task import Around, run_task
from runner.graph import Graph
from runner.ground.disk import free_space
from runner.ground.files import Syncer
from runner.ground.words import time_text
from runner.items.decide import ItemPlan, too_many
from runner.items.identity import Contents
from runner.items.item import Item
from runner.items.ledger import Ledger
from runner.items.matrix import batches
from runner.model import Pipeline, Segment
from runner.pipeline.reader import read_pipeline
from runner.process.identity import boot_id, process_started
from runner.process.stop import StopRequest, next_event
from runner.process.tag import new_run_mark
from runner.records.journal import Journal
from runner.records.layout import Record
from runner.records.lines import ItemReceipt, ItemState
from runner.records.receipt import Receipt, Result, machine
from runner.runs.many import CONTENTS, ManyTasks
from runner.schedule import Schedule, Start
from runner.tasks import Task, make_task

PATIENCE = 60.0  # seconds for files that were written on another computer to be seen here
_POLL = (1.0, 30.0)  # seconds between two looks at what is waited for, at first and at last
_T = TypeVar("_T")


class WorkerExit(IntEnum):
    """What the exit code of a worker says; 2, 3 and 4 are those of the runner's errors: infrastructure, no item."""

    DONE = 0  # each item has its receipt, failures included
    WAITING = 75  # some wait for items of another segment, which have not ended: to be submitted again
    TAKEN_OVER = 76  # another worker has this chunk
    OUT_OF_MEMORY = 77  # some are to be tried with more of it: to be submitted again
    STOPPED = 143  # by TERM: time limit, preemption, by hand


@dataclass(frozen=True)
class Element:
    """What one worker does."""

    record: Path
    segment: int
    chunk: int = 0
    generation: int = 0
    by_hand: bool = False  # no scheduler: it waits for what is before it, and takes over from nobody
    silent: float = SILENT


@dataclass
class Work:
    """An element with all that was read of it."""

    element: Element
    folder: Path
    job: SegmentJob
    task: Task
    around: Around
    budget: Budget
    behind: Behind
    told: dict[str, Any]  # for the note
    pauses: Iterator[float] = field(default_factory=lambda: _pauses())
    waits: bool = False  # for other computers, which was said

    @property
    def segment(self) -> Segment:
        return self.task.segment

    @property
    def stop(self) -> StopRequest:
        return self.around.stop


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
        boot=boot_id(site.host),
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
    try:
        if stop.requested:
            code = WorkerExit.STOPPED
        else:
            around = Around(site, journal, stop, Syncer(), new_run_mark(site.host.environ), max(segments))
            it = _prepared(element, segments, pipeline, folder, job, around, told)
            worker = worker_number(element.generation, element.chunk, claim.note.turn)
            code = _items(it, worker) if job.many else _plain(it)
        if claim.taken_over:
            code = WorkerExit.TAKEN_OVER
        told |= {"code": int(code), "says": told.get("why", "")}
        return code
    except RunnerError as error:
        told |= {"code": int(error.exit_code), "says": f"{error.message}\n{error.cure}".strip()}
        raise
    finally:
        told.pop("why", None)
        claim.end(**told)


def frozen_pipeline(record: Path) -> Pipeline:
    """As it was submitted, wherever its file is by now. Raises RunnerError."""
    return replace(read_pipeline(record / "pipeline.yaml"), path=Path(read_submitted(record).pipeline))


def _segment(record: Path, number: int) -> tuple[Pipeline, dict[int, Segment]]:
    """Raises RunnerError."""
    pipeline = frozen_pipeline(record)
    segments = {segment.number: segment for segment in pipeline.segments if not segment.is_control}
    if number not in segments:
        raise UsageError(f"{record} has no segment {number}", f"It has {', '.join(map(str, segments))}.")
    return pipeline, segments


def patient(read: Callable[[], _T], folder: Path, stop: StopRequest, seconds: float = PATIENCE) -> _T:
    """What `read` gives, as soon as a shared disk shows all of it. Raises its StateError once the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return read()
        except StateError:
            if time.monotonic() > deadline or stop.wait(1.0):
                raise
            with suppress(OSError):
                os.listdir(folder)  # noqa: PTH208  (what the system remembers of the folder is asked for anew)


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
    budget = Budget(allocation(site.host, segment.resources), None, lambda: free_space(outputs))
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
    element, segment = work.element, work.segment
    if plain_receipt(work.folder) is not None:
        return WorkerExit.DONE
    while (stands := work.behind.whole()) is not None:
        before, good = stands
        if good is False:
            why = f"segment {before.segment} failed"
            Receipt(segment.number, segment.name, segment.content_hash, Result.NOT_RUN, why).write(work.folder)
            return WorkerExit.DONE
        if not element.by_hand:
            work.told |= {"waiting": 1, "why": f"segment {before.segment} has not ended"}
            return WorkerExit.WAITING
        if _waited(work, f"segment {before.segment}"):
            return WorkerExit.STOPPED
    lease = work.budget.take(segment.resources, many=False)
    if lease is None:
        raise EnvironmentMissing(f"segment {segment.number} {work.budget.why_never(segment.resources)}", "")
    receipt = run_task(work.task.given(lease.environ()), work.folder, work.around)
    work.around.syncer.finish()
    return WorkerExit.STOPPED if receipt.state == Result.STOPPED else WorkerExit.DONE


def _pauses() -> Iterator[float]:
    pause, most = _POLL
    while True:
        yield pause
        pause = min(pause * 1.5, most)


def _waited(work: Work, what: str) -> bool:
    """Whether a stop was asked for meanwhile."""
    if not work.waits:
        work.waits = True
        work.around.journal.note(f"   waiting for {what}: other computers work on it")
    return work.stop.wait(next(work.pauses))


# a segment over many items


class _Files(WorkerFiles):
    """An item that was stopped gets no receipt: another worker runs it."""

    def __init__(self, folder: Path, number: int, content_hash: str, syncer: Syncer) -> None:
        super().__init__(folder, number, content_hash)
        self._syncer = syncer
        self.count = 0

    def put(self, receipt: ItemReceipt) -> None:
        if receipt.state is ItemState.STOPPED:
            return
        super().put(receipt)
        self.count += 1
        self._syncer.later(self._path)  # a client of NFS keeps it to itself otherwise


def _items(work: Work, worker: int) -> WorkerExit:
    job, chunk = work.job, work.element.chunk
    items = patient(lambda: read_items(work.folder, job), work.folder, work.stop)
    places = next((one.places for one in job.chunking.chunks if one.number == chunk), None)
    if places is None:
        raise UsageError(f"{work.folder} has no chunk {chunk}", f"It has {len(job.chunking.chunks)}.")
    run = _Run(work, worker, {items[place].key: items[place] for place in places}, items[:1])
    try:
        return run.go()
    finally:
        run.close()


class _Run:
    """The items of one chunk, as many at once as the allocation has room for."""

    def __init__(self, work: Work, worker: int, items: Mapping[str, Item], first: Sequence[Item]) -> None:
        self._work, self._worker, self._items = work, worker, items
        many = work.segment.many
        contents = Contents(work.element.record.parent / CONTENTS) if many and many.by_content else None
        windows = work.around.site.host.windows
        self._tasks = ManyTasks(
            work.task,
            list(items.values()) or first,
            ItemPlan([], 0, 0, ()),
            Ledger(),
            contents,
            windows,
            work.job.remembered,
        )
        self._files: dict[int, _Files] = {}
        self._no_memory: set[str] = set()

    def go(self) -> WorkerExit:
        work = self._work
        known = ended(work.folder, work.job.remembered, {work.element.chunk})
        left = [key for key in self._items if key not in known]
        if left and self._too_many():
            self._leave_out(left, "more items failed than `max-failures` allows")
            left = []
        self._is_there(left)
        while left and not work.stop.requested:
            standing = work.behind.look(left)
            for key, cause in standing.failed.items():
                self._leave_out([key], f"it failed in segment {cause}")
            if standing.ready:
                self._run(standing.ready)
            left = list(standing.waiting)
            if left and not standing.ready:
                if not work.element.by_hand:
                    break
                if _waited(work, standing.waits_for):
                    break
        work.around.syncer.finish()
        work.told |= {
            "receipts": sum(files.count for files in self._files.values()),
            "waiting": len(left),
            "memory": len(self._no_memory),
        }
        if work.stop.requested:
            return WorkerExit.STOPPED
        if left:
            work.told["why"] = f"waiting for {standing.waits_for}"
            return WorkerExit.WAITING
        return WorkerExit.OUT_OF_MEMORY if self._no_memory else WorkerExit.DONE

    def close(self) -> None:
        for files in self._files.values():
            files.close()

    def _too_many(self) -> bool:
        many, job = self._work.segment.many, self._work.job
        if many is None or many.most_failures is None:  # then nobody counts them
            return False
        states = ended(self._work.folder, job.remembered).values()
        failed = sum(state in (ItemState.FAILED, ItemState.TIMED_OUT) for state in states)
        return too_many(many, failed, job.count)

    def _leave_out(self, keys: Sequence[str], why: str) -> None:
        for key in keys:
            self._of_thread(0).put(ItemReceipt(key, ItemState.NOT_RUN, note=why, started=time.time()))

    def _is_there(self, keys: Sequence[str]) -> None:
        """A node that lacks a disk would make a failure of each item. Raises EnvironmentMissing."""
        parents = {os.path.dirname(item.text) for key in keys if (item := self._items[key]).is_file}  # noqa: PTH120
        if not parents or any(map(os.path.isdir, parents)):
            return
        raise EnvironmentMissing(
            f"there is no folder {min(parents)} on {machine()['host']}",
            "The items lie there: put them on a disk that all nodes see, or keep this node out.",
        )

    def _of_thread(self, thread: int) -> _Files:
        if thread not in self._files:
            number = self._worker + worker_number(0, 0, thread=thread)
            self._files[thread] = _Files(self._work.folder, number, self._work.job.remembered, self._work.around.syncer)
        return self._files[thread]

    def _run(self, keys: Sequence[str]) -> None:
        """Each to its receipt, unless a stop is asked for or memory runs out. Raises RunnerError."""
        work, segment = self._work, self._work.segment
        number, many = segment.number, segment.many
        assert many is not None
        schedule = Schedule(Graph({number: ()}), work.budget)
        events: SimpleQueue[Any] = SimpleQueue()
        executor, running, error = LocalExecutor(events), 0, None
        with work.stop.listening(events):
            for one in schedule.open():
                schedule.add(one, keys, segment.resources, many.batch)
            while True:
                if error is None and not work.stop.requested:
                    for start in schedule.next():
                        self._start(executor, start)
                        running += 1
                if not running:
                    break
                event = next_event(events, None)
                if isinstance(event, Finished):
                    running -= 1
                    executor.ended(event)
                    schedule.ended(event.start)
                    error = error or self._take(event)
        executor.close()
        for note in work.around.site.notes.take():
            work.around.journal.warn(note)
        if error is not None:
            raise error
        if not work.stop.requested and (stuck := schedule.stuck()):
            raise EnvironmentMissing(f"segment {number} {stuck[0][1]}", "Ask for less in `resources`.")

    def _start(self, executor: LocalExecutor, start: Start) -> None:
        items, environ = [self._items[key] for key in start.keys], dict(start.lease.environ())
        grows = self._work.segment.retry_memory > 1 and len(items) == 1
        tasks = self._tasks
        work = ItemWork(self._work.around, tasks.task, tasks.outputs_of, tasks.contents, environ, grows)
        tries = self._work.element.generation if grows else 0

        def run(thread: int) -> list[Ended]:
            files = self._of_thread(thread)
            return [one for batch in batches(items, len(items)) for one in run_items(batch, work, files, tries)]

        executor.start(start, run)

    def _take(self, event: Finished) -> BaseException | None:
        """The error that ends us, where it was one."""
        if isinstance(event.error, OutOfMemory):
            self._no_memory.update(event.start.keys)
            self._work.around.journal.note(f"   {', '.join(event.start.keys)}: memory ran out")
            return None
        for one in event.result or ():
            receipt = one.receipt
            if receipt.state not in (ItemState.SUCCEEDED, ItemState.STOPPED):
                self._work.around.journal.note(f"✗ {receipt.key}: {receipt.note}")
            elif receipt.state is ItemState.SUCCEEDED:
                self._work.around.journal.note(f"✓ {receipt.key} {time_text(receipt.seconds)}")
        return event.error
