"""What is submitted to a scheduler and what it tells of it: records that Slurm, PBS and the rest share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import PurePath

from runner.errors import ExitCode, RunnerError
from runner.model import Resources


class ClusterError(RunnerError):
    """The scheduler refused, or cannot be used here: what it said, and what to do."""

    exit_code = ExitCode.USAGE


class SchedulerAway(ClusterError):
    """It does not answer. Nothing is known of the jobs; that is no failure of theirs."""


class QueueFull(ClusterError):
    """No more jobs are taken for now: wait, and submit again."""


class After(StrEnum):
    """When a job may start, told from another."""

    OK = "afterok"  # it ended with exit code 0: the probe
    ANY = "afterany"  # it ended
    EACH = "aftercorr"  # of arrays with the same chunks: each element after the one with its number


@dataclass(frozen=True)
class Submission:
    """One job, or an array of them: a worker for each chunk of a segment."""

    name: str  # unique: by it the job is found again after a crash
    script: PurePath  # on the shared disk; the array's index is given to the worker by the scheduler's variable
    cwd: PurePath
    log: PurePath  # a folder: what the scheduler and the worker say
    indices: tuple[int, ...] = ()  # chunk numbers; none: a job of its own
    resources: Resources = field(default_factory=Resources)  # of one element
    seconds: float = 0.0  # the time asked for; 0: none is passed
    after: tuple[tuple[After, str], ...] = ()  # job ids


class JobState(Enum):
    """In the order of what is told first."""

    WAITING = "waiting"
    HELD = "held"  # waiting for what will not come by itself: the reason says
    RUNNING = "running"
    ENDED = "ended"  # with exit code 0: each item has its receipt
    FAILED = "failed"  # the worker itself: infrastructure, never an item
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_TIME = "out of time"
    NODE_FAILED = "its node failed"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"  # by hand, or because what it waits for can never be
    UNKNOWN = "unknown"  # the scheduler does not know it (any more), or does not answer

    @property
    def is_over(self) -> bool:
        return self not in (JobState.WAITING, JobState.HELD, JobState.RUNNING, JobState.UNKNOWN)

    @property
    def is_lost(self) -> bool:
        """It is over, and what it had not finished is to be done again."""
        return self.is_over and self is not JobState.ENDED


@dataclass(frozen=True)
class JobLook:
    """One element as the scheduler tells it."""

    state: JobState
    reason: str = ""  # the scheduler's own word: PartitionTimeLimit, QOSMaxJobsPerUserLimit, ...
    node: str = ""
    exit_code: int | None = None
    signal: int | None = None


Element = tuple[str, int | None]  # job id, and index in an array
Looks = Mapping[Element, JobLook]


@dataclass(frozen=True)
class Limits:
    """What the scheduler lets one submit; None: it does not tell."""

    array_size: int | None = None  # the highest index is one less
    jobs: int | None = None  # in the queue at a time, elements counted
    left: int | None = None  # of those, now


@dataclass(frozen=True)
class Chunk:
    """The items of one element, by their place in the segment's frozen items."""

    number: int
    places: tuple[int, ...]


@dataclass(frozen=True)
class Chunking:
    """How a segment's items are cut, and what is told of it."""

    chunks: tuple[Chunk, ...]
    seconds: float = 0.0  # asked for, for each; 0: nothing is asked for
    reason: str = ""  # "500 items x 2.1 s (measured, run 12) x 2 = 18 min a chunk of 257; --time=18"


@dataclass(frozen=True)
class Handle:
    """A line of handles.jsonl: written as an intent before anything is submitted, and again with the job's id."""

    name: str
    segment: int
    indices: tuple[int, ...] = ()
    job: str = ""  # "": only intended
    generation: int = 0  # 0: the first submission; then each for what was lost
    scheduler: str = ""
    submitted: float = 0.0  # since the epoch
    resources: Resources = field(default_factory=Resources)
    seconds: float = 0.0
    cancelled: bool = False
    offset: int = 0  # added to an index it is the number of a chunk
    again: str = ""  # why these chunks are submitted once more: in plain words; "" the first time
    lost: bool = False  # they were lost: it counts as one of their retries

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(self.offset + index for index in self.indices)
