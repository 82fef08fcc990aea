"""PBS as the runner speaks with it: against a stand-in that really runs the scripts, since no package has OpenPBS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cluster.jobs import After, ClusterError, Element, JobLook, JobState, QueueFull, SchedulerAway, Submission
from runner.cluster.pbs import Pbs as Scheduler
from runner.cluster.pbs_words import look_of
from runner.cluster.says import say, with_log
from runner.cluster.scheduler import scheduler_of
from runner.model import Captured, Resources
from runner.site_file import ExecutorSettings
from tests.support.pbs import Pbs, running_pbs
from tests.support.slurm import until

SETTINGS = ExecutorSettings("pbs", "pbs")


@pytest.fixture
def pbs(tmp_path: Path) -> Iterator[Pbs]:
    with running_pbs(tmp_path / "pbs") as found:
        yield found


def scheduler(pbs: Pbs, **settings: object) -> Scheduler:
    found = scheduler_of(replace(SETTINGS, **settings), pbs.host(SECRET="hush"))  # type: ignore[arg-type]
    assert isinstance(found, Scheduler)
    return found


def over(one: Scheduler, elements: Sequence[Element]) -> list[JobLook]:
    """What it tells of these elements when all of them are over."""
    looks: list[JobLook] = []

    def ended() -> bool:
        found = one.look(elements)
        looks[:] = [found[element] for element in elements]
        return all(look.state.is_over for look in looks)

    until(ended, 60, lambda: str(looks))
    return looks


@pytest.mark.parametrize("indices", [(), (0, 1, 2), (4, 5), (3,), (1, 4, 5, 9)])
def test_each_element_gets_its_own_number_whatever_numbers_they_are(
    pbs: Pbs, job: Callable[..., Submission], indices: tuple[int, ...]
) -> None:
    one, sent = scheduler(pbs, at_once=2), job(f"echo number {Scheduler.index}", indices)
    name = one.submit(sent)
    elements = [(name, index) for index in indices or (None,)]
    assert [look.state for look in over(one, elements)] == [JobState.ENDED] * len(elements)
    texts = [Path(one.output(sent.log, sent.name, element)).read_text().split() for element in elements]
    assert texts == [["number", str(index)] if index is not None else ["number"] for index in indices or (None,)]
    assert one.find([sent.name, "rp-of-nobody"]) == {sent.name: name}


def test_what_a_worker_ended_with_is_told(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one = scheduler(pbs)
    name = one.submit(job(f'case "{Scheduler.index}" in 2) exit 75;; 4) kill -9 $$;; esac', (2, 4, 6)))
    code, killed, good = over(one, [(name, index) for index in (2, 4, 6)])
    assert (code.state, code.exit_code) == (JobState.FAILED, 75)
    assert (killed.state, killed.signal) == (JobState.FAILED, 9)
    assert (good.state, good.exit_code, good.node) == (JobState.ENDED, 0, "node1")


def test_out_of_time_and_cancelled_by_hand(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one, sent = scheduler(pbs), job("exec sleep 60", seconds=60)
    name = one.submit(sent)
    by_hand = one.submit(job("exec sleep 60", (0, 1)))
    until(lambda: one.look([(by_hand, 1)])[by_hand, 1].state is JobState.RUNNING, 20, lambda: "it does not run")
    one.cancel([(by_hand, 1)])
    late, cancelled = over(one, [(name, None), (by_hand, 1)])
    assert (late.state, cancelled.state) == (JobState.OUT_OF_TIME, JobState.CANCELLED)
    log = one.output(sent.log, sent.name, (name, None))
    until(Path(log).exists, 10, lambda: "no output")
    unknown = with_log(JobLook(JobState.UNKNOWN), Path(log).read_text())
    assert unknown.state is JobState.OUT_OF_TIME
    assert one.look([(by_hand, 0)])[by_hand, 0].state is JobState.RUNNING
    one.cancel([(by_hand, None), (name, None), ("99.pbs-host", None)])
    assert over(one, [(by_hand, 0)])[0].state is JobState.CANCELLED


def test_what_waits_for_a_job_that_failed_is_deleted_by_pbs_and_says_so(
    pbs: Pbs, job: Callable[..., Submission]
) -> None:
    one = scheduler(pbs)
    probe = one.submit(job("sleep 1; exit 1"))
    good = one.submit(job("sleep 1"))
    never = one.submit(job("true", (0, 1), after=((After.OK, probe), (After.ANY, good))))
    later = one.submit(job("true", (0, 1), after=((After.EACH, good),)))
    waiting = one.look([(later, 1)])[later, 1]
    assert (waiting.state, waiting.reason) == (JobState.WAITING, "Dependency")
    looks = over(one, [(never, 0), (never, 1), (later, 0), (later, 1)])
    assert [(look.state, look.reason) for look in looks[:2]] == [(JobState.CANCELLED, "DependencyNeverSatisfied")] * 2
    assert [look.state for look in looks[2:]] == [JobState.ENDED] * 2


def test_what_can_never_run_is_held_and_says_why(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one = scheduler(pbs)
    large = one.submit(job("true", resources=Resources(cpus=99)))
    held = one.submit(job("true", resources=Resources(scheduler_options=("-h",))))
    looks = one.look([(large, None), (held, None)])
    assert [look.state for look in looks.values()] == [JobState.HELD] * 2
    assert "nothing that is large enough" in say(looks[large, None]).words
    assert "on hold" in say(looks[held, None]).words


def test_a_job_that_pbs_does_not_know_any_more_is_unknown_and_not_failed(
    pbs: Pbs, job: Callable[..., Submission]
) -> None:
    one = scheduler(pbs)
    name = one.submit(job("true", (0, 1)))
    over(one, [(name, 0), (name, 1)])
    pbs.settings(history=False)
    sent = job("exec sleep 60")
    running = one.submit(sent)
    looks = one.look([(name, 0), ("99[].pbs-host", 3), (running, None)])
    assert [look.state for look in looks.values()][:2] == [JobState.UNKNOWN] * 2
    assert not looks[running, None].state.is_over
    assert one.find([sent.name.replace("-2", "-1"), sent.name]) == {sent.name: running}


def test_a_server_that_is_away_says_nothing_of_jobs(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one = scheduler(pbs)
    pbs.settings(down=True)
    for call in (lambda: one.look([("11.pbs-host", None)]), lambda: one.submit(job("true")), one.limits):
        with pytest.raises(SchedulerAway, match="cannot connect"):
            call()


def test_all_jobs_are_asked_for_in_one_question_and_no_others(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one = scheduler(pbs)
    names = [one.submit(job("true", (0, 1))) for _ in range(2)]
    calls: list[list[str]] = []
    real = one.asking.host.capture

    def capture(argv: Sequence[str], **named: object) -> Captured:
        calls.append([Path(argv[0]).name, *argv[1:]])
        return real(argv, **named)  # type: ignore[arg-type]

    one.asking = replace(one.asking, host=replace(one.asking.host, capture=capture))
    assert len(one.look([(name, index) for name in names for index in (0, 1)])) == 4
    assert calls == [["qstat", "-x", "-t", "-f", *names]]
    assert one.look([]) == {}
    one.cancel([])
    assert len(calls) == 1


def test_what_the_site_file_and_the_segment_say_is_passed_and_nothing_else(
    pbs: Pbs, job: Callable[..., Submission]
) -> None:
    sent = job("true")
    plain = ["-N", sent.name, "-j", "oe", "-o", str(sent.log / f"pbs-{sent.name}.out"), "-r", "n"]
    assert scheduler(pbs).options(sent) == plain
    one = scheduler(
        pbs, partition="long", account="NAS01", constraint="model=mil_a100", options=("-W", "umask=0022"), at_once=2
    )
    more = Resources(cpus=4, memory=8 << 30, gpus=1, queue="gpu", scheduler_options=("-l", "place=excl"))
    sent = replace(
        sent, resources=more, seconds=5400, indices=(0, 1, 2), after=((After.OK, "10.h"), (After.ANY, "9[].h;3:5"))
    )
    assert one.options(sent) == [
        *("-N", sent.name, "-j", "oe", "-o", str(sent.log / f"pbs-{sent.name}.^array_index^.out")),
        *("-J", "0-2%2", "-W", "depend=afterok:10.h,afterany:9[].h", "-l", "walltime=01:30:00"),
        *("-l", "select=1:ncpus=4:mem=8192mb:ngpus=1:model=mil_a100", "-q", "gpu", "-A", "NAS01"),
        *("-W", "umask=0022", "-l", "place=excl"),
    ]
    with pytest.raises(ClusterError, match="no `qos`"):
        scheduler(pbs, qos="fast").options(sent)
    for options in (("-J", "0-3"), ("-W", "depend=afterok:1"), ("-Wblock=true",)):
        with pytest.raises(ClusterError, match="cannot be given to qsub"):
            scheduler(pbs, options=options).options(sent)


@pytest.mark.parametrize(
    ("settings", "told", "cure"),
    [
        ({"partition": "nope"}, "Unknown queue", "partition"),
        ({"account": "of-nobody"}, "not valid", "account"),
        ({"options": ("-Q",)}, "invalid option", "options"),
    ],
)
def test_a_refusal_says_what_pbs_said_and_what_to_do(
    pbs: Pbs, job: Callable[..., Submission], settings: dict[str, object], told: str, cure: str
) -> None:
    with pytest.raises(ClusterError, match=told) as caught:
        scheduler(pbs, **settings).submit(job("true"))
    assert cure in caught.value.cure


def test_a_full_queue_is_told_apart(pbs: Pbs, job: Callable[..., Submission]) -> None:
    one = scheduler(pbs)
    pbs.settings(most=1)
    one.submit(job("exec sleep 60"))
    with pytest.raises(QueueFull, match="per-user limit"):
        one.submit(job("true"))
    assert one.limits().array_size == 10000


def test_torque_is_named_as_unsupported(pbs: Pbs, job: Callable[..., Submission]) -> None:
    assert scheduler(pbs).test(job("true")) == ""
    pbs.settings(version="Version: 6.1.3\nCommit: 662e1ab")
    with pytest.raises(ClusterError, match="not that of PBS") as caught:
        scheduler(pbs).test(job("true"))
    assert "Torque" in caught.value.cure


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"job_state": "F", "Exit_status": "-27"}, JobState.OUT_OF_MEMORY),
        ({"job_state": "F", "Exit_status": "-29"}, JobState.OUT_OF_TIME),
        ({"job_state": "F", "Exit_status": "-3"}, JobState.NODE_FAILED),
        ({"job_state": "F", "Exit_status": "265"}, JobState.FAILED),
        ({"job_state": "F", "Exit_status": "271"}, JobState.CANCELLED),
        ({"job_state": "X", "Exit_status": "0"}, JobState.ENDED),
        ({"job_state": "M"}, JobState.UNKNOWN),
        ({"job_state": "S"}, JobState.RUNNING),
        ({"job_state": "H", "Hold_Types": "s", "comment": "job held, too many failed attempts to run"}, JobState.HELD),
        ({}, JobState.UNKNOWN),
    ],
)
def test_states_that_only_a_real_pbs_has(told: dict[str, str], state: JobState) -> None:
    """Recorded answers: a job that was moved to another server, memory, a node that could not start it."""
    assert look_of(told, True).state is state
