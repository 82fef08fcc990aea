"""A pipeline on a real Slurm: submitted, followed, left, taken up, and what came of it as on the workstation."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from tests.cluster.cluster_lab import ClusterLab
from tests.support.slurm import Slurm


def test_items_are_run_on_nodes_and_count_as_on_the_workstation(lab: ClusterLab) -> None:
    lab.files(20, bad=1)
    pipeline = lab.pipeline([lab.copy()])
    done = lab.run("run", pipeline, check=1)
    assert "1 of 20 items failed" in done.stdout
    assert "this one is bad" in done.stdout
    assert len(lab.made()) == 19
    assert len(lab.starts()) == 20
    again = lab.run("run", pipeline, "--executor", "local", "--dry-run")
    assert "19 done, 1 failed last time" in again.stdout


def test_segments_follow_each_other_item_by_item_and_what_goes_over_nothing_comes_last(lab: ClusterLab) -> None:
    lab.files(6, bad=1)
    count = {
        "name": "Count",
        "environment": "uv:default",
        "commands": ["python", "-c", "import os, sys; print(len(os.listdir(sys.argv[1])))", "%YAML%/out"],
    }
    second = lab.copy("in", "late")
    pipeline = lab.pipeline([lab.copy() | {"keep-going": True}, second, count])
    done = lab.run("run", pipeline, "--executor", "test", check=1)
    assert lab.made("out") == {f"item{n:03d}.tif" for n in range(1, 6)}
    assert lab.made("late") == lab.made("out")
    assert "it failed in segment 1" not in done.stderr
    states = [row["state"] for row in lab.run_json(pipeline)["segments"]]
    assert states == ["failed", "failed", "not run"], done.stdout


def test_a_run_is_submitted_looked_at_collected_and_taken_up_from_other_shells(lab: ClusterLab) -> None:
    lab.files(6)
    lab.site(more="at-once = 1")
    pipeline = lab.pipeline(
        [
            lab.copy(wait=1),
            {"name": "Last", "environment": "uv:default", "commands": ["python", "-c", "print('the end')"]},
        ]
    )
    done = lab.run("submit", pipeline)
    assert "resume" in done.stdout
    assert lab.run_json(pipeline)["state"] == "submitted"
    refused = lab.run("run", pipeline, check=2)
    assert "was submitted to test" in refused.stderr
    assert "in use by jobs of " in lab.run("env", "remove", "default", "--yes", check=2).stderr
    assert "run-pipeline resume" in refused.stderr
    told = lab.run("status", pipeline).stdout
    assert "» submitted" in told
    assert "of 6 items ended" in told
    lab.wait_for(lambda: len(lab.made()) >= 2, "two items")
    collected = lab.run("collect", pipeline).stdout
    assert lab.run_json(pipeline)["state"] == "submitted", collected
    assert "items ended" in collected
    done = lab.run("resume", pipeline)
    assert "items: 6 done" in done.stdout
    assert list((lab.repo / ".venvs" / ".in-use").iterdir()) == [], "no job needs it any more"
    assert lab.run_json(pipeline)["state"] == "done"
    ends = [event["item"] for event in lab.events(pipeline, "item-end")]
    assert sorted(ends) == sorted(lab.made()), "each is told once"
    assert sorted(line.split()[0] for line in lab.starts()) == sorted(lab.made())
    logs = lab.run("logs", pipeline, "2").stdout
    assert "the end" in logs
    assert "copies item003.tif" in lab.run("logs", pipeline, "--item", "item003.tif").stdout
    assert "Nothing to run" in lab.run("run", pipeline).stdout
    assert "nothing of pipeline.yaml is submitted" in lab.run("resume", pipeline, check=2).stderr


def test_ctrl_c_leaves_and_the_jobs_go_on(lab: ClusterLab) -> None:
    lab.files(4)
    pipeline = lab.pipeline([lab.copy(wait=2)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "a first item")
    going.send_signal(signal.SIGINT)
    said, _ = going.communicate(timeout=60)
    assert going.returncode == 130, said
    assert "run-pipeline resume" in said
    lab.wait_for(lambda: len(lab.made()) == 4, "all items")
    assert "items: 4 done" in lab.run("resume", pipeline).stdout
    assert len(lab.starts()) == 4


def test_cancel_ends_the_jobs_and_what_was_finished_stays_done(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(6)
    lab.site(target="1h", more="at-once = 1")
    pipeline = lab.pipeline([lab.copy(wait=1.5)])
    lab.run("submit", pipeline)
    lab.wait_for(lambda: len(lab.made()) == 2, "two items")
    told = lab.run("cancel", pipeline).stdout
    assert "Cancelled" in told
    assert lab.run_json(pipeline)["state"] == "cancelled"
    lab.wait_for(lambda: not slurm.run("squeue", "-h"), "an empty queue")
    count = len(lab.made())
    assert 2 <= count < 6
    done = lab.run("run", pipeline, "--executor", "local").stdout
    assert f"{count} done" in done
    assert len(lab.made()) == 6


def test_a_run_that_is_followed_is_cancelled_from_another_shell(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(3)
    pipeline = lab.pipeline([lab.copy(wait=60)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: len(lab.starts()) == 3, "all items")
    assert "cancelled" in lab.run("cancel", pipeline).stdout
    said, _ = going.communicate(timeout=30)
    assert going.returncode == 130, said
    assert "its jobs were cancelled from another shell" in said
    lab.wait_for(lambda: not slurm.run("squeue", "-h"), "an empty queue")
    assert "3 items: 3 new" in lab.run("run", pipeline, "--executor", "local", "--dry-run").stdout


def test_a_segment_over_what_an_earlier_one_makes_is_submitted_when_it_is_known(lab: ClusterLab) -> None:
    lab.files(4)
    pipeline = lab.pipeline([lab.copy(), lab.copy("out", "late")])
    dry = lab.run("run", pipeline, "--dry-run").stdout
    assert "--array=0-3" in dry
    assert "submitted once an earlier segment has made its items" in dry
    lab.run("submit", pipeline)
    lab.wait_for(lambda: len(lab.made()) == 4, "the first segment's files")
    collected = lab.run("collect", pipeline).stdout
    assert "2. Make late  not run" in collected
    assert lab.run_json(pipeline)["state"] == "submitted"
    lab.run("resume", pipeline)
    assert lab.made("late") == lab.made("in")
    assert lab.run_json(pipeline)["state"] == "done"


def test_one_item_goes_first_and_tells_how_long_the_others_take(lab: ClusterLab) -> None:
    lab.files(5)
    pipeline = lab.pipeline([lab.copy(canary=True)])
    done = lab.run("run", pipeline)
    assert "one item first (canary)" in done.stdout
    assert "4 more items, about" in done.stdout
    assert "(measured: 1 items of earlier runs)" in done.stdout
    assert len(lab.made()) == 5
    assert len(lab.starts()) == 5


def test_a_canary_that_fails_holds_up_the_others(lab: ClusterLab) -> None:
    lab.files(4, bad=1)
    done = lab.run("run", lab.pipeline([lab.copy()]), "--canary", check=1)
    assert "The canary failed, so no other item was run" in done.stdout
    assert len(lab.starts()) == 1


def test_once_too_many_items_failed_the_others_are_cancelled(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(6, bad=3)
    lab.site(more="at-once = 1")
    pipeline = lab.pipeline([lab.copy(wait=2) | {"max-failures": 1}])
    done = lab.run("run", pipeline, check=1)
    assert "more than `max-failures` allows" in done.stdout
    assert len(lab.starts()) < 6
    assert lab.run_json(pipeline)["state"] == "failed"
    lab.wait_for(lambda: not slurm.run("squeue", "-h"), "an empty queue")


def test_submitting_takes_three_calls_of_the_scheduler_and_a_status_one(lab: ClusterLab, tmp_path: Path) -> None:
    lab.files(30)
    pipeline = lab.pipeline([lab.copy(wait=3)])
    calls, path = counted_calls(tmp_path)
    lab.run("submit", pipeline, PATH=path)
    assert calls() == ["sbatch"] * 3
    lab.run("status", pipeline, PATH=path)
    assert calls() == ["squeue"]
    lab.run("status", pipeline, "--json", PATH=path)
    lab.run("cancel", pipeline)


def counted_calls(folder: Path) -> tuple[Callable[[], list[str]], str]:
    """What of Slurm's programs was called since it was last asked, and the PATH that notes it."""
    place, notes = folder / "noted", folder / "noted.txt"
    place.mkdir()
    for name in ("sbatch", "squeue", "scancel", "scontrol", "sacct"):
        (place / name).write_text(f"#!/bin/sh\necho {name} >> '{notes}'\nexec {shutil.which(name)} \"$@\"\n")
        (place / name).chmod(0o755)

    def calls() -> list[str]:
        found = notes.read_text().split()
        notes.write_text("")
        return found

    return calls, os.pathsep.join((str(place), os.environ["PATH"]))
