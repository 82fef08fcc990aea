"""The Slurm that the tests make is a true one, and leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys

import psutil

from tests.support.slurm import NODES, Slurm, running_slurm, until


def test_an_array_runs_on_three_nodes_each_with_its_gpus(slurm: Slurm) -> None:
    script = slurm.folder / "told.sh"
    script.write_text("#!/bin/sh\necho $SLURM_ARRAY_TASK_ID $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES >> told\nsleep 1\n")
    job = slurm.run("sbatch", "--parsable", "--array=0-2", "--gpus=2", "--export=ALL", script)
    assert slurm.wait(job, "COMPLETED") == ["COMPLETED"] * 3
    lines = sorted((slurm.folder / "told").read_text().split("\n"))[1:]
    assert [line.split()[0] for line in lines] == ["0", "1", "2"]
    assert sorted(line.split()[1] for line in lines) == list(NODES)
    assert {line.split()[2] for line in lines} == {"0,1"}


def test_a_node_can_be_lost_and_comes_back(slurm: Slurm) -> None:
    job = slurm.run("sbatch", "--parsable", "--array=0-2", "--exclusive", "--no-requeue", "--wrap", "sleep 60")
    slurm.wait(job, "RUNNING")
    slurm.kill_node("n2", told=True)
    assert sorted(slurm.states(job)) == ["NODE_FAIL", "RUNNING", "RUNNING"]
    slurm.start_node("n2")
    assert slurm.nodes()["n2"] == "idle"


def test_nothing_of_it_runs_on() -> None:
    with running_slurm() as slurm:
        job = slurm.run("sbatch", "--parsable", "--array=0-3", "--wrap", "trap '' TERM; sleep 300 & sleep 300")
        slurm.wait(job, "RUNNING")
        slurm.kill_node("n1")
        folder = str(slurm.folder)
    assert not slurm.folder.exists()
    assert not left_of(folder)


def test_it_ends_with_the_process_of_the_tests_however_that_ends(slurm: Slurm) -> None:
    text = (
        "import time\nfrom tests.support.slurm import running_slurm\n"
        "with running_slurm() as slurm:\n    print(slurm.folder, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        assert left_of(folder)
        process.kill()
    until(lambda: not left_of(folder), 30, lambda: str(left_of(folder)))
    shutil.rmtree(folder)


def left_of(folder: str) -> list[list[str]]:
    """What still runs of a Slurm, by its command line or its variables."""
    left = []
    for process in psutil.process_iter():
        try:
            if folder in " ".join(process.cmdline()) or folder in process.environ().get("SLURM_CONF", ""):
                left.append(process.cmdline())
        except (psutil.Error, OSError):
            pass
    return left
