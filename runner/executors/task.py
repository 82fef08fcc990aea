"""Runs one task to its receipt: attempts, time-out, declared outputs. Every executor decides success here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from runner.environments import Site, how_to_add, kind
from runner.environments import fingerprint as fingerprint_of
from runner.errors import RunnerError
from runner.frozen import frozen
from runner.ground.away import Shares
from runner.ground.codes import spell_code
from runner.ground.files import Syncer
from runner.ground.words import time_text
from runner.model import Command, Outcome
from runner.process.stop import StopRequest
from runner.process.supervise import run
from runner.process.suspend import awake
from runner.process.tag import RunMark
from runner.process.tee import LogFile
from runner.records.journal import Journal, Reporter
from runner.records.receipt import Receipt, Result
from runner.state import outputs
from runner.tasks import Task

AWAY = "it failed while its disk or share was away: once more"
_LOOKED_AT = 4096  # bytes of the log: whether it begins with a message of the program that starts the segment's

# Python's answer to Ctrl-C tells nobody anything; it stays in the log
_INTERRUPTED = re.compile(rb"(?ms)^Traceback \(most recent call last\):\r?$.*?^KeyboardInterrupt\b[^\n]*\n?")


@frozen
class Around:
    """What all tasks of a run have in common."""

    site: Site
    journal: Journal
    stop: StopRequest
    syncer: Syncer
    mark: RunMark  # by which a later runner finds all that this one started
    total: int  # the number of the last segment
    durations: Mapping[str, float] = field(default_factory=dict)  # seconds by name, from earlier runs
    shares: Shares = field(default_factory=Shares)
    fingerprints: dict[Any, Mapping[str, object]] = field(default_factory=dict)
    # called with a job when it starts: what it gives is called when it succeeded
    reading: Callable[[Task], Callable[[], None]] = lambda job: lambda: None


@frozen
class Attempt:
    state: Result
    outcome: Outcome
    note: str  # plain words, "" when it succeeded
    log: Path
    away: bool = False  # the disk or share was away when it ended

    @property
    def to_repeat(self) -> bool:
        """It failed together with the disk: that is no fault of its own, and none of its tries."""
        return self.away and self.state == Result.FAILED


def run_task(job: Task, folder: Path, around: Around) -> Receipt:
    """Run `job` with its retries; its log and receipt go into `folder`. Raises StateError, EnvironmentMissing."""
    segment, site, stop = job.segment, around.site, around.stop
    around.shares.settle()
    command = job.command(site)
    told = job.masked({"argv": list(command.argv), "cwd": command.cwd, "env": dict(command.env)}, site)
    around.journal.say(
        "start",
        segment,
        total=around.total,
        expected=around.durations.get(segment.name),
        argv=told["argv"],
        cwd=told["cwd"],
        environment=segment.environment,
    )
    folder.mkdir(parents=True, exist_ok=True)
    before = {} if segment.outputs_may_be_old else outputs.marks(job.outputs, job.cwd)
    if (seconds := outputs.settling(before)) and not stop.requested:
        stop.wait(seconds)
    succeeded = around.reading(job)
    tries: list[dict[str, Any]] = []
    last = _tried(job, command, folder, around, before, tries)
    receipt = Receipt(
        segment=segment.number,
        name=segment.name,
        content_hash=segment.content_hash,
        state=last.state,
        explanation=last.note,
        **_measured(last.outcome),
        command=told,
        environment={"text": segment.environment, **fingerprint(job, around)},
        outputs=outputs.listing(job.outputs, job.cwd),
        attempts=tries,
        log=last.log.name,
    )
    around.shares.patiently(lambda: receipt.write(folder, around.syncer))
    if receipt.succeeded:
        succeeded()
    around.journal.say("end", segment, state=last.state, **receipt.measured, explanation=last.note, log=str(last.log))
    return receipt


def _tried(
    job: Task, command: Command, folder: Path, around: Around, before: outputs.Marks, tries: list[dict[str, Any]]
) -> Attempt:
    """The last of its attempts."""
    segment, delay, reporter = job.segment, job.segment.retry_delay, around.journal.reporter
    while True:
        around.shares.settle()
        log = folder / ("log.txt" if not tries else f"log.{len(tries) + 1}.txt")
        begin = awake()
        last_words = bytearray()  # of a program that was asked to stop

        def screen(chunk: bytes, last_words: bytearray = last_words) -> None:
            if around.stop.requested:
                last_words.extend(chunk)
            else:
                reporter.output(chunk, segment.number)

        last = attempt(
            job, command, log, around, before, screen=screen, on_tick=partial(_tick, reporter, begin, segment.number)
        )
        reporter.output(_INTERRUPTED.sub(b"", bytes(last_words)), segment.number)
        if last.to_repeat and not around.stop.requested:
            around.journal.note(f"   {AWAY}")
            continue
        if refused := _refused(job, command, last, around.site):
            raise refused
        tries.append({"log": log.name, "state": last.state, **_measured(last.outcome), "note": last.note})
        if last.state in (Result.SUCCEEDED, Result.STOPPED) or len(tries) > segment.retries:
            return last
        around.journal.note(f"   {last.note}")
        around.journal.note(f"   try {len(tries) + 1} of {segment.retries + 1} in {time_text(delay)}")
        if around.stop.wait(delay):
            return Attempt(Result.STOPPED, last.outcome, "stopped while waiting for the next try", log)
        delay *= 2


def _tick(reporter: Reporter, begin: float, number: int) -> None:
    reporter.tick(awake() - begin, number)


def attempt(
    job: Task,
    command: Command,
    log: Path | LogFile,
    around: Around,
    before: outputs.Marks,
    *,
    screen: Callable[[bytes], None] | None = None,
    on_tick: Callable[[], None] | None = None,
    own_log: Callable[[], Path] | None = None,
) -> Attempt:
    """Start it once. `own_log` gives a failed item the part of a shared log that is its own. Raises StateError."""
    outcome = run(
        command,
        environ=around.site.host.environ,
        screen=screen,
        log=log,
        timeout=job.segment.timeout,
        stop=around.stop,
        on_tick=on_tick,
        mark=around.mark,
        terminal=job.item is None,
    )
    missing = outputs.missing_output(job.outputs, job.cwd, before) if outcome.succeeded else ""
    away = False
    if (not outcome.succeeded or missing or not (job.outputs or job.item)) and not around.stop.requested:
        away = around.shares.settle()
        if away and missing:
            missing = outputs.missing_output(job.outputs, job.cwd, before)
    state, note = Result.SUCCEEDED, ""
    if outcome.stopped:
        state, note = Result.STOPPED, outcome.explanation or "stopped"
    elif outcome.timed_out:
        limit = time_text(job.segment.timeout or 0)
        state, note = Result.TIMED_OUT, f"it was ended because it ran longer than its `timeout` of {limit}"
    elif not outcome.succeeded:
        state = Result.FAILED
    elif missing:
        state, note = Result.FAILED, f"it ended with exit code 0, but {missing} (declared in `outputs:`)"
    path = log if isinstance(log, Path) else Path(log.path)
    if own_log is not None and state != Result.SUCCEEDED:
        path = own_log()
    if state == Result.FAILED and not note:
        note = outcome.error or _why(job, outcome, path, around.site)
    if away and state == Result.SUCCEEDED and not job.outputs:
        around.journal.warn(
            f"{job.segment.name} ended while its disk or share was away: see that its results are whole"
        )
    return Attempt(state, outcome, job.masked(note, around.site), path, away)


def _refused(job: Task, command: Command, last: Attempt, site: Site) -> RunnerError | None:
    """Where the program was never started, another try gains nothing, and the segment did not fail."""
    if last.state != Result.FAILED or not last.outcome.exit_code:
        return None
    try:
        with last.log.open("rb") as file:
            said = file.read(_LOOKED_AT)
    except OSError:
        return None
    return kind(job.spec).refusal(command, last.outcome.exit_code, said.decode("utf-8", "replace"), job.spec, site)


def _why(job: Task, outcome: Outcome, log: Path, site: Site) -> str:
    """The exit code in words, with the program's own reason and a cure where it names one."""
    said = outcome.explanation or f"It ended with {spell_code(outcome.exit_code)}."
    if not outcome.exit_code or outcome.signal is not None:
        return said
    from runner.executors.cause import cause_in

    cause = cause_in(log, lambda module: how_to_add(module, job.spec, site))
    if cause is None:
        return said
    return f"{said.removesuffix('.')}: {cause.text}" + (f"\n{cause.cure}" if cause.cure else "")


def _measured(outcome: Outcome) -> dict[str, Any]:
    return {
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "started": datetime.fromtimestamp(outcome.started).astimezone().isoformat(timespec="milliseconds"),
        "seconds": round(outcome.duration, 6),
        "peak_memory": outcome.peak_memory,
        "cpu_time": outcome.cpu_time,
        "gpu_memory": outcome.gpu_memory,
        "leftovers": list(outcome.leftovers),
    }


def fingerprint(job: Task, around: Around) -> Mapping[str, object]:
    """Read once a run for each environment."""
    key = job.environment_key
    if key not in around.fingerprints:
        around.fingerprints[key] = fingerprint_of(job.spec, job.entries, around.site)
    return around.fingerprints[key]
