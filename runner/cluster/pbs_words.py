"""PBS's words for the state of a job, for being away, and for refusing; what to do then."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.cluster.asking import Refusal
from runner.cluster.jobs import ClusterError, JobLook, JobState, QueueFull
from runner.cluster.reasons import is_held

AWAY = re.compile(
    r"cannot connect to server|communication failure|connection (refused|timed out|reset)|errno=15010|pbs_iff|"
    r"end of file|unknown host|no active server",
    re.IGNORECASE,
)
GONE = re.compile(r"unknown job id|job has finished|invalid for state of job|unknown jobid", re.IGNORECASE)
NO_HISTORY = re.compile(r"maintain job history|job_history_enable", re.IGNORECASE)
WAIT = "It is asked again; jobs that run go on."

_STATES = {
    "Q": JobState.WAITING,
    "W": JobState.WAITING,
    "T": JobState.WAITING,
    "H": JobState.HELD,
    "B": JobState.WAITING,  # of an array: it has begun, and says nothing of one element
    "R": JobState.RUNNING,
    "E": JobState.RUNNING,
    "S": JobState.RUNNING,
    "U": JobState.RUNNING,
    "F": JobState.ENDED,
    "X": JobState.ENDED,
}
# of pbs_mom: https://github.com/openpbs/openpbs, job.h, JOB_EXEC_KILL_...
_KILLED = {
    -29: JobState.OUT_OF_TIME,
    -28: JobState.OUT_OF_TIME,
    -27: JobState.OUT_OF_MEMORY,
    -26: JobState.OUT_OF_MEMORY,
}
_SIGNALLED = 256
_TERMINATED = "91"  # a substate: deleted while it ran


def look_of(told: Mapping[str, str], own: bool) -> JobLook:
    """Of the attributes of an element, or (not `own`) of its array."""
    state = _STATES.get(told.get("job_state", ""), JobState.UNKNOWN)
    comment = told.get("comment", "")
    if state is JobState.ENDED:
        return _ended(told, comment) if own else JobLook(JobState.UNKNOWN)
    if told.get("job_state") == "M":
        return JobLook(JobState.UNKNOWN, "moved to another server")
    if not own and told.get("job_state") == "B":
        return JobLook(JobState.UNKNOWN)
    if state is JobState.HELD:
        return _held(told, comment)
    if state is JobState.WAITING and is_held(comment):
        state = JobState.HELD
    return JobLook(state, comment if state is not JobState.RUNNING else "", _node(told))


def _held(told: Mapping[str, str], comment: str) -> JobLook:
    holds = told.get("Hold_Types", "")
    if holds == "s" and told.get("depend") and "too many failed" not in comment:
        return JobLook(JobState.WAITING, "Dependency")  # PBS holds what waits for another job
    return JobLook(JobState.HELD, "JobHeldUser" if holds == "u" else comment or "JobHeldAdmin")


def _ended(told: Mapping[str, str], comment: str) -> JobLook:
    status = told.get("Exit_status", "")
    if not re.fullmatch(r"-?\d+", status):
        # deleted before it started
        dependency = "dependency" in comment or bool(told.get("depend"))
        return JobLook(JobState.CANCELLED, "DependencyNeverSatisfied" if dependency else comment)
    code = int(status)
    if code == 0:
        return JobLook(JobState.ENDED, "", _node(told), 0)
    if code >= _SIGNALLED:
        signal = code - _SIGNALLED
        by_hand = signal == 15 or told.get("substate") == _TERMINATED
        return JobLook(JobState.CANCELLED if by_hand else JobState.FAILED, "", _node(told), None, signal)
    if code < 0:
        reason = "" if code in _KILLED else f"PBS could not start it, or had to end it: {code}"
        return JobLook(_KILLED.get(code, JobState.NODE_FAILED), reason, _node(told), code)
    return JobLook(JobState.FAILED, "", _node(told), code)


def _node(told: Mapping[str, str]) -> str:
    """Of `n1/0*4+n2/0`."""
    return re.split(r"[/+]", told.get("exec_host", ""))[0]


def _refusal(pattern: str, cure: str, kind: type[ClusterError] = ClusterError) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), cure, kind)


_SITE = "in run-pipeline.toml, under [executors.NAME]"
# the first that fits counts
REFUSALS: Sequence[Refusal] = (
    _refusal(r"usage:|invalid option|illegal -", f"Correct `options` {_SITE}, or `scheduler-options`."),
    _refusal(r"array job exceeds|max_array_size", "The array is longer than the server allows (`qstat -Bf`)."),
    _refusal(r"would exceed .*limit|maximum number of jobs|too many jobs", WAIT, QueueFull),
    _refusal(r"unknown queue|queue is not enabled|access to queue", f"Set `partition` {_SITE}: the queue. `qstat -Q`."),
    _refusal(r"account|project", f"Set `account` {_SITE}, or `resources: {{account: …}}`."),
    _refusal(
        r"resource limits|unknown resource|illegal attribute or resource|rejected by all",
        f"Ask for less under `resources:`, or correct `constraint` and `options` {_SITE}; see `qstat -Qf`.",
    ),
    _refusal(r"unauthorized|not authorized|permission", f"Set `partition` or `account` {_SITE} to what you may use."),
)
