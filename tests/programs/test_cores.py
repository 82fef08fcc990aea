"""The cores that a program is told by a runner that starts many of them at once, and those that it uses."""

import json
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.programs.conftest import PROGRAMS

CORES = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
SHARE = """
import json, multiprocessing, os, sys, time
sys.path.insert(0, sys.argv.pop(1))
import _program.arguments, _program.files, _program.work

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TIFFFILE_NUM_THREADS")

def process(job, args):
    time.sleep(0.05)  # so that each worker gets some
    seen = {"pid": os.getpid(), "parent": os.getppid(), "children": len(multiprocessing.active_children())}
    with _program.files.writing(job.target) as part:
        part.write_text(json.dumps(seen | {name: os.environ.get(name) for name in NAMES}))
    return "done"

if __name__ == "__main__":
    code = _program.work.run(_program.arguments.parser("", suffix="").parse_args(), process, ending=".json")
    print("main", os.getpid())
    sys.exit(code)
"""


@pytest.fixture
def share(programs):
    """How many processes worked on so many files, whether the program itself did, and what they saw."""

    def run(files: int, *more: str, **environ: str) -> tuple[int, bool, list[dict]]:
        folder = programs.folder / f"{files} files"
        folder.mkdir()
        for number in range(files):
            (folder / f"{number}.dat").touch()
        script = folder / "sharing.py"
        script.write_text(SHARE)
        python = programs.command("convert_to_tif")[0]
        arguments = ["--input-search-pattern", "*.dat", "--output-folder", "out", *more]
        done = subprocess.run(
            [python, script, PROGRAMS, *arguments],
            cwd=folder,
            env=programs.environ() | environ,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        seen = [json.loads(path.read_text()) for path in (folder / "out").glob("*.json")]
        assert len(seen) == files
        pids = {one["pid"] for one in seen}
        return len(pids), pids == {int(done.stdout.split("main ")[1])}, seen

    return run


def test_a_program_that_is_told_one_core_works_in_one_process(share):
    count, alone, seen = share(8, RUN_PIPELINE_CPUS="1")
    assert (count, alone) == (1, True)
    assert all(one["children"] == 0 for one in seen)


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_processes_and_the_threads_of_their_libraries_stay_within_the_cores_that_are_told(share):
    told = {"RUN_PIPELINE_CPUS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    count, alone, seen = share(12, **told)
    assert (count, alone) == (2, False)
    assert {(one["OMP_NUM_THREADS"], one["OPENBLAS_NUM_THREADS"]) for one in seen} == {("1", "1")}
    assert {one["TIFFFILE_NUM_THREADS"] for one in seen} == {"1"}


def test_maxcores_counts_more_than_the_cores_that_are_told(share):
    count, _, _ = share(12, "--maxcores", "2", RUN_PIPELINE_CPUS="1")
    assert count == 2


def test_one_file_needs_no_process_beside_the_program_whatever_is_told(share):
    count, alone, seen = share(1, RUN_PIPELINE_CPUS="64", OMP_NUM_THREADS="64")
    assert (count, alone, seen[0]["children"]) == (1, True, 0)


@pytest.mark.parametrize("told", ["", "many", "0", "-1", "1.5"])
def test_what_is_no_number_of_cores_is_as_if_it_were_not_told(share, told):
    _, _, seen = share(1, RUN_PIPELINE_CPUS=told, OMP_NUM_THREADS="3")
    assert (seen[0]["OMP_NUM_THREADS"], seen[0]["TIFFFILE_NUM_THREADS"]) == ("3", None)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_a_real_program_that_is_told_one_core_starts_no_process_and_no_threads_for_work(programs):
    programs.make("touching", programs.folder / "in" / "a.tif")
    told = dict.fromkeys(("RUN_PIPELINE_CPUS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = programs.command(
        "segment_threshold", "--input-search-pattern", "in/*.tif", "--output-folder", programs.folder / "out"
    )
    most = 0
    with subprocess.Popen(
        command,
        cwd=programs.folder,
        env=programs.environ() | told,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            try:
                assert not process.children(recursive=True)
                most = max(most, process.num_threads())
            except psutil.NoSuchProcess:
                break
            time.sleep(0.002)
    assert child.returncode == 0
    assert 1 <= most <= 3, "itself, the progress bar's, and the one that hashes what is written"
