"""Slurm as the runner speaks with it: on a real one of three nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cluster.jobs import After, ClusterError, JobLook, JobState, QueueFull, SchedulerAway, Submission
from runner.cluster.says import Asked, say, with_log
from runner.cluster.scheduler import scheduler_of
from runner.cluster.slurm import Slurm as Scheduler
from runner.errors import ExitCode
from runner.model import Captured, Resources
from runner.site_file import ExecutorSettings
from tests.support.slurm import MEMORY, Slurm, until

SETTINGS = ExecutorSettings("slurm", "slurm")


class Watched:
    """A host's `capture` that keeps what was asked."""

    def __init__(self, slurm: Slurm, **environ: str) -> None:
        host = slurm.host(**environ)
        self.calls: list[list[str]] = []
        self.real = host.capture
        self.host = replace(host, capture=self)

    def __call__(self, argv: Sequence[str], **named: object) -> Captured:
        self.calls.append([Path(argv[0]).name, *argv[1:]])
        return self.real(argv, **named)  # type: ignore[arg-type]

    @property
    def programs(self) -> list[str]:
        return [call[0] for call in self.calls]


def scheduler(slurm: Slurm, *, patience: float = 30.0, **settings: object) -> Scheduler:
    found = scheduler_of(replace(SETTINGS, **settings), slurm.host())  # type: ignore[arg-type]
    assert isinstance(found, Scheduler)
    found.asking = replace(found.asking, patience=patience)
    return found


def over(one: Scheduler, job: str, indices: Sequence[int | None] = (None,), seconds: float = 60.0) -> list[JobLook]:
    """What it tells of these elements when all of them are over."""
    looks = []

    def ended() -> bool:
        found = one.look([(job, index) for index in indices])
        looks[:] = [found[job, index] for index in indices]
        return all(look.state.is_over for look in looks)

    until(ended, seconds, lambda: f"{job}: {looks}")
    return looks


def text_of(submission: Submission, job: str) -> str:
    return "".join(path.read_text() for path in sorted(submission.log.glob(f"slurm-{job}*.out")))


class TestSubmitting:
    def test_an_array_runs_once_for_each_index_and_ends(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one, sent = scheduler(slurm), job('echo "$SLURM_ARRAY_TASK_ID"', [0, 1, 2, 5])
        name = one.submit(sent)
        looks = over(one, name, [0, 1, 2, 5])
        assert [look.state for look in looks] == [JobState.ENDED] * 4
        assert [look.exit_code for look in looks] == [0] * 4
        assert text_of(sent, name).split() == ["0", "1", "2", "5"]

    def test_a_segment_takes_three_calls_at_most(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        watched = Watched(slurm)
        one = scheduler_of(SETTINGS, watched.host)
        assert one.test(job("true", [0, 1]))
        probe = one.submit(job("true"))
        one.submit(job("true", [0, 1], after=((After.OK, probe),)))
        assert watched.programs == ["sbatch"] * 3

    def test_nothing_of_the_callers_shell_reaches_a_job(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        outer = {
            "VIRTUAL_ENV": "/home/me/venv",
            "CONDA_PREFIX": "/opt/conda/envs/other",
            "PYTHONPATH": "/home/me/lib",
            "SLURM_JOB_ID": "77",  # the driver itself runs in a job
            "SLURM_MEM_PER_CPU": "1",
            "SLURM_MEM_PER_NODE": "2",
            "SECRET": "hush",
            "SBATCH_TIMELIMIT": "7",  # sbatch's own, which a user or a site sets for all jobs
            "SBATCH_ARRAY_INX": "0-5",  # also sbatch's own, but how a job is run is ours to say
            "SBATCH_WAIT": "1",
            "SBATCH_ERROR": "/nowhere/%j",
            "PATH": f"/home/me/venv/bin:/opt/conda/envs/other/bin:{slurm.environ['PATH']}",
        }
        one, sent = scheduler_of(SETTINGS, slurm.host(**outer)), job("env; exec true")
        name = one.submit(sent)
        assert slurm.run("squeue", "-h", "-t", "all", "-j", name, "-o", "%l") == "7:00"
        assert over(one, name)[0].state is JobState.ENDED  # type: ignore[arg-type]
        told = dict(line.split("=", 1) for line in text_of(sent, name).splitlines() if "=" in line)
        assert not {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "SECRET"} & told.keys()
        assert told["SLURM_JOB_ID"] == name and "SLURM_ARRAY_JOB_ID" not in told
        assert told["SLURM_EXPORT_ENV"] == "NONE"

    def test_all_that_a_job_is_started_with_is_next_to_nothing(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        outer = slurm.host(SECRET="hush", PYTHONPATH="/home/me/lib")
        one, sent = scheduler_of(replace(SETTINGS, options=("--export=ALL",)), outer), job("env; exec true")
        name = one.submit(sent)
        assert over(one, name)[0].state is JobState.ENDED  # type: ignore[arg-type]
        told = dict(line.split("=", 1) for line in text_of(sent, name).splitlines() if "=" in line)
        assert not {"PYTHONPATH", "SECRET"} & told.keys()
        assert (told["PATH"], told["HOME"]) == (slurm.environ["PATH"], slurm.environ["HOME"])

    def test_what_the_site_file_and_the_segment_say_is_passed_and_nothing_else(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        sent = job("true")
        assert [word.partition("=")[0] for word in scheduler(slurm).options(sent)] == [
            *("--job-name", "--chdir", "--output", "--open-mode", "--export", "--no-requeue", "--kill-on-invalid-dep")
        ]
        one = scheduler(
            slurm,
            partition="gpu",
            account="lab",
            qos="fast",
            constraint="v100|a100",
            gpus="gres",
            gpu_type="a100",
            options=("--nice=5", "--mem=1G"),
            at_once=7,
        )
        more = Resources(cpus=4, memory=(8 << 30) + 1, gpus=2, account="other", scheduler_options=("--mem=9G",))
        sent = replace(sent, resources=more, seconds=61, indices=(3, 4, 5), after=((After.EACH, "12;farm"),))
        assert one.options(sent)[7:] == [
            "--array=3-5%7",
            "--dependency=aftercorr:12",
            "--time=2",
            "--cpus-per-task=4",
            "--mem=8193M",
            "--gres=gpu:a100:2",
            "--partition=gpu",
            "--account=other",
            "--qos=fast",
            "--constraint=v100|a100",
            "--nice=5",
            "--mem=1G",
            "--mem=9G",
        ]
        assert "--gpus=2" in scheduler(slurm).options(sent)

    @pytest.mark.parametrize("word", ["--array=1-5", "-Jname", "--export-file=x", "--wait", "-o", "--parsable"])
    def test_an_option_that_would_break_it_is_refused(
        self, slurm: Slurm, job: Callable[..., Submission], word: str
    ) -> None:
        with pytest.raises(ClusterError, match="cannot be given to sbatch") as caught:
            scheduler(slurm, options=(word,)).submit(job("true"))
        assert caught.value.exit_code == ExitCode.USAGE

    def test_names_of_folders_may_hold_anything(self, slurm: Slurm, tmp_path: Path) -> None:
        folder = tmp_path / "100 % of 'it' $HOME, %A äö"
        folder.mkdir()
        script = folder / "a job.sh"
        script.write_text("#!/bin/sh\npwd; echo $1\n")
        one = scheduler(slurm)
        name = one.submit(Submission("rp-odd", script, folder, folder))
        assert over(one, name)[0].state is JobState.ENDED
        assert (folder / f"slurm-{name}.out").read_text().splitlines()[0] == str(folder)

    def test_asking_whether_it_would_be_taken_submits_nothing(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one, sent = scheduler(slurm), job("true")
        assert one.test(sent).startswith("20")
        with pytest.raises(ClusterError, match="partition"):
            scheduler(slurm, partition="nope").test(sent)
        assert one.find([sent.name]) == {}

    @pytest.mark.parametrize(
        ("settings", "resources", "told", "cure"),
        [
            ({"partition": "nope"}, Resources(), "invalid partition", "sinfo -s"),
            ({"constraint": "nope"}, Resources(), "Invalid feature", "constraint"),
            ({"options": ("--nope",)}, Resources(), "unrecognized option", "options"),
            ({}, Resources(gpus=40), "not available", "resources"),
            ({}, Resources(memory=MEMORY << 30), "Memory specification", "memory"),
            ({"options": ("--time=soon",)}, Resources(), "--time", "time"),
        ],
    )
    def test_a_refusal_says_what_slurm_said_and_what_to_do(
        self,
        slurm: Slurm,
        job: Callable[..., Submission],
        settings: dict[str, object],
        resources: Resources,
        told: str,
        cure: str,
    ) -> None:
        with pytest.raises(ClusterError, match=told) as caught:
            scheduler(slurm, **settings).submit(job("true", resources=resources))
        assert cure in caught.value.cure
        assert "sbatch:" not in caught.value.message

    def test_an_array_that_is_too_long_is_refused_and_the_limit_is_told(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        with pytest.raises(ClusterError, match="Invalid job array") as caught:
            one.submit(job("true", [0, 1001]))
        assert "MaxArraySize" in caught.value.cure
        assert (one.limits().array_size, one.limits().jobs) == (1001, 20000)

    @pytest.mark.parametrize(
        ("printed", "name"),
        [
            ("echo '12;farm'", "12;farm"),
            ("echo 'Remember: the cluster is down on Monday'; echo 12", "12"),
            ("echo 'Submitted batch job 12'", "12"),
            ("echo 'Submitted batch job 12 on cluster farm'", "12;farm"),
            ("echo 12; echo 'you have used 40 of 100 hours'", "12"),
        ],
    )
    def test_a_sites_own_sbatch_may_say_more(
        self, slurm: Slurm, job: Callable[..., Submission], tmp_path: Path, printed: str, name: str
    ) -> None:
        program = tmp_path / "sbatch"
        program.write_text(f"#!/bin/sh\n{printed}\n")
        program.chmod(0o755)
        one = scheduler(slurm)
        one.asking = replace(one.asking, programs={**one.asking.programs, "sbatch": str(program)})
        assert one.submit(job("true")) == name

    def test_a_machine_without_slurm_is_told_as_such(self, slurm: Slurm) -> None:
        with pytest.raises(ClusterError, match="no sbatch on PATH") as caught:
            scheduler_of(SETTINGS, replace(slurm.host(), which=lambda name: None))
        assert "login node" in caught.value.cure


class TestStates:
    def test_what_a_worker_ended_with_is_told(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one = scheduler(slurm)
        name = one.submit(job('case "$SLURM_ARRAY_TASK_ID" in 0) exit 75;; 1) kill -9 $$;; esac', [0, 1]))
        code, killed = over(one, name, [0, 1])
        assert (code.state, code.exit_code, code.signal) == (JobState.FAILED, 75, None)
        assert (killed.state, killed.exit_code, killed.signal) == (JobState.FAILED, None, 9)
        assert say(code).words.startswith("its worker ended with exit code 75")
        assert "memory" in say(killed).cure

    def test_out_of_memory_is_seen_in_its_output_where_nothing_keeps_accounts(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        sent = job("exec python3 -c 'b = b\"1\" * (300 << 20); import time; time.sleep(30)'")
        sent = replace(sent, resources=Resources(memory=100 << 20))
        name = one.submit(sent)
        (look,) = over(one, name)
        until(lambda: "memory limit" in text_of(sent, name), 10, lambda: text_of(sent, name))
        look = with_log(look, text_of(sent, name))
        assert look.state is JobState.OUT_OF_MEMORY
        assert say(look, Asked(memory=100 << 20)).words == f"out of memory: it had 100 MiB (on {look.node})"

    def test_out_of_time(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", seconds=60))
        until(lambda: slurm.states(name) == ["RUNNING"], 20, lambda: str(slurm.states(name)))
        slurm.expire(name)
        (look,) = over(one, name)
        assert look.state is JobState.OUT_OF_TIME
        assert say(look, Asked(seconds=60)).words.startswith("out of time: it had 1 min")

    def test_a_node_that_fails_takes_its_elements_with_it(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", [0, 1, 2], resources=Resources(cpus=3)))
        slurm.wait(name, "RUNNING")
        slurm.kill_node("n2", told=True)
        looks = one.look([(name, index) for index in (0, 1, 2)])
        lost = [look for look in looks.values() if look.node == "n2"]
        assert [look.state for look in lost] == [JobState.NODE_FAILED]
        assert sorted(look.state.value for look in looks.values() if look.node != "n2") == ["running", "running"]
        assert say(lost[0]).words == "its node failed (on n2)"

    def test_a_node_that_dies_and_tells_nobody_is_noticed(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", resources=Resources(cpus=3)))
        slurm.wait(name, "RUNNING")
        slurm.kill_node(one.look([(name, None)])[name, None].node)
        assert over(one, name)[0].state is JobState.NODE_FAILED

    def test_what_makes_room_for_a_more_important_job_is_not_queued_again_by_slurm(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", range(3), resources=Resources(cpus=4)))
        slurm.wait(name, "RUNNING")
        scheduler(slurm, partition="urgent").submit(job("exec sleep 300", resources=Resources(cpus=4)))
        looks: list[JobLook] = []

        def preempted() -> bool:
            looks[:] = [look for look in one.look([(name, i) for i in range(3)]).values() if look.state.is_over]
            return bool(looks)

        until(preempted, 30, lambda: str(slurm.states(name)))
        assert [look.state for look in looks] == [JobState.PREEMPTED]
        assert "more important" in say(looks[0]).words

    def test_cancelled_by_hand_is_not_a_failure_of_the_program(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", [0, 1, 2]))
        slurm.wait(name, "RUNNING")
        slurm.run("scancel", f"{name}_1")
        until(lambda: one.look([(name, 1)])[name, 1].state.is_over, 20, lambda: str(slurm.states(name)))
        looks = one.look([(name, index) for index in (0, 1, 2)])
        assert [look.state for look in looks.values()] == [JobState.RUNNING, JobState.CANCELLED, JobState.RUNNING]
        assert say(looks[name, 1]).words.startswith("cancelled, not by run-pipeline")

    def test_what_waits_for_a_job_that_failed_is_cancelled_with_its_reason(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        probe = one.submit(job("exit 1"))
        name = one.submit(job("true", [0, 1], after=((After.OK, probe),)))
        looks = over(one, name, [0, 1])
        assert {(look.state, look.reason) for look in looks} == {(JobState.CANCELLED, "DependencyNeverSatisfied")}
        assert "a job before it failed" in say(looks[0]).words

    def test_each_element_waits_for_the_one_with_its_number(
        self, slurm: Slurm, job: Callable[..., Submission], tmp_path: Path
    ) -> None:
        one, told = scheduler(slurm), tmp_path / "told"
        until_told = f"until [ -e '{told}' ]; do sleep 0.1; done"
        first = one.submit(job(f'[ "$SLURM_ARRAY_TASK_ID" = 0 ] || {until_told}', [0, 1]))
        second = one.submit(job("true", [0, 1], after=((After.EACH, first),)))
        until(lambda: one.look([(second, 0)])[second, 0].state is JobState.ENDED, 20, lambda: str(slurm.states(second)))
        waiting = one.look([(second, 1)])[second, 1]
        assert (waiting.state, say(waiting).words) == (
            JobState.WAITING,
            "waiting: it starts after another job (Dependency)",
        )
        told.touch()
        over(one, second, [1])

    @pytest.mark.parametrize(
        ("settings", "resources", "seconds", "reason"),
        [
            ({"partition": "short"}, Resources(), 1200, "PartitionTimeLimit"),
            ({}, Resources(cpus=40), 0, "PartitionConfig"),
            ({"options": ("--hold",)}, Resources(), 0, "JobHeldUser"),
        ],
    )
    def test_what_will_never_start_by_itself_is_held_and_says_why(
        self,
        slurm: Slurm,
        job: Callable[..., Submission],
        settings: dict[str, object],
        resources: Resources,
        seconds: float,
        reason: str,
    ) -> None:
        one = scheduler(slurm, **settings)
        name = one.submit(job("true", resources=resources, seconds=seconds))
        element = (name, None)
        until(lambda: one.look([element])[element].reason == reason, 20, lambda: str(one.look([element])))
        look = one.look([element])[element]
        assert look.state is JobState.HELD
        assert say(look).cure


class TestAsking:
    def test_all_jobs_are_asked_for_in_one_question(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        watched = Watched(slurm)
        one = scheduler_of(SETTINGS, watched.host)
        names = [one.submit(job("true", [0, 1])) for _ in range(3)]
        watched.calls.clear()
        found = one.look([(name, index) for name in names for index in (0, 1)])
        assert watched.programs == ["squeue"]
        assert len(found) == 6

    def test_a_job_that_slurm_has_forgotten_is_unknown_and_not_failed(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        known = one.submit(job("exec sleep 300"))
        assert one.look([("99999", None)]) == {("99999", None): JobLook(JobState.UNKNOWN)}
        looks = one.look([("99999", 1), ("99998", 0), (known, None)])
        assert [look.state.is_over for look in looks.values()] == [False, False, False]
        assert looks["99999", 1].state is JobState.UNKNOWN
        assert "does not know it" in say(looks["99999", 1]).words

    def test_a_job_that_was_moved_to_another_partition_is_the_same_job(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm, options=("--hold",))
        name = one.submit(job("true", seconds=300))
        slurm.run("scontrol", "update", f"JobId={name}", "Partition=short")
        slurm.run("scontrol", "release", name)
        assert over(one, name)[0].state is JobState.ENDED

    def test_jobs_are_found_and_ended_by_name(self, slurm: Slurm, job: Callable[..., Submission]) -> None:
        one, sent, other = scheduler(slurm), job("exec sleep 300", [0, 1]), job("exec sleep 300")
        name = one.submit(sent)
        kept = one.submit(other)
        assert one.find([sent.name, "rp-of-nobody"]) == {sent.name: name}
        one.cancel([(name, None)])
        assert {look.state for look in over(one, name, [0, 1])} == {JobState.CANCELLED}
        assert not one.look([(kept, None)])[kept, None].state.is_over

    def test_some_elements_are_cancelled_and_the_others_go_on(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm)
        name = one.submit(job("exec sleep 300", range(5)))
        slurm.wait(name, "RUNNING")
        one.cancel([(name, 0), (name, 1), (name, 3)])
        over(one, name, [0, 1, 3])
        assert not any(look.state.is_over for look in one.look([(name, 2), (name, 4)]).values())
        one.cancel([(name, 0), (name, 2), ("99999", None)])
        over(one, name, [2])

    def test_an_element_that_was_cancelled_while_it_waited_is_unknown_to_slurm(
        self, slurm: Slurm, job: Callable[..., Submission]
    ) -> None:
        one = scheduler(slurm, options=("--hold",))
        name = one.submit(job("true", range(4)))
        slurm.run("scancel", f"{name}_[1,2]")
        states = [look.state for look in one.look([(name, index) for index in range(4)]).values()]
        assert states == [JobState.HELD, JobState.UNKNOWN, JobState.UNKNOWN, JobState.HELD]

    def test_a_controller_that_is_down_says_nothing_of_jobs_which_go_on(
        self, slurm: Slurm, job: Callable[..., Submission], tmp_path: Path
    ) -> None:
        one = scheduler(slurm)
        name = one.submit(job("sleep 2; echo done > it-ran"))
        slurm.wait(name, "RUNNING")
        with slurm.controller_down():
            with pytest.raises(SchedulerAway, match="does not answer") as caught:
                one.look([(name, None)])
            assert "go on" in caught.value.cure
            until((tmp_path / "it-ran").exists, 20, lambda: "the job did not go on")
            with pytest.raises(SchedulerAway):
                one.submit(job("true"))
        assert over(one, name)[0].state is JobState.ENDED

    def test_no_call_waits_longer_than_it_may(self, slurm: Slurm, tmp_path: Path) -> None:
        program = tmp_path / "squeue"
        program.write_text("#!/bin/sh\nexec sleep 60\n")
        program.chmod(0o755)
        one = scheduler(slurm, patience=0.5)
        one.asking = replace(one.asking, programs={**one.asking.programs, "squeue": str(program)})
        before = time.monotonic()
        with pytest.raises(SchedulerAway, match="did not answer within"):
            one.look([("1", None)])
        assert time.monotonic() - before < 10

    def test_programs_out_of_a_module_find_their_libraries(self, slurm: Slurm, tmp_path: Path) -> None:
        """Stand-in: a squeue whose libraries lie where only the module that it came with says."""
        program = tmp_path / "squeue"
        lost = "error while loading shared libraries: libslurmfull.so: cannot open shared object file"
        program.write_text(f'#!/bin/sh\n[ "$LD_LIBRARY_PATH" = /sw/slurm ] || {{ echo {lost} >&2; exit 127; }}\n')
        program.chmod(0o755)
        one = Scheduler(SETTINGS, replace(scheduler(slurm).asking, programs={"squeue": str(program)}))
        with pytest.raises(SchedulerAway, match="shared libraries"):
            one.look([("1", None)])
        one.asking = replace(one.asking, host=slurm.host(LD_LIBRARY_PATH="/sw/slurm"))
        assert one.look([("1", None)])["1", None].state is JobState.UNKNOWN

    def test_a_full_queue_is_told_apart_from_a_controller_that_is_away(
        self, slurm: Slurm, job: Callable[..., Submission], tmp_path: Path
    ) -> None:
        """Stand-in: sbatch as it is where MaxJobCount is reached; it tries for minutes."""
        program = tmp_path / "sbatch"
        program.write_text(
            "#!/bin/sh\necho 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2\n"
            "echo 'sbatch: error: Batch job submission failed: Resource temporarily unavailable' >&2\nexit 1\n"
        )
        program.chmod(0o755)
        one = scheduler(slurm)
        one.asking = replace(one.asking, programs={**one.asking.programs, "sbatch": str(program)})
        with pytest.raises(QueueFull, match="temporarily"):
            one.submit(job("true"))
