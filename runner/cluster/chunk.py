"""The items of one chunk, as many at once as the job was given room for, each to its receipt."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.cluster.element import PATIENCE, Work, WorkerExit, absent, patient
from runner.cluster.freeze import read_items
from runner.cluster.receipts import ended, worker_number
from runner.errors import EnvironmentMissing, StateError, UsageError
from runner.executors.items import Ended, ItemWork, OutOfMemory, WorkerFiles, run_items
from runner.executors.local import Finished, LocalExecutor
from runner.executors.task import Around
from runner.graph import Graph
from runner.ground.files import is_full, state_error
from runner.ground.words import counted, time_text
from runner.items.decide import ItemPlan, too_many
from runner.items.identity import Contents
from runner.items.item import Item
from runner.items.ledger import Ledger
from runner.items.matrix import batches
from runner.process.stop import next_event
from runner.records.lines import ItemReceipt, ItemState, open_lines
from runner.records.receipt import machine
from runner.runs.many import CONTENTS, ManyTasks
from runner.schedule import Schedule, Start


class ChunkFiles(WorkerFiles):
    """An item that was stopped gets no receipt: another worker runs it. A share that is away for a moment is waited
    for: what has just been computed is not thrown away."""

    def __init__(self, folder: Path, number: int, content_hash: str, around: Around) -> None:
        super().__init__(folder, number, content_hash)
        self._around = around
        self.count = 0

    def put(self, receipt: ItemReceipt) -> None:
        if receipt.state is ItemState.STOPPED:
            return
        deadline = time.monotonic() + PATIENCE
        while not self._is_put(receipt, deadline):
            self._around.stop.wait(1.0)
            with suppress(OSError):
                os.close(self._lines)
            self._lines = -1  # the number may be another file's by now
            with suppress(StateError):
                self._lines = open_lines(self._path)
        self.count += 1
        self._around.syncer.later(self._path)  # a client of NFS keeps it to itself otherwise

    def _is_put(self, receipt: ItemReceipt, deadline: float) -> bool:
        """Raises StateError once waiting is of no use."""
        try:
            super().put(receipt)
            return True
        except StateError as error:
            cause = error.__cause__
            hopeless = not isinstance(cause, OSError) or is_full(cause) or self._around.stop.requested
            if hopeless or time.monotonic() > deadline:
                raise
            self._around.journal.warn(f"{error.message}; trying again for {PATIENCE:.0f} s")
            return False

    def close(self) -> None:
        if self._lines < 0:  # the share is still away, and that was told
            self.log.close()
            return
        try:
            super().close()
        except OSError as error:  # NFS tells it here that the quota was used up
            raise state_error("write", self._path, error) from error


def run_chunk(work: Work, worker: int) -> WorkerExit:
    """`worker`: the number of its first thread. Raises RunnerError."""
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
        self._files: dict[int, ChunkFiles] = {}
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
            if not standing.ready:
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
        self._all_are_there()
        return WorkerExit.OUT_OF_MEMORY if self._no_memory else WorkerExit.DONE

    def _all_are_there(self) -> None:
        """What a disk took and then lost is not told to be done. Raises StateError."""
        known = ended(self._work.folder, self._work.job.remembered, {self._work.element.chunk})
        if lost := self._items.keys() - known.keys() - self._no_memory:
            raise StateError(
                f"receipts of {counted(len(lost), 'item')} that were written to {self._work.folder} are not there",
                "Is the disk, or a quota on it, full? They run again.",
            )

    def close(self) -> None:
        for files in self._files.values():
            files.close()

    def _too_many(self) -> bool:
        many, job = self._work.segment.many, self._work.job
        if many is None or many.most_failures is None:  # then nobody counts them
            return False
        states = ended(self._work.folder, job.remembered).values()
        failed = sum(state in (ItemState.FAILED, ItemState.TIMED_OUT) for state in states)
        return too_many(many, failed, job.total or job.count)

    def _leave_out(self, keys: Sequence[str], why: str) -> None:
        for key in keys:
            self._of_thread(0).put(ItemReceipt(key, ItemState.NOT_RUN, note=why, started=time.time()))

    def _is_there(self, keys: Sequence[str]) -> None:
        """A node that lacks a disk would make a failure of each item. Raises EnvironmentMissing."""
        paths = [item.text for key in keys if (item := self._items[key]).is_file]
        missing = absent(paths, os.path.exists, self._work.stop)
        parents = {os.path.dirname(path) for path in missing}  # noqa: PTH120
        if len(missing) < len(paths) or not parents or any(map(os.path.isdir, parents)):
            return
        raise EnvironmentMissing(
            f"there is no folder {min(parents)} on {machine()['host']}",
            "The items lie there: put them on a disk that all nodes see, or keep this node out.",
        )

    def _of_thread(self, thread: int) -> ChunkFiles:
        if thread not in self._files:
            number = self._worker + worker_number(0, 0, thread=thread)
            self._files[thread] = ChunkFiles(self._work.folder, number, self._work.job.remembered, self._work.around)
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
        grows = self._work.segment.retry_memory > 1 and len(items) == 1 and not self._work.element.by_hand
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
