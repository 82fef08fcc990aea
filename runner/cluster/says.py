"""What became of a job, in plain words, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from runner.cluster.jobs import JobLook, JobState
from runner.cluster.reasons import reason_of
from runner.ground.words import size_text, time_text


class Said(NamedTuple):
    words: str
    cure: str = ""


class Asked(NamedTuple):
    """What an element had: told with it."""

    memory: int = 0
    seconds: float = 0.0


def say(look: JobLook, asked: Asked = Asked()) -> Said:  # noqa: B008
    """Of the job itself; what its items say of themselves stands in their receipts."""
    said = _SAY[look.state](look, asked)
    return said._replace(words=f"{said.words} (on {look.node})") if look.node and look.state.is_over else said


def with_log(look: JobLook, log: str) -> JobLook:
    """`look`, corrected by what the scheduler wrote into the job's own output.

    That is the only sign of memory where nothing keeps accounts, and the only one at all of a job that the scheduler
    has forgotten.
    """
    if look.state not in (JobState.FAILED, JobState.CANCELLED, JobState.UNKNOWN):
        return look
    state = next((state for pattern, state in _IN_LOG if pattern.search(log)), look.state)
    if state is JobState.CANCELLED and look.state is JobState.FAILED:
        return look  # Slurm says CANCELLED of all that it kills
    return replace(look, state=state)


# of slurmstepd and of PBS's mom
_IN_LOG = tuple(
    (re.compile(pattern, re.IGNORECASE), state)
    for pattern, state in (
        (r"oom[-_ ]kill|exceeded (step |job )?memory limit|OUT OF MEMORY", JobState.OUT_OF_MEMORY),
        (r"mem(ory)? limit exceeded|mem .*exceeded limit", JobState.OUT_OF_MEMORY),
        (r"DUE TO TIME LIMIT|walltime \d+ exceeded limit", JobState.OUT_OF_TIME),
        (r"DUE TO PREEMPTION", JobState.PREEMPTED),
        (r"DUE TO NODE FAILURE", JobState.NODE_FAILED),
        (r"\*\*\* (JOB|STEP) \S+ ON \S+ CANCELLED AT", JobState.CANCELLED),
    )
)  # fmt: skip


def _waiting(look: JobLook, asked: Asked) -> Said:
    reason = reason_of(look.reason)
    told = f" ({look.reason})" if look.reason and look.reason != "None" else ""
    return Said(f"waiting: {reason.words if reason else 'the scheduler says why'}{told}", reason.cure if reason else "")


def _failed(look: JobLook, asked: Asked) -> Said:
    if look.signal:
        return Said(
            f"its worker was killed from outside (signal {look.signal})",
            "Out of memory on the node is the usual cause: give the segment more `memory`.",
        )
    if look.reason == "BadConstraints":
        return _waiting(look, asked)
    code = "" if look.exit_code is None else f" with exit code {look.exit_code}"
    return Said(f"its worker ended{code} before all items were done", "See what it wrote: `run-pipeline logs`.")


def _memory(look: JobLook, asked: Asked) -> Said:
    had = f": it had {size_text(asked.memory)}" if asked.memory else ""
    return Said(f"out of memory{had}", "Give the segment more `memory` under `resources:`.")


def _time(look: JobLook, asked: Asked) -> Said:
    had = f": it had {time_text(asked.seconds)}" if asked.seconds else ""
    return Said(f"out of time{had}", "Give the segment more `time` under `resources:`; what is done stays done.")


def _cancelled(look: JobLook, asked: Asked) -> Said:
    if look.reason == "DependencyNeverSatisfied":
        return Said("cancelled by the scheduler: a job before it failed", "Look at that one.")
    who = f" {look.reason}" if look.reason.startswith("by ") else ""
    return Said(f"cancelled{who}, not by run-pipeline", "Start the pipeline again to run what is open.")


_AGAIN = "What is open is submitted again."
_SAY: dict[JobState, Callable[[JobLook, Asked], Said]] = {
    JobState.WAITING: _waiting,
    JobState.HELD: _waiting,
    JobState.RUNNING: lambda look, asked: Said(f"running on {look.node}" if look.node else "running"),
    JobState.ENDED: lambda look, asked: Said("ended"),
    JobState.FAILED: _failed,
    JobState.OUT_OF_MEMORY: _memory,
    JobState.OUT_OF_TIME: _time,
    JobState.NODE_FAILED: lambda look, asked: Said("its node failed", _AGAIN),
    JobState.PREEMPTED: lambda look, asked: Said("it had to make room for a more important job", _AGAIN),
    JobState.CANCELLED: _cancelled,
    JobState.UNKNOWN: lambda look, asked: Said("the scheduler does not know it (any more)"),
}
