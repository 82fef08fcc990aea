"""Slurm where accounts are kept: what slurmdbd refuses, limits, and what became of jobs that squeue has forgotten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cluster.jobs import ClusterError, JobLook, JobState, Limits, QueueFull, Submission
from runner.cluster.says import say
from runner.model import Resources
from tests.cluster.test_slurm import over, scheduler
from tests.support.slurm import USER, Slurm, until


def qos(accounts: Slurm, name: str, *limits: str) -> None:
    accounts.run("sacctmgr", "-i", "add", "qos", name)
    accounts.run("sacctmgr", "-i", "modify", "qos", name, "set", *limits)
    accounts.run("sacctmgr", "-i", "modify", "user", USER, "set", f"qos+={name}")


def association(accounts: Slurm, *limits: str) -> None:
    accounts.run("sacctmgr", "-i", "modify", "user", USER, "where", "account=lab", "set", *limits)


def forgotten(accounts: Slurm, name: str) -> None:
    """Waits until only slurmdbd knows the job."""

    def gone() -> bool:
        told = accounts.run("squeue", "-h", "-t", "all", "-o", "%F")
        return name not in told.split()

    with accounts.otherwise(MinJobAge="2"):
        until(gone, 60, lambda: "squeue still knows it")


def test_a_wrong_account_or_qos_is_refused_with_its_cure(accounts: Slurm, job: Callable[..., Submission]) -> None:
    with pytest.raises(ClusterError, match="Invalid account") as caught:
        scheduler(accounts, account="of-nobody").test(job("true"))
    assert "sacctmgr show associations" in caught.value.cure
    with pytest.raises(ClusterError, match="Invalid account"):
        scheduler(accounts, account="lab").submit(job("true", resources=Resources(account="of-nobody")))
    with pytest.raises(ClusterError, match="Invalid qos") as caught:
        scheduler(accounts, qos="of-nobody").submit(job("true"))
    assert "`qos`" in caught.value.cure
    assert scheduler(accounts, account="lab", qos="normal").test(job("true"))


def test_more_jobs_than_an_account_may_have_wait_and_are_no_failure(
    accounts: Slurm, job: Callable[..., Submission]
) -> None:
    association(accounts, "MaxSubmitJobs=5")
    one = scheduler(accounts, account="lab")
    assert one.limits() == Limits(1001, 5, 5)
    name = one.submit(job("exec sleep 300", range(4)))
    assert one.limits().left == 1
    for call in (one.submit, one.test):
        with pytest.raises(QueueFull, match="AssocMaxSubmitJobLimit"):
            call(job("true", range(2)))  # type: ignore[operator]
    one.cancel([(name, None)])
    over(one, name, range(4))
    until(lambda: one.limits().left == 5, 20, lambda: str(one.limits()))
    over(one, one.submit(job("true", range(2))), range(2))
    association(accounts, "MaxSubmitJobs=-1")


def test_what_is_above_a_limit_of_a_qos_is_refused_or_held_and_what_comes_later_waits(
    accounts: Slurm, job: Callable[..., Submission]
) -> None:
    qos(accounts, "small", "MaxTRESPerJob=cpu=2", "MaxSubmitJobsPerUser=3", "Flags=DenyOnLimit")
    qos(accounts, "brief", "MaxWall=5")
    qos(accounts, "single", "MaxJobsPerUser=1")
    qos(accounts, "spent", "GrpTRESMins=cpu=0")
    with pytest.raises(ClusterError, match="QOSMaxCpuPerJobLimit") as caught:
        scheduler(accounts, qos="small").submit(job("true", resources=Resources(cpus=3)))
    assert not isinstance(caught.value, QueueFull)
    with pytest.raises(QueueFull, match="QOSMaxSubmitJobPerUserLimit"):
        scheduler(accounts, qos="small").submit(job("true", range(4)))

    def waits(one: str, why: str, **more: object) -> JobLook:
        asked = scheduler(accounts, qos=one)
        element = (asked.submit(job("exec sleep 300", **more)), None)
        until(lambda: asked.look([element])[element].reason == why, 20, lambda: str(asked.look([element])))
        return asked.look([element])[element]

    waits("single", "", seconds=60)
    turn = waits("single", "QOSMaxJobsPerUserLimit", seconds=60)
    long = waits("brief", "QOSMaxWallDurationPerJobLimit", seconds=600)
    spent = waits("spent", "QOSGrpCPUMinutesLimit")
    assert [look.state for look in (turn, long, spent)] == [JobState.WAITING, JobState.HELD, JobState.HELD]
    assert not say(turn).cure
    assert "`time`" in say(long).cure
    assert "hours of its account are used up" in say(spent).words


def test_a_more_important_qos_preempts(accounts: Slurm, job: Callable[..., Submission]) -> None:
    qos(accounts, "low", "PreemptMode=requeue")
    qos(accounts, "high", "Preempt=low", "Priority=1000")
    one = scheduler(accounts, qos="low")
    name = one.submit(job("exec sleep 300", range(3), resources=Resources(cpus=4)))
    accounts.wait(name, "RUNNING")
    scheduler(accounts, qos="high", options=("--nodes=3", "--exclusive")).submit(job("exec sleep 300"))
    assert {look.state for look in over(one, name, range(3))} == {JobState.PREEMPTED}


def test_what_squeue_has_forgotten_the_accounts_still_tell(accounts: Slurm, job: Callable[..., Submission]) -> None:
    one, sent = (
        scheduler(accounts),
        job('case "$SLURM_ARRAY_TASK_ID" in 0) exit 75;; 1) kill -9 $$;; 2) sleep 300;; esac', range(4)),
    )
    name = one.submit(sent)
    over(one, name, [0, 1, 3])
    one.cancel([(name, 2)])
    before = over(one, name, range(4))
    forgotten(accounts, name)
    after = over(one, name, range(4))
    assert [look.state for look in after] == [look.state for look in before]
    assert [look.state for look in after] == [JobState.FAILED, JobState.FAILED, JobState.CANCELLED, JobState.ENDED]
    assert (after[0].exit_code, after[1].signal, after[2].reason.startswith("by ")) == (75, 9, True)
    assert one.find([sent.name, "rp-of-nobody"]) == {sent.name: name}
    assert one.look([(name, 77)])[name, 77].state is JobState.UNKNOWN


def test_a_cluster_that_is_named_is_named_in_each_question(accounts: Slurm, job: Callable[..., Submission]) -> None:
    one = scheduler(accounts, options=("--clusters=test",))
    sent = job("true", range(2))
    first = one.submit(sent)
    assert first.endswith(";test")
    assert one.find([sent.name]) == {sent.name: first}
    assert [look.state for look in over(one, first, range(2))] == [JobState.ENDED] * 2
    second = one.submit(job("exec sleep 300"))
    one.cancel([(second, None), (first, 0)])
    assert over(one, second)[0].state is JobState.CANCELLED


def test_memory_is_told_by_the_accounts_also_where_the_job_ended_with_0(
    accounts: Slurm, job: Callable[..., Submission], tmp_path: Path
) -> None:
    """Stand-in: sacct as a cluster with cgroups answers, of a step that the kernel killed and a script that went on."""
    program = tmp_path / "sacct"
    lines = (
        "900_0|COMPLETED|0:0|n1",
        "900_0.batch|OUT_OF_MEMORY|0:125|n1",
        "900_1|OUT_OF_MEMORY|0:125|n2",
        "900_1.batch|OUT_OF_MEMORY|0:125|n2",
        "900_1.extern|COMPLETED|0:0|n2",
        "900_[2-3,6%4]|CANCELLED by 1000|0:0|None assigned",
    )
    program.write_text("#!/bin/sh\ncat << END\n" + "\n".join(lines) + "\nEND\n")
    program.chmod(0o755)
    one = scheduler(accounts)
    one.asking = type(one.asking)(**{**vars(one.asking), "programs": {**one.asking.programs, "sacct": str(program)}})
    looks = one.look([("900", index) for index in (0, 1, 2, 6, 7)])
    assert [look.state for look in looks.values()] == [
        *(JobState.OUT_OF_MEMORY, JobState.OUT_OF_MEMORY, JobState.CANCELLED, JobState.CANCELLED, JobState.UNKNOWN)
    ]
    assert say(looks["900", 2]).words == "cancelled by 1000, not by run-pipeline"
