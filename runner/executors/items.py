"""Runs an item, or a batch of them, to its receipts: a line for each, in a file that one worker alone writes to."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StateError, UsageError
from runner.executors.task import AWAY, Around, Attempt, attempt
from runner.ground.away import says_away
from runner.ground.words import size_text, time_text
from runner.items.identity import Contents, mark_of
from runner.items.item import Item, Mark
from runner.process.tee import LogFile
from runner.records.layout import FAILED
from runner.records.lines import ItemReceipt, ItemState, append, open_lines
from runner.records.receipt import Result
from runner.state import outputs
from runner.tasks import Task

TAIL_LINES = 8  # of a failed item's output, for the screen
_TAIL = 4096  # bytes
_ABSENT = "its file is not there any more"  # deleted while it waited for its turn


class OutOfMemory(Exception):
    """An item was ended for lack of memory, and is to be tried with more."""


@dataclass(frozen=True)
class Ended:
    """One item's receipt, and what is shown of it where it failed."""

    receipt: ItemReceipt
    log: str = ""
    tail: tuple[str, ...] = ()
    lost: bool = False  # with its job, as was told of all of that


class WorkerFiles:
    """What one worker writes for one segment. Raises StateError."""

    def __init__(self, folder: Path, number: int, content_hash: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.names = folder / f"items-{number}.txt"
        self.log = LogFile(folder / f"log-{number}.txt")
        self._path = folder / f"receipts-{content_hash[:16]}-{number}.jsonl"
        self._lines = open_lines(self._path)

    def put(self, receipt: ItemReceipt) -> None:
        try:
            append(self._lines, receipt, self._path)
        except StateError as error:
            if says_away(error):  # what was opened before is of no use once it is back
                again = open_lines(self._path)
                os.close(self._lines)
                self._lines = again
            raise

    def close(self) -> None:
        self.log.close()
        os.close(self._lines)
        self.names.unlink(missing_ok=True)

    def own_log(self, index: int, start: int) -> Path:
        """The part of the shared log from `start` on, as a file of its own."""
        target = self.folder / FAILED / f"{index:05d}.log"
        target.parent.mkdir(exist_ok=True)
        with open(self.log.path, "rb") as source, target.open("wb") as copy:  # noqa: PTH123
            source.seek(start)
            shutil.copyfileobj(source, copy)
        return target


@dataclass(frozen=True)
class ItemWork:
    """What an item needs to be run, whichever it is."""

    around: Around
    task: Callable[[Sequence[Item], Path], Task]
    outputs_of: Callable[[Item], Sequence[str]]
    contents: Contents | None = None
    lease: dict[str, str] | None = None  # variables of what it was given of the machine
    grows: bool = False  # a kill for memory is told by OutOfMemory


def run_items(items: Sequence[Item], work: ItemWork, files: WorkerFiles, tries: int = 0) -> list[Ended]:
    """A receipt for each, written as well. Raises StateError, EnvironmentMissing, OutOfMemory before any is written.

    A batch that fails is gone through again one by one, so that one bad file stops nobody; what its outputs tell to be
    done is not run again.
    """
    marks = [mark_of(item) for item in items]
    if any(item.is_file and not mark for item, mark in zip(items, marks, strict=True)) and work.around.shares.settle():
        marks = [mark_of(item) for item in items]
    if items[0].is_file and marks[0]:
        work.around.shares.expect(Path(items[0].text).parent)
    ended = [
        _never_started(item, files, work, _ABSENT)
        for item, mark in zip(items, marks, strict=True)
        if item.is_file and not mark
    ]
    there = [(item, mark) for item, mark in zip(items, marks, strict=True) if mark or not item.is_file]
    if not there:
        return ended
    items = [item for item, _ in there]
    try:
        job = work.task(items, files.names)
    except UsageError as error:  # its name is such that the command cannot hold it
        if len(items) == 1:
            return [*ended, _never_started(items[0], files, work, f"{error.message}\n{error.cure}".strip())]
        return ended + [one for item in items for one in run_items([item], work, files)]
    job = job.given(work.lease or {})
    before = {} if job.segment.outputs_may_be_old else outputs.marks(job.outputs, job.cwd)
    if seconds := outputs.settling(before):
        work.around.stop.wait(seconds)
    begin, started = files.log.size, time.time()
    last, count = _tried(items, job, work, files, before, begin, tries)
    if len(items) > 1 and last.state in (Result.FAILED, Result.TIMED_OUT):
        return [*ended, *_one_by_one(items, job, work, files, before)]
    share = last.outcome.duration / len(items)
    for item, mark in there:
        ended.append(_receipt(item, mark, job, work, files, last, (started, share, begin, count + tries)))
    return ended


def _put(receipt: ItemReceipt, files: WorkerFiles, work: ItemWork) -> None:
    work.around.shares.patiently(lambda: files.put(receipt))


def _never_started(item: Item, files: WorkerFiles, work: ItemWork, note: str) -> Ended:
    receipt = ItemReceipt(item.key, ItemState.FAILED, note=note, started=time.time())
    _put(receipt, files, work)
    return Ended(receipt)


def _tried(
    items: Sequence[Item],
    job: Task,
    work: ItemWork,
    files: WorkerFiles,
    before: outputs.Marks,
    begin: int,
    tries: int,
) -> tuple[Attempt, int]:
    """The last attempt, and how many there were."""
    segment, around = job.segment, work.around
    command, delay, count = job.command(around.site), job.segment.retry_delay, 0
    while True:
        count += 1
        last = attempt(job, command, files.log, around, before, own_log=lambda: files.own_log(items[0].index, begin))
        if last.to_repeat and not around.stop.requested:
            around.journal.note(f"   {items[0].key}: {AWAY}")
            count -= 1
            continue
        left = segment.retries + 1 - count - tries
        if last.state in (Result.SUCCEEDED, Result.STOPPED) or left <= 0 or len(items) > 1:
            return last, count
        if work.grows and last.outcome.out_of_memory:
            raise OutOfMemory
        why = last.note.splitlines()[0].rstrip(".")
        around.journal.note(f"   {items[0].key}: {why}; once more in {time_text(delay)}")
        if around.stop.wait(delay):
            return Attempt(Result.STOPPED, last.outcome, "stopped while waiting for the next try", last.log), count
        delay *= 2


def _one_by_one(
    items: Sequence[Item], job: Task, work: ItemWork, files: WorkerFiles, before: outputs.Marks
) -> list[Ended]:
    """Of a batch that failed: what its outputs tell to be done is done, the others are tried each alone."""
    ended = []
    for item in items:
        patterns = work.outputs_of(item)
        if patterns and not outputs.missing_output(patterns, job.cwd, before):
            receipt = ItemReceipt(
                item.key, ItemState.SUCCEEDED, mark_of(item), started=time.time(), outputs=_listed(patterns, job.cwd)
            )
            _put(receipt, files, work)
            ended.append(Ended(receipt))
        elif work.around.stop.requested:
            receipt = ItemReceipt(item.key, ItemState.STOPPED, note="stopped", started=time.time())
            _put(receipt, files, work)
            ended.append(Ended(receipt))
        else:
            ended += run_items([item], work, files)
    return ended


def _receipt(
    item: Item,
    mark: Mark,
    job: Task,
    work: ItemWork,
    files: WorkerFiles,
    last: Attempt,
    told: tuple[float, float, int, int],
) -> Ended:
    started, seconds, begin, count = told
    state, note, outcome = last.state, last.note, last.outcome
    patterns = work.outputs_of(item)
    now = mark_of(item)
    if state == Result.SUCCEEDED and now != mark and work.around.shares.settle():
        now = mark_of(item)
    if state == Result.SUCCEEDED and now != mark:
        state, note = Result.FAILED, _changed(mark, now)
    receipt = ItemReceipt(
        item.key,
        ItemState(state.value),
        mark,
        note,
        seconds,
        started,
        outcome.exit_code,
        outcome.peak_memory,
        _listed(patterns, job.cwd) if state == Result.SUCCEEDED else (),
        (Path(files.log.path).name, begin, files.log.size - begin),
        max(count, 1),
        work.contents.digest(item) if work.contents and state == Result.SUCCEEDED else "",
    )
    _put(receipt, files, work)
    if state == Result.SUCCEEDED:
        return Ended(receipt)
    log = last.log if last.log != Path(files.log.path) else files.own_log(item.index, begin)
    return Ended(receipt, str(log), tail_of(log))


def _changed(before: Mark, now: Mark) -> str:
    if not now:
        return "its file was removed while it was read"
    sizes = f" (it had {size_text(before[0])}, and has {size_text(now[0])})" if before[:1] != now[:1] else ""
    return f"its file was changed while it was read{sizes}: it runs again at the next start"


def _listed(patterns: Sequence[str], folder: str) -> tuple[tuple[str, int], ...]:
    return tuple((one["path"], one["size"]) for one in outputs.listing(patterns, folder))


def tail_of(log: Path) -> tuple[str, ...]:
    from runner.executors.cause import last_lines

    return tuple(line for line in last_lines(log, _TAIL)[-TAIL_LINES:] if line)
