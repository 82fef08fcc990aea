"""What one worker does, with all that was read of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from runner.budget import Budget
from runner.cluster.behind import Behind
from runner.cluster.freeze import SegmentJob, read_submitted
from runner.cluster.notes import SILENT
from runner.errors import StateError
from runner.executors.task import Around
from runner.model import Pipeline, Segment
from runner.pipeline.reader import read_pipeline
from runner.process.stop import StopRequest
from runner.tasks import Task

PATIENCE = 60.0  # seconds for files that were written on another computer to be seen here
_LAG = 8.0  # for what was there when the run was submitted, or is made by a segment before
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
    by_hand: bool = False  # no scheduler: it takes over from nobody
    jobs: int | None = None  # at most so many at once
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

    @property
    def segment(self) -> Segment:
        return self.task.segment

    @property
    def stop(self) -> StopRequest:
        return self.around.stop


def frozen_pipeline(record: Path) -> Pipeline:
    """As it was submitted, wherever its file is by now. Raises RunnerError."""
    return replace(read_pipeline(record / "pipeline.yaml"), path=Path(read_submitted(record).pipeline))


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


def absent(paths: Iterable[str], is_there: Callable[[str], bool], stop: StopRequest) -> list[str]:
    """Those that are not there, also a while later and after their folders were listed: a shared disk lags."""
    deadline = time.monotonic() + _LAG
    while found := [path for path in paths if not is_there(path)]:
        if time.monotonic() > deadline or stop.wait(1.0):
            break
        paths = found
        for folder in dict.fromkeys(map(os.path.dirname, found)):
            with suppress(OSError):
                os.listdir(folder)  # noqa: PTH208
    return found
