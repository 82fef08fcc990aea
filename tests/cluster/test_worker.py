"""Workers of a submitted run, as real processes: what they run, what they leave, what their exit code says."""

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.frozen import Frozen
from tests.support.lab import Lab
from tests.support.plate import PROGRAM, Plate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")


@pytest.fixture
def plate(lab: Lab) -> Plate:
    return Plate(lab)


def test_a_worker_runs_its_chunk_and_no_other(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"))
    run.work(1, index=1)
    assert plate.calls() == ["2.tif", "3.tif"]
    assert run.states(1) == {"2.tif": "succeeded", "3.tif": "succeeded"}
    (note,) = run.notes(1).values()
    assert (note["number"], note["items"], note["receipts"], note["code"]) == (1, 2, 2, 0)
    assert note["ended"] >= note["began"] > 0


def test_what_failed_has_a_receipt_too_and_the_worker_ends_with_0(plate: Plate) -> None:
    (plate.data / "bad-0.tif").touch()
    run = plate.freeze(plate.each("mask"))
    assert "✗ 0.tif" in run.work(1)
    assert run.states(1) == {"0.tif": "failed", "1.tif": "succeeded"}
    run.work(1)
    assert plate.calls() == ["0.tif", "1.tif"], "what has a receipt is not run again"


def test_a_second_generation_runs_only_what_the_first_left(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), size=5)
    (plate.data / "hold").touch()
    first = run.start(1)
    plate.wait_for_calls(1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (plate.data / "hold").unlink()
    run.work(1, generation=1)
    assert sorted(run.states(1).values()) == ["succeeded"] * 5
    assert set(run.notes(1)) == {"0.json", "1000000.json"}
    assert run.notes(1)["0.json"]["ended"] == 0


def test_a_worker_that_is_told_to_end_leaves_no_receipt_of_what_it_ran(plate: Plate) -> None:
    (plate.data / "hold").touch()
    run = plate.freeze(plate.each("mask"))
    worker = run.start(1)
    plate.wait_for_calls(1)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 143
    assert run.states(1) == {}
    assert run.notes(1)["0.json"]["code"] == 143
    assert plate.outputs("mask") == []


def test_an_item_is_not_run_where_it_failed_before_and_waits_where_it_has_not_ended(plate: Plate) -> None:
    (plate.data / "bad-0.tif").touch()
    run = plate.freeze(plate.each("mask"), plate.each("seen"))
    said = run.work(2, check=75)
    assert run.states(2) == {}
    run.work(1)
    run.work(2)
    assert run.states(2) == {"0.tif": "not run", "1.tif": "succeeded"}
    assert plate.calls() == ["0.tif", "1.tif", "1.tif"]
    run.work(2, index=1, check=75)
    note = run.notes(2)["1.json"]
    assert (note["code"], note["waiting"], note["says"]) == (75, 2, "waiting for segment 1 (2 items)")
    assert "Traceback" not in said


def test_chunks_of_another_cut_wait_for_their_own_items_alone(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask"), plate.each("seen"), size=2)
    other = Frozen(plate.lab, plate.data / "pipeline.yaml", size=3)
    for name in ("job.json", "items.jsonl"):  # the second segment in threes
        (run.folder(2) / name).write_bytes((other.folder(2) / name).read_bytes())
    run.work(1, index=1)
    run.work(2, index=0, check=75)
    assert run.states(2) == {"2.tif": "succeeded"}
    run.work(1, index=0)
    run.work(2, index=0)
    assert len(run.states(2)) == 3


def test_a_segment_of_all_items_runs_once_all_of_them_ended_well(plate: Plate) -> None:
    table = plate.segment("table", "in", "table.csv")
    run = plate.freeze(plate.each("mask"), table, size=3)
    run.work(1, index=0)
    run.work(2, check=75)
    run.work(1, index=1)
    run.work(2)
    assert run.states(2) == {"": "succeeded"}
    assert (plate.data / "table.csv").exists()


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_segment_of_all_items_is_not_run_where_one_failed_unless_it_may(plate: Plate, keep_going: bool) -> None:
    (plate.data / "bad-0.tif").touch()
    keys = {"keep-going": True} if keep_going else {}
    run = plate.freeze(plate.each("mask", **keys), plate.segment("table", "in", "table.csv"), size=5)
    run.work(1)
    run.work(2)
    assert run.states(2) == {"": "succeeded" if keep_going else "not run"}
    assert (plate.data / "table.csv").exists() == keep_going


def test_a_segment_without_items_that_is_told_to_end_has_no_receipt(plate: Plate) -> None:
    (plate.data / "hold").touch()
    run = plate.freeze(plate.segment("table", "in", "table.csv"))
    worker = run.start(1)
    plate.wait_for_calls(1)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert (worker.returncode, run.states(1)) == (143, {})
    (plate.data / "hold").unlink()
    run.work(1, generation=1)
    assert run.states(1) == {"": "succeeded"}


def test_as_many_items_run_at_once_as_the_job_was_given_cores(plate: Plate) -> None:
    (plate.data / "hold").touch()
    run = plate.freeze(plate.each("mask"), size=5)
    worker = run.start(1, SLURM_JOB_ID="7", SLURM_CPUS_ON_NODE="2")
    plate.wait_for_calls(2)
    time.sleep(0.5)
    assert len(plate.calls()) == 2
    (plate.data / "hold").unlink()
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 0, said
    assert len(run.states(1)) == 5
    assert run.notes(1)["0.json"]["job"] == "7"
    names = sorted(path.name.rsplit("-", 1)[1] for path in run.folder(1).glob("receipts-*"))
    assert names == ["0.jsonl", "1000000000.jsonl"]


def test_the_gpus_that_the_scheduler_gave_are_kept(plate: Plate) -> None:
    text = PROGRAM.replace('"SHOWN"', '"CUDA_VISIBLE_DEVICES"')
    plate.program.write_text(text)
    run = plate.freeze(plate.each("mask", resources={"gpus": 1}), size=1)
    run.work(1, CUDA_VISIBLE_DEVICES="GPU-5a", SLURM_JOB_ID="1")
    assert (plate.data / "out" / "0.mask").read_text() == "GPU-5a"
    said = run.work(1, index=1, check=3, CUDA_VISIBLE_DEVICES="NoDevFiles", SLURM_JOB_ID="1")
    assert "this job was given none" in said
    assert len(run.states(1)) == 1
    assert "this job was given none" in run.notes(1)["1.json"]["says"]


def test_an_item_that_asks_for_all_the_memory_of_the_job_is_run(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask", resources={"memory": "1 GB"}), size=2)
    run.work(1, SLURM_JOB_ID="1", SLURM_CPUS_ON_NODE="64", SLURM_MEM_PER_NODE="954")
    assert len(run.states(1)) == 2


def test_no_item_fails_because_a_node_lacks_the_disk(plate: Plate) -> None:
    run = plate.freeze(plate.each("mask")).impatient()
    (plate.data / "in").rename(plate.data / "away")
    assert "there is no folder" in run.work(1, check=3)
    assert run.states(1) == {}
    (plate.data / "away").rename(plate.data / "in")
    (plate.data / "in" / "0.tif").unlink()
    run.work(1)
    assert run.states(1) == {"0.tif": "failed", "1.tif": "succeeded"}


def test_a_changed_env_file_is_noticed_where_the_segment_uses_it(plate: Plate) -> None:
    (plate.lab.repo / ".env").write_text("SIGMA=1\nOTHER=1\n")
    run = plate.freeze(plate.each("mask", env={"SHOWN": "%SIGMA%"}))
    (plate.lab.repo / ".env").write_text("SIGMA=1\nOTHER=2\n")
    run.work(1)
    assert (plate.data / "out" / "0.mask").read_text() == "1"
    (plate.lab.repo / ".env").write_text("SIGMA=2\nOTHER=2\n")
    assert ".env was changed" in run.work(1, index=1, check=2)
    assert len(run.states(1)) == 2


def test_too_many_failures_stop_the_chunks_that_have_not_begun(plate: Plate) -> None:
    for number in range(2):
        (plate.data / f"bad-{number}.tif").touch()
    run = plate.freeze(plate.each("mask", **{"max-failures": 1}))
    run.work(1)
    run.work(1, index=1)
    assert run.states(1) == {"0.tif": "failed", "1.tif": "failed", "2.tif": "not run", "3.tif": "not run"}


def test_batches_are_given_together(plate: Plate) -> None:
    segment = plate.segment("all", "%ITEMS%", "out/last", foreach="in/*.tif", batch=2)
    run = plate.freeze(segment, size=5)
    run.work(1)
    assert len(run.states(1)) == 5
    assert len((plate.data / "calls.txt").read_text().splitlines()) == 3


def test_a_record_that_is_none_is_told_in_plain_words(lab: Lab, tmp_path: Path) -> None:
    done = lab.run("worker", tmp_path / "nothing", "1", check=None)
    assert done.returncode in (2, 4)
    assert "error:" in done.stderr
