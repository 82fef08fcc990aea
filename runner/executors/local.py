"""Runs one segment on this machine: attempts, time-out, declared outputs, receipt."""

from __future__ import annotations

import getpass
import platform
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from runner import __version__
from runner.environments import Site, fingerprint, how_to_add, kind
from runner.errors import RunnerError
from runner.ground.codes import spell_code
from runner.ground.files import Syncer
from runner.ground.words import time_text
from runner.jobs import Job
from runner.model import Command, Outcome
from runner.process.launch import new_marker
from runner.process.stop import StopRequest
from runner.process.supervise import run
from runner.process.suspend import awake
from runner.process.tree import Strays
from runner.report import Reporter
from runner.state import outputs
from runner.state.records import SCHEMA, SUCCEEDED, write_json

_LOOKED_AT = 4096  # bytes of the log: whether it begins with a message of the program that starts the segment's


# Python's answer to Ctrl-C tells nobody anything; it stays in the log
_INTERRUPTED = re.compile(rb"(?ms)^Traceback \(most recent call last\):\r?$.*?^KeyboardInterrupt\b[^\n]*\n?")


@dataclass(frozen=True)
class Result:
    """How a segment ended, over all its attempts."""

    state: str  # succeeded, failed, timed out, stopped
    outcome: Outcome
    note: str  # plain words, "" when it succeeded
    log: Path
    attempts: int


def run_segment(
    job: Job,
    site: Site,
    folder: Path,
    *,
    reporter: Reporter,
    stop: StopRequest,
    total: int,
    expected: float | None,
    on_start: Callable[[int, float, str, Strays], None],
    fingerprint: Callable[[Job], Mapping[str, object]],
    syncer: Syncer | None = None,
) -> Result:
    """Run `job` with its retries; its log and receipt go into `folder`. Raises StateError, EnvironmentMissing."""
    segment = job.segment
    command = job.command(site)
    reporter.started(segment, total, expected, job.masked(command.argv, site), job.masked(command.cwd, site))
    folder.mkdir(parents=True, exist_ok=True)
    before = {} if segment.outputs_may_be_old else outputs.marks(job.outputs, job.cwd)
    if (seconds := outputs.settling(before)) and not stop.requested:
        stop.wait(seconds)
    tries: list[dict[str, Any]] = []
    delay = segment.retry_delay
    while True:
        log = folder / ("log.txt" if not tries else f"log.{len(tries) + 1}.txt")
        result = _attempt(job, command, log, site, reporter, stop, on_start, len(tries) + 1, before)
        if refused := _refused(job, command, result, log, site):
            raise refused
        tries.append({"log": log.name, "state": result.state, **_measured(result.outcome), "note": result.note})
        if result.state in (SUCCEEDED, "stopped") or len(tries) > segment.retries:
            break
        reporter.note(f"   {result.note}")
        reporter.note(f"   try {len(tries) + 1} of {segment.retries + 1} in {time_text(delay)}")
        if stop.wait(delay):
            result = replace(result, state="stopped", note="stopped while waiting for the next try")
            break
        delay *= 2
    told = job.masked({"argv": command.argv, "cwd": command.cwd, "env": command.env}, site)
    receipt = _receipt(job, told, result, tries, fingerprint(job))
    write_json(folder / "receipt.json", receipt, syncer)
    return result


def _attempt(
    job: Job,
    command: Command,
    log: Path,
    site: Site,
    reporter: Reporter,
    stop: StopRequest,
    on_start: Callable[[int, float, str, Strays], None],
    number: int,
    before: outputs.Marks,
) -> Result:
    marker = new_marker(site.host.environ)
    begin = awake()
    leader = (0, 0.0)
    last_words = bytearray()  # of a program that was asked to stop

    def began(pid: int, started: float) -> None:
        nonlocal leader
        leader = (pid, started)
        on_start(pid, started, marker, ())

    outcome = run(
        command,
        environ=site.host.environ,
        screen=lambda chunk: last_words.extend(chunk) if stop.requested else reporter.output(chunk),
        log=log,
        timeout=job.segment.timeout,
        stop=stop,
        on_start=began,
        on_strays=lambda strays: on_start(*leader, marker, strays),
        on_tick=lambda: reporter.tick(awake() - begin),
        marker=marker,
    )
    reporter.output(_INTERRUPTED.sub(b"", bytes(last_words)))
    state, note = SUCCEEDED, ""
    if outcome.stopped:
        state, note = "stopped", outcome.explanation or "stopped"
    elif outcome.timed_out:
        limit = time_text(job.segment.timeout or 0)
        state, note = "timed out", f"it was ended because it ran longer than its `timeout` of {limit}"
    elif not outcome.succeeded:
        state, note = "failed", outcome.error or _why(job, outcome, log, site)
    elif missing := outputs.missing_output(job.outputs, job.cwd, before):
        state, note = "failed", f"it ended with exit code 0, but {missing} (declared in `outputs:`)"
    return Result(state, outcome, job.masked(note, site), log, number)


def _refused(job: Job, command: Command, result: Result, log: Path, site: Site) -> RunnerError | None:
    """Where the program was never started, another try gains nothing, and the segment did not fail."""
    if result.state != "failed" or not result.outcome.exit_code:
        return None
    try:
        with log.open("rb") as file:
            said = file.read(_LOOKED_AT)
    except OSError:
        return None
    return kind(job.spec).refusal(command, result.outcome.exit_code, said.decode("utf-8", "replace"), job.spec, site)


def _why(job: Job, outcome: Outcome, log: Path, site: Site) -> str:
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
        "seconds": round(outcome.duration, 3),
        "peak_memory": outcome.peak_memory,
        "cpu_time": outcome.cpu_time,
        "gpu_memory": outcome.gpu_memory,
        "leftovers": list(outcome.leftovers),
    }


@cache
def _machine() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        user = ""
    return {"host": socket.gethostname(), "user": user, "platform": platform.platform()}


def _receipt(
    job: Job, command: Mapping[str, Any], result: Result, tries: list[dict[str, Any]], environment: Mapping[str, object]
) -> dict[str, Any]:
    segment = job.segment
    return {
        "schema": SCHEMA,
        "runner": __version__,
        "segment": segment.number,
        "name": segment.name,
        "content_hash": segment.content_hash,
        "state": result.state,
        "explanation": result.note,
        **_measured(result.outcome),
        "command": {**command, "argv": list(command["argv"])},
        "environment": {"text": segment.environment, **environment},
        "outputs": outputs.listing(job.outputs, job.cwd),
        "attempts": tries,
        "log": result.log.name,
        **_machine(),
    }


def environment_fingerprint(job: Job, site: Site) -> Mapping[str, object]:
    """What the environment holds."""
    return fingerprint(job.spec, job.entries, site)
