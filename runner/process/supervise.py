"""Run one command to its end: its output, its time limit, its whole process tree."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from runner.model import Command, Outcome
from runner.process import launch as launching
from runner.process import spawn as spawning
from runner.process.explain import explain
from runner.process.launch import MARKER, StartError
from runner.process.memory_limits import KILLS, Blame, Kills
from runner.process.stop import StopRequest, closed_with_us, next_event
from runner.process.suspend import awake
from runner.process.tag import RunMark, new_tree_tag, own_run_tag, release
from runner.process.tee import LogFile, Screen, Tee, log_problem
from runner.process.tree import EXITED, Ended, OwnedTree

if TYPE_CHECKING:
    from runner.process.sample import Samples

TICK = 0.5  # seconds between two calls of `on_tick`
SAMPLE_AFTER = 0.1  # what ends sooner is not worth a look
LEFTOVER_GRACE = 2.0
LINGER = 0.05  # seconds between two looks at what is about to stop
DRAIN = 2.0
_LAST_PATIENCE = 5.0  # for a process that not even the system can end


def run(
    command: Command,
    *,
    environ: Mapping[str, str],
    screen: Screen | None,
    log: Path | LogFile,
    timeout: float | None,
    stop: StopRequest,
    grace: float = 10.0,
    on_start: Callable[[int, float], None] | None = None,
    on_tick: Callable[[], None] | None = None,
    mark: RunMark | None = None,
    terminal: bool = True,
    kills: Kills = KILLS,
) -> Outcome:
    """Start `command`, pass on what it prints, and return when it and all that it started have ended.

    May be called from several threads at once. `environ` is the caller's environment. `screen` gets each chunk of
    output in another thread; one that fails is not called again. `log` is added to; a `LogFile` stays open, and what
    lies between its `size` before and after is this command's. `timeout` and `grace` (from the kind stop to the
    forced one) are seconds. `mark` is the run's (`tag.new_run_mark`): what a later runner finds all its trees by.
    `kills` is for tests. `terminal`: it may read from the terminal that we were started in, unless another one does.
    `on_start` gets the pid and the creation time (`identity.process_started`), `on_tick` is called twice a second.
    Raises StateError for the log only.
    """
    began = time.time()
    if stop.requested:
        return Outcome(None, began, 0.0, stopped=True, explanation="It was not started: a stop had been asked for.")
    child = launching.child_environ(environ, command, sys.platform)
    marker = launching.new_marker({MARKER: mark.marker} if mark else environ)
    child[MARKER] = marker
    file = log if isinstance(log, LogFile) else LogFile(log)
    start = awake()
    with _standard_input(terminal) as stdin, kills.alive() as blame:
        try:
            tree, source = _start(command, child, marker, mark.tag if mark else own_run_tag(), stdin)
        except StartError as error:
            if file is not log:
                file.close()
            return Outcome(None, began, 0.0, explanation=str(error), error=str(error))
        run_ = _Run(tree, command, stop, timeout, grace, start, stdin is None, kills)
        try:
            run_.tee = Tee(source, file, screen, run_.log_failed, owns=file is not log)
            tree.watch(run_.events)
            if on_start is not None:
                on_start(tree.pid, tree.started or 0.0)
            run_.follow(on_tick, child.get("PATH"))
            return run_.outcome(began, file.path, blame)
        finally:
            run_.close()


def _start(
    command: Command, child: dict[str, str], marker: str, run_tag: int, stdin: int | None
) -> tuple[OwnedTree, int]:
    """The running tree and the reading end of what it prints. Raises StartError."""
    if not os.path.isdir(command.cwd):  # noqa: PTH112
        raise StartError(f"The working directory does not exist: {command.cwd}")
    launch = launching.launch_for(
        command.argv, child, sys.platform, cwd=command.cwd, raw_command_line=command.raw_command_line
    )
    tag = new_tree_tag(run_tag)
    before = frozenset() if tag else spawning.adopted_before()
    try:
        process = spawning.spawn(
            launch, env=child, cwd=command.cwd, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            suspended=True, tag=tag,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        release(tag)
        if isinstance(error, ValueError):
            raise StartError(f"{command.argv[0]} could not be started: {error}.") from error
        reason = launching.why_not_started(error, command.argv, command.cwd, child, sys.platform)
        raise StartError(reason) from error
    assert process.stdout is not None
    source = os.dup(process.stdout.fileno())
    process.stdout.close()
    if sys.platform == "win32":
        from runner.process.tree_windows import WindowsTree

        return WindowsTree(process, marker), source
    else:  # noqa: RET505 (so that mypy for Windows leaves it out)
        from runner.process.tree_posix import PosixTree

        return PosixTree(process, marker, tag, before), source


_terminal = threading.Lock()


@contextlib.contextmanager
def _standard_input(wanted: bool) -> Iterator[int | None]:
    """A person may answer one segment at a time; what is piped into the runner is not the segment's to eat."""
    held = wanted and _at_terminal() and _terminal.acquire(blocking=False)
    try:
        yield None if held else subprocess.DEVNULL
    finally:
        if held:
            _terminal.release()


def _at_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


@dataclass(eq=False)
class _Run:
    """The state of one `run`, from start to outcome."""

    tree: OwnedTree
    command: Command
    stop: StopRequest
    timeout: float | None
    grace: float
    start: float
    terminal: bool = False
    kills: Kills = KILLS
    tee: Tee | None = None
    samples: Samples | None = None
    asked: float | None = None  # when the kind stop went out
    killed: float | None = None
    timed_out: bool = False
    no_log: bool = False
    given_up: bool = False
    ended: Ended | None = None
    events: SimpleQueue[Any] = field(default_factory=SimpleQueue)

    def log_failed(self) -> None:
        """Called by the tee's thread."""
        self.no_log = True
        self.events.put("log")

    def follow(self, on_tick: Callable[[], None] | None, path: str | None) -> None:
        """Wait for the leader's end; see to time-out, stop, ticks and samples meanwhile."""
        next_tick = self.start + TICK
        with self.stop.listening(self.events):
            while not self.given_up:
                self._enforce(awake())
                event = next_event(self.events, self._until_due(awake(), next_tick if on_tick else None))
                now = awake()
                if event == EXITED:
                    break
                if self.samples is None and now >= self.start + SAMPLE_AFTER:
                    self._begin_sampling(path)
                if on_tick is not None and now >= next_tick:
                    next_tick = now + TICK
                    on_tick()
            self._linger()

    def _linger(self) -> None:
        """A shell, or uv on Windows, dies at once when all are asked to stop; the others still have their grace."""
        while self.asked is not None and self.killed is None and self.tree.still_stopping():
            force_at = self._force_at()
            if self.stop.immediate or (force_at is not None and awake() >= force_at):
                return
            next_event(self.events, LINGER)

    def _until_due(self, now: float, next_tick: float | None) -> float | None:
        """Seconds until something is to be done, None for never."""
        due = [next_tick, self._force_at()]
        if self.samples is None:
            due.append(self.start + SAMPLE_AFTER)
        if self.timeout is not None and not self.timed_out:
            due.append(self.start + self.timeout)
        times = [t for t in due if t is not None]
        return max(0.0, min(times) - now) if times else None

    def _force_at(self) -> float | None:
        if self.killed is not None:
            return self.killed + _LAST_PATIENCE
        if self.asked is None:
            return None
        grace = self.grace if self.stop.grace is None else min(self.grace, self.stop.grace)
        return self.asked + grace

    def _enforce(self, now: float) -> None:
        """Stop the tree if it is to be stopped: first kindly, then by force."""
        if self.asked is None:
            if self.timeout is not None and now >= self.start + self.timeout and not self.stop.requested:
                self.timed_out = True
            if not (self.timed_out or self.no_log or self.stop.requested):
                return
            self.asked = now
            if not self.stop.immediate:
                number = self.stop.signal if self.stop.requested else 15
                # uv hands a Ctrl-C on to its child, except where it sees a terminal: that is said to have done so
                heard = self.terminal and number == signal.SIGINT
                self.tree.stop_kindly(number, leader_only=self.command.stop_leader_only and not heard)
        force_at = self._force_at()
        if self.killed is not None:
            self.given_up = now >= self.killed + _LAST_PATIENCE
        elif self.stop.immediate or (force_at is not None and now >= force_at):
            self.tree.kill()
            self.killed = awake()

    def _begin_sampling(self, path: str | None) -> None:
        from runner.process.sample import Samples

        self.samples = Samples(self.tree.members, path, self.kills.count)

    def outcome(self, began: float, log: Path, blame: Blame) -> Outcome:
        """After the leader's end: clear up, and tell how it went."""
        duration = awake() - self.start
        seen = self.samples
        unasked = self.asked is None
        left = self.tree.end_leftovers(LEFTOVER_GRACE if unasked else 0.0)
        if seen is not None:
            seen.stop()
        assert self.tee is not None
        self.tee.finish(DRAIN, hurry=lambda: self.asked is not None or self.stop.requested)
        ended = self.ended = Ended(None) if self.given_up else self.tree.collect()
        if self.tee.log_error is not None:
            raise log_problem(log, self.tee.log_error)
        if self.tee.screen_error is not None:
            raise self.tee.screen_error
        closed = unasked and closed_with_us(ended.code, self.stop, sys.platform)
        stopped = closed or not (unasked or self.timed_out)
        out_of_memory = (
            ended.code != 0
            and unasked
            and blame(
                killed=ended.signal == 9 or ended.code == 137 or ended.lost,
                lost=lambda: seen is not None and seen.lost,
            )
        )
        return Outcome(
            exit_code=ended.code,
            started=began,
            duration=duration,
            signal=ended.signal,
            timed_out=self.timed_out,
            stopped=stopped,
            peak_memory=_largest(ended.memory, seen.peak_memory if seen else None),
            cpu_time=ended.cpu if ended.cpu is not None or not seen else seen.cpu_time,
            gpu_memory=seen.gpu_memory if seen else None,
            leftovers=tuple(str(entry) for entry in left) if unasked else (),
            explanation=explain(
                ended.code,
                sys.platform,
                signal=ended.signal,
                timed_out=self.timed_out,
                timeout=self.timeout,
                stopped=stopped,
                reason=self.stop.reason,
                given_up=self.given_up,
                out_of_memory=out_of_memory,
            ),
            out_of_memory=out_of_memory,
        )

    def close(self) -> None:
        """However we came here: nothing of the tree lives on."""
        if self.ended is not None:
            return
        self.tree.kill()
        if self.samples is not None:
            self.samples.stop()
        if self.tee is not None:
            self.tee.finish(0.1, hurry=lambda: True)
        self.tree.collect()


def _largest(*sizes: int | None) -> int | None:
    known = [size for size in sizes if size is not None]
    return max(known) if known else None
