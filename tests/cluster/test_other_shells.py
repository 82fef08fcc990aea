"""What somebody does to a run on a cluster from another shell, under another name, or after something was lost."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster_lab import ClusterLab
from tests.support.slurm import Slurm


@pytest.fixture
def lab(tmp_path: Path, slurm: Slurm) -> ClusterLab:
    made = ClusterLab(tmp_path, slurm)
    made.make()
    made.site(target="1s")
    made.files(4)
    return made


def copy(lab: ClusterLab, *args: str, **more: Any) -> dict[str, Any]:
    """Without an environment of its own."""
    found = lab.copy(*args, **more)
    return found | {"environment": "cmd", "commands": [sys.executable, *found["commands"][1:]]}


def jobs(lab: ClusterLab) -> list[str]:
    assert lab.slurm is not None
    return lab.slurm.run("squeue", "-h", "-o", "%A").split()


def test_a_canary_goes_first_and_all_chunks_of_the_others_follow_at_once(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, canary=True), copy(lab, "out", "more")])
    before = time.monotonic()
    done = lab.run("run", pipeline)
    assert time.monotonic() - before < 40, done.stdout  # what counts as lost is looked at for a minute
    assert "submitted again" not in done.stdout
    assert len(lab.starts()) == 8 and len(lab.made("more")) == 4


def test_a_run_that_was_left_after_its_canary_is_taken_up_with_all_chunks(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, wait=2, canary=True)])
    driver = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "the canary")
    driver.send_signal(signal.SIGINT)
    driver.communicate()
    lab.run("resume", pipeline)
    assert len(lab.made()) == 4 and len(lab.starts()) == 4


def test_branches_of_a_diamond_are_submitted_at_once(lab: ClusterLab) -> None:
    two, three = copy(lab, "in", "two", needs=["Make out"]), copy(lab, "in", "three", needs=["Make out"])
    last = {"name": "Last", "environment": "cmd", "commands": ["true"], "needs": ["Make two", "Make three"]}
    pipeline = lab.pipeline([copy(lab, wait=30), two, three, last])
    lab.run("submit", pipeline)
    assert len(set(jobs(lab))) >= 4  # and the probe, for a moment
    lab.run("cancel", pipeline)


def test_an_item_that_is_removed_before_its_turn_fails_alone(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab)])
    assert lab.slurm is not None
    with_jobs_held(lab, True)
    lab.run("submit", pipeline)
    (lab.data / "in" / "item000.tif").unlink()
    with_jobs_held(lab, False)
    done = lab.run("resume", pipeline, check=1)
    assert "item000.tif" in done.stdout and len(lab.made()) == 3


def with_jobs_held(lab: ClusterLab, held: bool) -> None:
    assert lab.slurm is not None
    lab.slurm.run("scontrol", "update", "PartitionName=main", f"State={'DOWN' if held else 'UP'}")


def test_a_run_with_records_elsewhere_is_found_without_their_folder_and_not_submitted_twice(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, wait=60)])
    lab.run("submit", pipeline, "--records", lab.root / "récords")
    for words in (("run",), ("submit",), ("submit", "--records", str(lab.root / "third"))):
        refused = lab.run(words[0], pipeline, *words[1:], check=2)
        assert "that run has not ended" in refused.stderr and "récords" in refused.stderr
    assert "submitted" in lab.run("status", pipeline).stdout
    lab.run("cancel", pipeline)
    lab.wait_for(lambda: not jobs(lab), "all jobs are ended")


def test_another_name_of_the_same_folder_is_the_same_run_and_a_copy_is_not(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, wait=60)])
    lab.run("submit", pipeline)
    shutil.copytree(lab.data, lab.root / "copy")
    refused = lab.run("cancel", lab.root / "copy" / pipeline.name, check=2)
    assert "is a copy" in refused.stderr and str(pipeline) in refused.stderr
    (lab.root / "link").symlink_to(lab.data)
    lab.run("cancel", lab.root / "link" / pipeline.name)
    lab.wait_for(lambda: not jobs(lab), "all jobs are ended")


def test_jobs_of_a_folder_that_was_moved_can_be_ended(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, wait=60)])
    lab.run("submit", pipeline)
    lab.data.rename(lab.root / "moved")
    moved = lab.root / "moved" / pipeline.name
    refused = lab.run("resume", moved, check=2)
    assert str(pipeline) in refused.stderr and "cancel" in refused.stderr
    lab.run("cancel", moved)
    lab.wait_for(lambda: not jobs(lab), "all jobs are ended")


def test_a_damaged_record_is_told_with_what_to_do_and_its_jobs_can_be_ended(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab, wait=60)])
    lab.run("submit", pipeline)
    record = lab.record(pipeline)
    for name in ("plan.json", "pipeline.yaml", "01-make-out/job.json", "01-make-out/items.jsonl"):
        whole = (record / name).read_bytes()
        (record / name).write_bytes(whole[:60])
        resumed = lab.run("resume", pipeline, check=4)
        assert Path(name).name in resumed.stderr and "ancel" in resumed.stderr
        (record / name).write_bytes(whole)
    (record / "run.json").write_bytes(b"{")
    (record / "cluster.json").write_bytes(b"{")
    refused = lab.run("submit", pipeline, check=2)
    assert "that run has not ended" in refused.stderr
    told = lab.run("cancel", pipeline)
    assert "cluster.json" in told.stdout
    lab.wait_for(lambda: not jobs(lab), "all jobs are ended")
    assert "would run" in lab.run("status", pipeline).stdout


def test_a_changed_env_is_told_at_once_and_its_jobs_are_not_tried_again(lab: ClusterLab) -> None:
    (lab.repo / ".env").write_text("VALUE=one\n")
    pipeline = lab.pipeline([copy(lab, wait=2), copy(lab, "in", "more", env={"A": "%VALUE%"})])
    lab.run("submit", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "an item")
    (lab.repo / ".env").write_text("VALUE=two\n")
    driver = lab.start("resume", pipeline)
    told, _ = driver.communicate()
    assert ".env was changed" in told
    assert driver.returncode
    assert "submitted again" not in told


def test_a_computer_without_the_schedulers_programs_collects(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab)])
    lab.run("submit", pipeline)
    lab.wait_for(lambda: not jobs(lab), "all jobs have ended")
    told = lab.run("collect", pipeline, PATH=str(Path(sys.executable).parent))
    assert "4 done" in told.stdout
    assert lab.run_json(pipeline)["state"] == "done"


def test_logs_that_are_followed_end_when_nobody_goes_on_with_the_run(lab: ClusterLab) -> None:
    pipeline = lab.pipeline([copy(lab)])
    lab.run("submit", pipeline)
    told = lab.run("logs", pipeline, "-f").stdout
    assert "copies item003.tif" in told and "run-pipeline resume" in told


def test_the_line_to_go_on_behind_a_pause_names_the_cluster(lab: ClusterLab) -> None:
    run = [{"name": "One", "environment": "cmd", "commands": ["true"]}, {"type": "pause"}, copy(lab)]
    (lab.repo / "run-pipeline.toml").write_text('[executors.mine]\nkind = "slurm"\npoll = "0.3s"\n')
    done = lab.run("run", lab.pipeline(run), "--executor", "mine")
    assert "--from 3 --executor mine" in done.stdout


def test_cancel_waits_until_what_ran_has_ended(lab: ClusterLab, slurm: Slurm) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('begun', 'w'); time.sleep(60)"
    segment = {"name": "Deaf", "environment": "cmd", "cwd": "%YAML%", "commands": [sys.executable, "-c", deaf]}
    pipeline = lab.pipeline([segment])
    with slurm.otherwise(KillWait="3"):
        lab.run("submit", pipeline)
        lab.wait_for(lambda: (lab.data / "begun").exists(), "the program")
        told = lab.run("cancel", pipeline).stdout
    assert "waiting for the end of 1 job" in told
    assert not jobs(lab)
