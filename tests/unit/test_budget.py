"""What the machine has is given out once, and never beyond what is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.budget import Budget, Lease, thread_variables
from runner.machine import Machine, read_machine
from runner.model import Resources

GIB = 1 << 30
EIGHT = Machine(8, 100 * GIB)


def taken(budget: Budget, wanted: Resources) -> Lease:
    lease = budget.take(wanted)
    assert lease is not None
    return lease


def how_many(budget: Budget, wanted: Resources) -> int:
    count = 0
    while budget.take(wanted):
        count += 1
        assert count < 1000
    return count


def test_each_thing_takes_one_core_where_nothing_is_said() -> None:
    assert how_many(Budget(EIGHT), Resources()) == 8


@pytest.mark.parametrize(("cpus", "count"), [(2, 4), (3, 2), (8, 1), (64, 1)])
def test_cores_are_shared_out_and_more_than_there_are_is_all_of_them(cpus: int, count: int) -> None:
    assert how_many(Budget(EIGHT), Resources(cpus=cpus)) == count


def test_90_percent_of_the_memory_are_shared_out() -> None:
    budget = Budget(EIGHT)
    assert how_many(budget, Resources(memory=30 * GIB)) == 3
    assert budget.take(Resources(memory=1)) is None


def test_jobs_count_things_and_not_cores_unless_cores_are_asked_for() -> None:
    assert how_many(Budget(EIGHT, jobs=16), Resources()) == 16
    assert how_many(Budget(EIGHT, jobs=2), Resources()) == 2
    assert how_many(Budget(EIGHT, jobs=16), Resources(cpus=4)) == 2
    assert how_many(Budget(EIGHT, jobs=16), Resources(memory=45 * GIB)) == 2


def test_each_gpu_is_given_to_one_and_the_first_free_one_goes_first() -> None:
    budget = Budget(Machine(8, GIB, ("0", "1", "2")))
    one, two = taken(budget, Resources(gpus=1)), taken(budget, Resources(gpus=2))
    assert (one.gpus, two.gpus) == (("0",), ("1", "2"))
    assert budget.take(Resources(gpus=1)) is None
    budget.give(two)
    budget.give(one)
    assert taken(budget, Resources(gpus=1)).gpus == ("0",)


def test_given_back_twice_is_given_back_once() -> None:
    budget = Budget(EIGHT)
    lease = taken(budget, Resources(cpus=8))
    budget.give(lease)
    budget.give(lease)
    assert how_many(budget, Resources()) == 8


def test_disk_of_what_runs_is_promised() -> None:
    budget = Budget(EIGHT, free_disk=lambda: 100)
    first = taken(budget, Resources(disk=60))
    assert budget.take(Resources(disk=60)) is None
    assert taken(budget, Resources(disk=40))
    budget.give(first)
    assert taken(budget, Resources(disk=60))


def test_what_can_never_run_is_told_with_numbers() -> None:
    budget = Budget(Machine(8, 100 * GIB, ("0",)), free_disk=lambda: 10 * GIB)
    assert budget.why_never(Resources(cpus=64)) == ""
    assert "64 cores; this machine has 8" in budget.warning(Resources(cpus=64))
    assert budget.warning(Resources(cpus=8)) == ""
    for wanted, words in [
        (Resources(memory=95 * GIB), ("95", "90", "100")),
        (Resources(gpus=2), ("2 GPUs", "1 GPU")),
        (Resources(disk=20 * GIB), ("20", "10")),
    ]:
        why = budget.why_never(wanted)
        assert all(word in why for word in words), why
        assert budget.take(wanted) is None
    assert Budget(EIGHT).why_never(Resources(gpus=1)) == "asks for 1 GPU, but this machine has none"
    assert budget.why_never(Resources(memory=90 * GIB, gpus=1, disk=10 * GIB)) == ""


def test_memory_grows_as_far_as_the_machine_has_it() -> None:
    budget = Budget(EIGHT)
    assert budget.grown(Resources(memory=10 * GIB), 2).memory == 20 * GIB
    assert budget.grown(Resources(memory=60 * GIB), 2).memory == budget.memory
    assert budget.grown(Resources(cpus=2), 2) == Resources(cpus=2)
    assert budget.grown(Resources(memory=10 * GIB), 0.5).memory == 10 * GIB


def test_what_is_kept_for_another_is_not_taken_away() -> None:
    budget = Budget(Machine(8, 100 * GIB, ("0",)))
    gpu = taken(budget, Resources(gpus=1))
    waiting = Resources(cpus=2, gpus=1)
    beside = 0
    while budget.take(Resources(), keep=waiting):  # cores are not what it lacks, but two of them are left for it
        beside += 1
    assert beside == 5
    budget.give(gpu)
    assert budget.take(waiting)


def test_of_what_another_lacks_nothing_is_taken() -> None:
    budget = Budget(EIGHT)
    taken(budget, Resources(cpus=2))
    assert budget.take(Resources(), keep=Resources(cpus=8)) is None
    assert Budget(EIGHT, jobs=1).take(Resources(), keep=Resources()) is None


RESOURCES = st.builds(Resources, cpus=st.integers(0, 12), memory=st.integers(0, 120), gpus=st.integers(0, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(RESOURCES, st.integers(0, 50)), max_size=60), st.one_of(st.none(), st.integers(1, 5)))
def test_whatever_comes_the_machine_is_never_exceeded(steps: list[Resources | int], jobs: int | None) -> None:
    machine = Machine(8, 100, ("0", "1"))
    budget = Budget(machine, jobs)
    held: list[tuple[Lease, Resources]] = []
    for step in steps:
        if isinstance(step, Resources):
            if lease := budget.take(step):
                held.append((lease, step))
        elif held:
            budget.give(held.pop(step % len(held))[0])
        names = [name for lease, _ in held for name in lease.gpus]
        assert len(names) == len(set(names)) == sum(wanted.gpus for _, wanted in held)
        assert sum(wanted.memory for _, wanted in held) <= 90
        assert sum(min(wanted.cpus, 8) or jobs is None for _, wanted in held) <= 8
        assert jobs is None or len(held) <= jobs
    for lease, _ in held:
        budget.give(lease)
    assert budget.take(Resources(cpus=8, memory=90, gpus=2))


def test_an_item_is_told_its_cores_and_its_gpus() -> None:
    budget = Budget(Machine(8, GIB, ("0", "1")))
    environ = taken(budget, Resources(cpus=4, gpus=2)).environ()
    assert environ["OMP_NUM_THREADS"] == environ["RUN_PIPELINE_CPUS"] == environ["NUMBA_NUM_THREADS"] == "4"
    assert (environ["CUDA_VISIBLE_DEVICES"], environ["CUDA_DEVICE_ORDER"]) == ("0,1", "PCI_BUS_ID")
    plain = taken(budget, Resources()).environ()
    assert plain == thread_variables(1)
    assert not any(name.startswith("CUDA") for name in plain)


@pytest.mark.parametrize(
    "name", ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-60c5b2a7-21ce-5f6a-a4c7-7f3b8b8d3a47"]
)
def test_uuids_are_handed_on_as_they_are(name: str) -> None:
    environ = taken(Budget(Machine(8, GIB, (name,))), Resources(gpus=1)).environ()
    assert environ["CUDA_VISIBLE_DEVICES"] == name
    assert "CUDA_DEVICE_ORDER" not in environ


def test_a_segment_alone_that_says_nothing_is_told_nothing() -> None:
    budget = Budget(Machine(8, GIB, ("0",)))
    for wanted, names in [(Resources(), set()), (Resources(gpus=1), {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"})]:
        lease = budget.take(wanted, many=False)
        assert lease is not None
        assert set(lease.environ()) == names
    lease = budget.take(Resources(cpus=2), many=False)
    assert lease is not None and lease.environ()["OMP_NUM_THREADS"] == "2"


def test_variables_are_heeded_by_a_real_program() -> None:
    code = "import os; print(os.environ['OMP_NUM_THREADS'], os.cpu_count())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **thread_variables(3)}, capture_output=True, text=True
    )
    threads, cores = done.stdout.split()
    assert threads == "3"
    assert sys.version_info < (3, 13) or cores == "3"


def group(root: Path, line: str, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux'")
@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/a/b\n", {"a/cpu.max": "100000 100000\n", "a/memory.max": "1000000\n", "a/b/cpu.max": "max 100000\n"}),
        ("0::/../../of/the/host\n", {"cpu.max": "150000 100000\n", "memory.max": "1000000\n"}),
        (
            "3:cpu,cpuacct:/job\n4:memory:/job\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "100000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
                "memory/job/memory.limit_in_bytes": "1000000\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
        ),
        (
            "1:cpu:/\n4:memory:/gone\n",
            {
                "cpu/cpu.cfs_quota_us": "10000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "1000000",
            },
        ),
    ],
)
def test_a_container_has_what_its_control_group_leaves_it(tmp_path: Path, line: str, files: dict[str, str]) -> None:
    assert read_machine(root=group(tmp_path, line, files)) == Machine(1, 1_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux'")
@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"}),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}),
        ("", {}),
        ("nonsense\n", {"cpu.max": "\n"}),
    ],
)
def test_without_a_limit_it_is_the_whole_machine(tmp_path: Path, line: str, files: dict[str, str]) -> None:
    machine = read_machine(root=group(tmp_path, line, files))
    assert machine.cores == len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    assert machine.memory > 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux'")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from runner.machine import read_machine; print(read_machine().cores)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.split() == ["1"], done.stderr
