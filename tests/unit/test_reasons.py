"""Why a job waits: what comes by itself and what never does, by the words that Slurm 22.05 has for it."""

from __future__ import annotations

import pytest

from runner.cluster.jobs import JobLook, JobState
from runner.cluster.reasons import is_held
from runner.cluster.says import Asked, say, with_log

COMES = """Priority Resources Dependency BeginTime Licenses JobArrayTaskLimit Prolog Cleaning NodeDown PartitionDown
    PartitionInactive ReqNodeNotAvail AssocGrpCpuLimit AssocGrpCPURunMinutesLimit AssocGrpMemLimit AssocMaxJobsLimit
    QOSGrpGRES QOSGrpGRESRunMinutes QOSMaxJobsPerUserLimit QOSMaxGRESPerUser QOSMaxSubmitJobPerUserLimit QOSJobLimit
    MaxJobsPerAccount MaxGRESPerAccount AssociationResourceLimit SomethingNew None""".split()
NEVER = """DependencyNeverSatisfied PartitionTimeLimit PartitionNodeLimit PartitionConfig BadConstraints MaxMemPerLimit
    AssocMaxWallDurationPerJobLimit QOSMaxWallDurationPerJobLimit QOSMaxCpuPerJobLimit AssocMaxGRESPerJob
    QOSMaxMemoryPerNode QOSMinGRES QOSMinCpuNotSatisfied AssocGrpCPUMinutesLimit QOSGrpGRESMinutes AssocGrpWallLimit
    QOSTimeLimit InvalidAccount InvalidQOS AccountNotAllowed QOSNotAllowed JobHeldUser JobHeldAdmin JobHoldMaxRequeue
    ReservationDeleted DeadLine""".split()
SENTENCES = {
    "ReqNodeNotAvail, UnavailableNodes:n[1-3]": False,
    "ReqNodeNotAvail, Reserved for maintenance": False,
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": False,
    "launch failed requeued held": True,
    "user env retrieval failed requeued held": True,
    "job requeued in held state": True,
    "Not Running: Insufficient amount of resource: ncpus (R: 4 A: 0 T: 8)": False,
    "Can Never Run: Insufficient amount of resource: ngpus (R: 4 A: 2 T: 2)": True,
}


@pytest.mark.parametrize(
    ("reason", "held"), [*((one, False) for one in COMES), *((one, True) for one in NEVER), *SENTENCES.items()]
)
def test_what_comes_by_itself_and_what_never_does(reason: str, held: bool) -> None:
    assert is_held(reason) is held
    look = JobLook(JobState.HELD if held else JobState.WAITING, reason)
    assert bool(say(look).cure) is held
    assert reason in say(look).words or reason == "None"


@pytest.mark.parametrize(
    ("log", "state"),
    [
        ("slurmstepd: error: Detected 3 oom-kill event(s) in StepId=12.batch. Some of your processes may have been "
         "killed by the cgroup out-of-memory handler.", JobState.OUT_OF_MEMORY),
        ("slurmstepd: error: Detected 1959 oom_kill events in StepId=45.batch. Some of the step tasks have been OOM "
         "Killed.", JobState.OUT_OF_MEMORY),
        ("slurmstepd: error: Exceeded step memory limit at some point.", JobState.OUT_OF_MEMORY),
        ("slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-27T14:26:28 DUE TO TIME LIMIT ***",
         JobState.OUT_OF_TIME),
        ("slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-27T14:26:28 DUE TO PREEMPTION ***",
         JobState.PREEMPTED),
        ("slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-27T14:26:28 DUE TO NODE FAILURE, SEE SLURMCTLD LOG "
         "FOR DETAILS ***", JobState.NODE_FAILED),
        ("slurmstepd: error: *** JOB 4 ON n1 CANCELLED AT 2026-11-27T14:26:28 ***", JobState.CANCELLED),
        ("=>> PBS: job killed: walltime 10 exceeded limit 1", JobState.OUT_OF_TIME),
        ("=>> PBS: job killed: mem 2048000kb exceeded limit 1048576kb", JobState.OUT_OF_MEMORY),
        ("Cgroup mem limit exceeded: oom-kill:constraint=CONSTRAINT_MEMCG", JobState.OUT_OF_MEMORY),
        ("copies item003.tif", JobState.UNKNOWN),
    ],
)  # fmt: skip
def test_a_job_that_nobody_knows_any_more_is_known_by_its_own_output(log: str, state: JobState) -> None:
    assert with_log(JobLook(JobState.UNKNOWN), f"some output\n{log}\n").state is state


def test_what_the_scheduler_says_for_certain_is_not_changed_by_the_output() -> None:
    text = "error: *** JOB 4 ON n1 CANCELLED AT 2026-11-27T14:26:28 ***"
    assert with_log(JobLook(JobState.FAILED, signal=9), text).state is JobState.FAILED
    assert with_log(JobLook(JobState.NODE_FAILED), "oom_kill").state is JobState.NODE_FAILED
    assert with_log(JobLook(JobState.RUNNING), "oom_kill").state is JobState.RUNNING


def test_what_an_element_had_is_told_with_it() -> None:
    look = JobLook(JobState.OUT_OF_MEMORY, node="n1")
    assert say(look, Asked(memory=16 << 30)).words == "out of memory: it had 16 GiB (on n1)"
