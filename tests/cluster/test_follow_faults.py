"""What goes wrong on clusters, for real: nodes, jobs, the scheduler, the disk and the driver that die in the middle."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.cluster.follow import How
from runner.cluster.notes import notes
from runner.cluster.tail import Disk
from runner.cluster.watch import Patience
from tests.cluster.cluster_lab import ClusterLab
from tests.support.slurm import Slurm

root_only = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts need root")


def each_once(lab: ClusterLab) -> bool:
    return max(Counter(line.split()[0] for line in lab.starts()).values()) == 1


def test_a_node_that_dies_in_the_middle_of_an_array_is_made_up_for_elsewhere(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(9)
    lab.site(target="1h", more="at-once = 3")
    pipeline = lab.pipeline([lab.copy(wait=0.7, resources={"cpus": 3, "time": "20m"}, batch=1)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: any(line.endswith("n2") for line in lab.starts()), "an item on n2")
    slurm.kill_node("n2", told=True)
    said, _ = going.communicate(timeout=90)
    assert going.returncode == 0, said
    assert "its node failed (on n2); submitted again" in said
    assert len(lab.made()) == 9
    counts = Counter(line.split()[0] for line in lab.starts())
    assert sum(count > 1 for count in counts.values()) <= 1, "but for the one that was under way"


def test_a_scheduler_that_is_down_makes_jobs_unknown_and_not_failed(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(3)
    pipeline = lab.pipeline([lab.copy(wait=8)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: len(lab.starts()) == 3, "all items")
    with slurm.controller_down():
        status = lab.run("status", pipeline).stdout
        lab.wait_for(lambda: len(lab.made()) == 3, "all items")
    said, _ = going.communicate(timeout=60)
    assert "unknown since" in status
    assert going.returncode == 0, said
    assert each_once(lab)
    assert "failed" not in said.replace("has not failed", "")


def test_jobs_that_are_cancelled_by_hand_are_told_on_their_items_and_not_tried_again(
    lab: ClusterLab, slurm: Slurm
) -> None:
    lab.files(3)
    pipeline = lab.pipeline([lab.copy(wait=60)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: len(lab.starts()) == 3, "all items")
    slurm.run("scancel", "--name", _array(lab, pipeline))
    said, _ = going.communicate(timeout=60)
    assert going.returncode == 1, said
    assert "cancelled" in said
    assert "Start the pipeline again" in said
    assert lab.run_json(pipeline)["state"] == "failed"


def test_a_job_that_runs_out_of_time_is_submitted_again_with_more(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(1)
    pipeline = lab.pipeline([lab.copy(wait="once:60", resources={"time": "1m"})])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "the item")
    (job,) = set(slurm.run("squeue", "-h", "-o", "%A").split())
    slurm.expire(job)
    said, _ = going.communicate(timeout=90)
    assert going.returncode == 0, said
    assert "out of time: it had 1 min" in said
    assert "submitted again with a time of 2 min" in said
    assert len(lab.starts()) == 2


def test_a_job_that_is_killed_for_memory_is_submitted_again_with_more(lab: ClusterLab) -> None:
    lab.files(1)
    script = lab.script(
        "eat.py",
        "import os, sys, time\nfrom pathlib import Path\nheld = b'x' * 400_000_000\ntime.sleep(4)\n"
        "Path(sys.argv[1]).parent.mkdir(exist_ok=True)\nPath(sys.argv[1]).write_text('made')\n",
    )
    lab.site(more='memory = "300 MB"')
    segment = lab.copy() | {"commands": ["python", str(script), "%YAML%/out/%STEM%.tif"]}
    pipeline = lab.pipeline([segment])
    done = lab.run("run", pipeline)
    assert "out of memory" in done.stdout
    assert "286 MiB of memory: `memory` of the executor test" in done.stdout
    assert "submitted again with 429 MiB of memory" in done.stdout
    assert len(lab.made()) == 1


def test_what_makes_room_for_a_more_important_job_is_submitted_again(lab: ClusterLab, slurm: Slurm) -> None:
    lab.files(1)
    pipeline = lab.pipeline([lab.copy(wait="once:30")])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "the item")
    urgent = slurm.run("sbatch", "--parsable", "-p", "urgent", "-N3", "--exclusive", "--wrap", "sleep 2")
    said, _ = going.communicate(timeout=90)
    assert urgent
    assert going.returncode == 0, said
    assert "make room" in said
    assert len(lab.made()) == 1


# the driver


@pytest.mark.parametrize("call", [2, 3])
def test_a_driver_killed_between_two_submissions_is_taken_up_and_nothing_runs_twice(
    lab: ClusterLab, tmp_path: Path, call: int
) -> None:
    """Killed right after sbatch took the job, before its number could be written down."""
    lab.files(4)
    pipeline = lab.pipeline([lab.copy(), lab.copy("in", "late")])
    going = lab.run("run", pipeline, check=-signal.SIGKILL, PATH=_shim(tmp_path, call, "kill -9 $PPID"))
    assert lab.run_json(pipeline)["state"] == "submitted", going.stdout
    assert "was submitted" in lab.run("run", pipeline, check=2).stderr
    done = lab.run("resume", pipeline)
    assert "was submitted before this run broke off: it counts" in done.stdout
    assert len(lab.made("late")) == 4
    starts = Counter(line.split()[0] for line in lab.starts())
    assert set(starts.values()) == {2}, "once in each segment"


def test_a_driver_killed_while_it_follows_is_taken_up(lab: ClusterLab) -> None:
    lab.files(6)
    lab.site(more="at-once = 2")
    pipeline = lab.pipeline([lab.copy(wait=1)])
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: len(lab.events(pipeline, "item-end")) > 1, "an item that was told")
    going.kill()
    going.communicate()
    done = lab.run("resume", pipeline)
    assert "items: 6 done" in done.stdout
    assert each_once(lab)
    assert len(lab.events(pipeline, "item-end")) == 6


def test_a_second_driver_on_another_host_is_refused(lab: ClusterLab) -> None:
    lab.files(2)
    pipeline = lab.pipeline([lab.copy(wait=6)])
    first = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "an item")
    for word in ("run", "resume"):
        said = _on_another_host(lab, word, pipeline)
        assert "is in use by" in said, said
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert "was submitted to test" in _on_another_host(lab, "run", pipeline)
    done = _on_another_host(lab, "resume", pipeline, code=0)
    assert "items: 2 done" in done
    assert each_once(lab)


def test_a_driver_that_another_took_for_dead_leaves_the_run_to_it(lab: ClusterLab) -> None:
    lab.files(2)
    pipeline = lab.pipeline([lab.copy(wait=8)])
    first = lab.start("run", pipeline)
    lab.wait_for(lambda: bool(lab.starts()), "an item")
    (pipeline.parent / f"{pipeline.name}.lock").unlink(missing_ok=True)
    for lock in pipeline.parent.glob("*.lock"):
        lock.unlink()
    second = lab.start("resume", pipeline)
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 2, said
    assert "this run is followed by process" in said
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert lab.run_json(pipeline)["state"] == "done"
    assert each_once(lab)


# what was changed while a job was in the queue


def _other_script(lab: ClusterLab) -> None:
    script = lab.repo / "scripts" / "copy.py"
    script.write_text(script.read_text().replace(">=3.11", ">=3.10"))


def _other_group(lab: ClusterLab) -> None:
    for name in ("pyproject.toml", "uv.lock"):
        path = lab.repo / name
        path.write_text(path.read_text().replace(">=3.11", ">=3.10"))


@pytest.mark.parametrize(("environment", "change"), [("script", _other_script), ("uv:default", _other_group)])
def test_a_job_whose_environment_became_another_while_it_waited_is_not_submitted_again(
    lab: ClusterLab, slurm: Slurm, environment: str, change: Callable[[ClusterLab], None]
) -> None:
    lab.files(2)
    lab.site(more='options = ["--hold", "--export=ALL"]')
    segment = lab.copy(environment=environment)
    script = lab.repo / "scripts" / "copy.py"
    script.write_text("# /// script\n# requires-python = '>=3.11'\n# ///\n" + script.read_text())
    pipeline = lab.pipeline([segment])
    going = lab.start("run", pipeline)

    def jobs() -> dict[str, str]:
        told = slurm.run("squeue", "-h", "-o", "%j %A").split()
        return dict(zip(told[::2], told[1::2], strict=True))

    lab.wait_for(lambda: len(jobs()) == 2, "the probe and the job")
    probe, job = sorted(jobs(), key=lambda name: "probe" not in name)
    slurm.run("scontrol", "release", jobs()[probe])
    lab.wait_for(lambda: probe not in jobs(), "the probe's end")
    change(lab)
    slurm.run("scontrol", "release", jobs()[job])
    said, _ = going.communicate(timeout=60)
    assert going.returncode == 1, said
    assert "submitted again" not in said
    assert "environment is not what it was when this run was submitted" in said
    assert lab.starts() == []


# the disk


def test_records_that_are_away_for_a_while_are_waited_for(lab: ClusterLab, tmp_path: Path) -> None:
    lab.files(4)
    share, away = tmp_path / "share", tmp_path / "away"
    pipeline = lab.pipeline([lab.copy(wait=6)])
    going = lab.start("run", pipeline, "--records", share)
    lab.wait_for(lambda: len(lab.starts()) == 4, "all items")
    share.rename(away)
    lab.wait_for(lambda: len(lab.made()) == 4, "all items")
    with contextlib.suppress(subprocess.TimeoutExpired):
        going.wait(30)
    assert going.poll() is None, "it waits"
    away.rename(share)
    said, _ = going.communicate(timeout=60)
    assert going.returncode == 0, said
    assert "cannot be read at the moment" in said
    assert "the folder is back" in said
    assert each_once(lab)


@root_only
def test_a_full_disk_is_told_and_what_is_done_stays_done(lab: ClusterLab, tmp_path: Path) -> None:
    lab.files(3)
    lab.site(retries=0)
    small = tmp_path / "small"
    small.mkdir()
    pipeline = lab.pipeline([lab.copy(wait=3)])
    with _mounted(small, "size=2m"):
        going = lab.start("run", pipeline, "--records", small)
        lab.wait_for(lambda: len(lab.starts()) == 3, "all items")
        with contextlib.suppress(OSError), (small / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        said, _ = going.communicate(timeout=90)
        assert going.returncode in (1, 4), said
        assert "(or your quota on it) is full" in said, said
        (small / "filler").unlink()
        again = lab.run("resume", pipeline, "--records", small, check=None)
        if "nothing of" in again.stderr:
            again = lab.run("run", pipeline, "--records", small)
        lab.run("run", pipeline, "--records", small)
        assert len(lab.made()) == 3


class LateDisk(Disk):
    """A test double at the file layer: files are seen some looks after they were written."""

    def __init__(self, looks: int) -> None:
        self._looks, self._seen = looks, Counter[Path]()

    def names(self, folder: Path) -> list[str]:
        found = []
        for name in super().names(folder):
            self._seen[folder / name] += 1
            if self._seen[folder / name] > self._looks:
                found.append(name)
        return found


def test_files_that_are_seen_late_are_waited_for(lab: ClusterLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.files(3)
    pipeline = lab.pipeline([lab.copy()])
    how = How(patience=Patience(grace=0.5, lag=20), disk=LateDisk(14))
    assert lab.here(pipeline, how, monkeypatch) == 0
    assert each_once(lab)


def test_a_chunk_whose_receipts_are_lost_is_submitted_again(lab: ClusterLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test double that never shows the first file of receipts, as a disk that lost it."""
    lab.files(2)
    pipeline = lab.pipeline([lab.copy()])

    class Loses(Disk):
        def names(self, folder: Path) -> list[str]:
            over = all(note is not None and note.ended for note in notes(folder, 0).values())
            for path in folder.glob("receipts-*-0.jsonl") if over else ():  # while it is written, the worker would tell
                path.unlink()
            return [name for name in super().names(folder) if not name.endswith("-0.jsonl")]

    assert lab.here(pipeline, How(patience=Patience(grace=0.5, lag=3), disk=Loses()), monkeypatch) == 0
    starts = Counter(line.split()[0] for line in lab.starts())
    assert starts == {"item000.tif": 2, "item001.tif": 1}
    told = [event["text"] for event in lab.events(pipeline, "note")]
    assert any("receipts of its items are not there" in text and "submitted again" in text for text in told), told


# what the cluster refuses


def test_a_job_that_is_held_is_told_at_once(lab: ClusterLab) -> None:
    lab.files(1)
    lab.site(more='options = ["--hold"]')
    pipeline = lab.pipeline([lab.copy()])
    going = lab.start("run", pipeline)
    path = lab.data / ".run-pipeline" / pipeline.name
    lab.wait_for(lambda: any("on hold" in text.read_text() for text in path.glob("*/events.jsonl")), "a word of it")
    going.send_signal(signal.SIGINT)
    said, _ = going.communicate(timeout=60)
    assert "scontrol release" in said
    assert "is held: you, or somebody for you, put it on hold" in lab.run("status", pipeline).stdout
    lab.run("cancel", pipeline)


def test_an_account_that_slurm_refuses_is_told_before_anything_is_submitted(tmp_path: Path, accounts: Slurm) -> None:
    lab = ClusterLab(tmp_path, accounts)
    lab.make()
    lab.files(2)
    lab.site(more='account = "nobody"')
    pipeline = lab.pipeline([lab.copy()])
    said = lab.run("run", pipeline, check=2).stderr
    assert "nvalid account" in said
    assert "sacctmgr show associations" in said
    assert accounts.run("squeue", "-h") == ""
    lab.site(more='account = "lab"')
    lab.run("run", pipeline)
    assert len(lab.made()) == 2


def test_a_queue_that_is_full_is_waited_for(tmp_path: Path, accounts: Slurm) -> None:
    lab = ClusterLab(tmp_path, accounts)
    lab.make()
    lab.files(7)
    lab.site(more='account = "lab"')
    pipeline = lab.pipeline([lab.copy(), lab.copy("in", "late")])
    user = ("modify", "user", "where", f"name={getpass.getuser()}", "set")
    accounts.run("sacctmgr", "-i", *user, "MaxSubmitJobs=4")
    try:
        done = lab.run("run", pipeline, USER=getpass.getuser())
    finally:
        accounts.run("sacctmgr", "-i", *user, "MaxSubmitJobs=-1")
    assert "it is tried again until there is room" in done.stdout
    assert len(lab.made("late")) == 7
    assert set(Counter(line.split()[0] for line in lab.starts()).values()) == {2}


def test_a_segment_without_items_that_is_lost_says_so_once(lab: ClusterLab, slurm: Slurm) -> None:
    lab.site(retries=0)
    pipeline = lab.pipeline(
        [{"name": "Long", "environment": "uv:default", "commands": ["python", "-c", "import time; time.sleep(60)"]}]
    )
    going = lab.start("run", pipeline)
    lab.wait_for(lambda: "R" in slurm.run("squeue", "-h", "-o", "%t %j").split(), "the job")
    time.sleep(2)
    slurm.run("scancel", "--name", _array(lab, pipeline))
    said, _ = going.communicate(timeout=60)
    assert going.returncode == 1, said
    assert "✗ failed\n" in said
    assert "cancelled" in said


def test_a_folder_that_nodes_do_not_see_is_told_and_nothing_runs(lab: ClusterLab, tmp_path: Path) -> None:
    lab.files(2)
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.pt").write_text("heavy")
    segment = lab.copy()
    segment["commands"] += ["--weights", str(weights / "model.pt")]
    pipeline = lab.pipeline([segment])
    said = lab.run("run", pipeline, check=3, PATH=_shim(tmp_path, 2, f"mv '{weights}' '{weights}-away'")).stderr
    assert "model.pt" in said
    assert lab.starts() == []
    assert lab.run_json(pipeline)["state"] != "submitted"


def _array(lab: ClusterLab, pipeline: Path) -> str:
    lines = (lab.record(pipeline) / "handles.jsonl").read_text(encoding="utf-8").splitlines()
    (name,) = {line.split('"name":"')[1].split('"')[0] for line in lines if '"segment":1,' in line}
    return name


def _shim(folder: Path, call: int, then: str) -> str:
    """A PATH with an sbatch that does something right after (or, of a test, before) its call with that number."""
    place = folder / "shim"
    place.mkdir()
    sbatch = place / "sbatch"
    sbatch.write_text(
        f"#!/bin/sh\necho x >> '{place}/calls'\n{shutil.which('sbatch')} \"$@\"; code=$?\n"
        f"[ $(wc -l < '{place}/calls') -eq {call} ] && {then}\nexit $code\n"
    )
    sbatch.chmod(0o755)
    return os.pathsep.join((str(place), os.environ["PATH"]))


def _on_another_host(lab: ClusterLab, word: str, pipeline: Path, code: int = 2) -> str:
    """A host name of its own, and with it the lock's other host."""
    if os.geteuid():
        pytest.skip("another host name needs root")
    line = ["unshare", "--uts", "sh", "-c", 'hostname other-host && exec "$@"', "sh", *lab.argv(word, pipeline)]
    done = subprocess.run(
        line, cwd=lab.root, env=lab.environ(), capture_output=True, encoding="utf-8", timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
