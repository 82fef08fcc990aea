"""Frozen records that the other parts hand to each other. No behaviour, no input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from pathlib import PurePath
from typing import Protocol, TypedDict, Union

from runner.frozen import frozen

# A scalar, list or map of the pipeline file with the types that the Go runner gave it.
Value = Union[None, bool, int, float, str, "list[Value]", "dict[Value, Value]"]


class SegmentType(Enum):
    NORMAL = "normal"
    PAUSE = "pause"
    STOP = "stop"
    FORCE = "force"


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@frozen
class Mark:
    """A place in the pipeline file; line and column count from 1."""

    line: int
    column: int
    length: int = 1


@frozen
class Diagnostic:
    """One thing to say about a pipeline file: what is wrong, and what to do."""

    severity: Severity
    message: str
    cure: str = ""
    file: PurePath | None = None
    mark: Mark | None = None
    excerpt: str = ""  # the line of the file, without its end; "" when there is none
    segment: int | None = None  # number of the segment, from 1
    is_environment: bool = False  # an environment is missing, not the file wrong: another exit code
    missing: tuple[str, ...] = ()  # what would have to be fetched


@frozen
class Finding:
    """Why a segment cannot run, or is not what it seems; shown with the segment's position."""

    message: str
    cure: str
    key: str = "environment"  # the key of the segment that it is about, as in Segment.marks
    severity: Severity = Severity.ERROR
    missing: tuple[str, ...] = ()  # what would have to be fetched, where no network is used


@frozen
class FlagMap:
    """A `- --flag: value` entry of `commands`, the flags as written; the file's order is kept."""

    items: tuple[tuple[str, Value], ...]


Entry = str | FlagMap


@frozen
class Resources:
    """What a segment, or one item of it, takes of the machine while it runs; 0: nothing was said."""

    cpus: int = 0
    memory: int = 0  # bytes
    gpus: int = 0
    disk: int = 0  # bytes that it will write
    # what only a cluster's scheduler, or its modules, go by
    time: float = 0.0  # seconds that it may take at most
    modules: tuple[str, ...] = ()  # loaded before its environment
    queue: str = ""  # partition of Slurm, queue of PBS
    account: str = ""
    scheduler_options: tuple[str, ...] = ()  # passed as they are

    def __bool__(self) -> bool:
        """Whether it takes anything of this machine."""
        return any((self.cpus, self.memory, self.gpus, self.disk))


@frozen
class Foreach:
    """What a segment goes over: one of a glob, values as text, a CSV file (a line an item), or 0 to count - 1."""

    pattern: str = ""
    values: tuple[str, ...] = ()
    csv: str = ""
    count: int | None = None


@frozen
class Many:
    """A segment that runs its command once for each item."""

    foreach: Foreach | None = None  # None: `matrix` alone
    matrix: tuple[tuple[str, tuple[str, ...]], ...] = ()  # parameter -> its values; each combination runs
    batch: int = 1  # items given to one start of the program
    most_failures: float | None = None  # None: go on whatever fails
    most_failures_percent: bool = False  # of all items, where it is not a count
    by_content: bool = False  # `identity: content`
    canary: bool = False


@frozen
class Need:
    """One entry of `needs:`."""

    number: int  # of the segment that must have ended
    items: bool = False  # item by item: written as `{items: name}`


@frozen
class Segment:
    """One entry of `run:`, as written (tokens not yet resolved)."""

    number: int  # from 1, control segments counted
    name: str
    type: SegmentType
    content_hash: str
    message: str = ""
    environment: str = ""  # as written
    distro: str = ""  # use-linux-distro, trimmed
    env: tuple[tuple[str, Value], ...] = ()
    commands: tuple[Entry, ...] = ()
    cwd: str = ""
    timeout: float | None = None  # seconds
    retries: int = 0
    retry_delay: float = 5.0  # seconds before the first retry; doubled before each further one
    keep_going: bool = False
    outputs: tuple[str, ...] = ()
    outputs_may_be_old: bool = False
    inputs: tuple[str, ...] = ()  # globs, as `outputs`
    needs: tuple[Need, ...] | None = None  # None: the segment before
    resources: Resources = Resources()
    retry_memory: float = 1.0  # by how much `resources.memory` grows at a retry after a kill for memory
    many: Many | None = None
    marks: Mapping[str, Mark] = field(
        default_factory=dict
    )  # key -> its value; "" -> the segment; "commands.0" -> entry

    @property
    def is_control(self) -> bool:
        return self.type is not SegmentType.NORMAL


@frozen
class Pipeline:
    """A pipeline file that was read and found valid."""

    path: PurePath  # absolute
    sha256: str  # of the file's bytes
    segments: tuple[Segment, ...]
    warnings: tuple[Diagnostic, ...] = ()
    lines: tuple[str, ...] = ()  # for excerpts in later findings
    source: bytes = b""  # the file as it was read
    home: PurePath | None = None  # of a copy in a record: the folder of the file itself

    @property
    def folder(self) -> PurePath:
        return self.home or self.path.parent


@frozen
class ResolvedFlags:
    """A FlagMap with tokens resolved and values as text; None is a flag alone."""

    items: tuple[tuple[str, str | None], ...]


ResolvedEntry = str | ResolvedFlags


@frozen
class EnvironmentSpec:
    """What `environment:` (with `use-linux-distro`) names. `kind` is for `runner.environments` alone."""

    kind: str  # uv, script, conda, imagej, shell, wsl, combined, modules, recorded
    name: str = ""  # group (as normalised by uv), conda name or prefix
    python: str = ""  # the version asked for in `uv@VERSION:`, or ""
    distro: str = ""  # WSL distribution (Windows only); "default" is WSL's own default
    text: str = ""  # as written
    parts: tuple[EnvironmentSpec, ...] = ()  # of a combined one: what stands below first
    modules: tuple[str, ...] = ()  # loaded before the one of `parts`


@frozen
class Command:
    """A process to start. `env` is what the runner sets, `activation` what an activated environment brings.

    The child's environment is the caller's, less `unset`, then `activation`, then `env`.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    activation: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    # whom the first, kind stop signal goes to: uv hands it on to its child, a shell does not
    stop_leader_only: bool = False
    # Windows: a command line that must reach the program byte for byte (cmd.exe); argv is then for people
    raw_command_line: str | None = None


@frozen
class Outcome:
    """How a started command ended."""

    exit_code: int | None  # None when it could not be started
    started: float  # seconds since the epoch
    duration: float  # seconds, monotonic clock
    signal: int | None = None
    timed_out: bool = False
    stopped: bool = False  # we were asked to stop it
    peak_memory: int | None = None  # bytes, whole tree
    cpu_time: float | None = None  # seconds, whole tree
    gpu_memory: int | None = None  # bytes, whole tree
    leftovers: tuple[str, ...] = ()  # processes it left running, which we ended
    explanation: str = ""  # plain words, "" for exit code 0
    error: str = ""  # it could not be started: why
    out_of_memory: bool = False  # most likely the system ended it, or a process of its tree, because memory ran out

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0 and not self.timed_out and not self.stopped and not self.error


@frozen
class Captured:
    """What a short query printed. `code` is None when it could not be started or did not end in time."""

    code: int | None
    stdout: bytes
    stderr: bytes
    error: str = ""


class Capture(Protocol):
    """Runs a short query (`conda info --base`); the only way for an environment to ask a program."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        timeout: float = 30.0,
        stdin: bytes = b"",
    ) -> Captured: ...


class Output(TypedDict):
    """One file that a segment left behind."""

    path: str
    size: int
    modified: float


class Action(Enum):
    RUN = "run"
    SKIP = "skip"
    PAUSE = "pause"
    STOP = "stop"
    FORCE = "force"
    ACCEPT = "accept"


@frozen
class Step:
    """One line of the plan."""

    segment: Segment
    action: Action
    reason: str
