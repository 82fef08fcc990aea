"""`run FILE --shard 2/4`: several computers of a share do a run together, here as several processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.plate import Plate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")


@pytest.fixture
def plate(lab: Lab) -> Plate:
    return Plate(lab, images=7)


def start(plate: Plate, file: Path, part: str, *options: str) -> "subprocess.Popen[bytes]":
    return plate.lab.popen(file, "--shard", part, "--jobs", "1", *options)


def ended(*parts: "subprocess.Popen[bytes]") -> list[str]:
    said = [part.communicate(timeout=100)[0].decode() for part in parts]
    assert not any("Traceback" in text for text in said), said
    return said


def state(plate: Plate, file: Path) -> str:
    return str(json.loads((plate.lab.runs(file)[-1] / "run.json").read_text())["state"])


def test_two_computers_do_a_run_together_and_it_counts_as_one_of_a_single_one(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask"), plate.each("seen"), plate.segment("table", "in", "table.csv")])
    parts = [start(plate, file, "1/2"), start(plate, file, "2/2")]
    said = ended(*parts)
    assert [part.returncode for part in parts] == [0, 0], said
    assert sorted(plate.calls()) == sorted([f"{n}.tif" for n in range(7)] * 2 + ["in"]), "each item once"
    assert state(plate, file) == "done"
    assert [entry["name"] for entry in plate.lab.status(file)] == ["mask", "seen", "table"]
    assert len(plate.lab.runs(file)) == 1
    assert "Nothing to run" in plate.lab.run(file).stdout
    names = {path.name.rsplit("-", 1)[1] for path in plate.lab.runs(file)[0].glob("01-*/receipts-*")}
    assert names == {"0.jsonl", "1.jsonl"}, "one writer each"


def test_one_after_the_other_the_last_brings_it_together(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask")])
    said = plate.lab.run(file, "--shard", "2/2").stdout
    assert "this part is done" in said
    assert sorted(plate.calls()) == ["1.tif", "3.tif", "5.tif"]
    assert state(plate, file) == "submitted"
    assert "has not ended" in plate.lab.run(file, check=2).stderr
    plate.lab.run(file, "--shard", "1/2")
    assert len(plate.calls()) == 7
    assert state(plate, file) == "done"


def test_what_goes_over_nothing_is_done_by_the_part_that_comes_last(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask"), plate.segment("table", "in", "table.csv")])
    said = plate.lab.run(file, "--shard", "1/2").stdout
    assert "this part is done" in said
    assert not (plate.data / "table.csv").exists()
    plate.lab.run(file, "--shard", "2/2")
    assert (plate.data / "table.csv").exists()
    assert state(plate, file) == "done"


def test_items_behind_a_segment_that_goes_over_nothing_wait_for_it(plate: Plate) -> None:
    table = plate.segment("table", "in", "table.csv", outputs=["table.csv"])
    file = plate.lab.pipeline([plate.each("mask"), table, plate.each("seen")])
    first = start(plate, file, "2/2")
    plate.wait_for_calls(3)
    second = start(plate, file, "1/2")
    said = ended(first, second)
    assert [first.returncode, second.returncode] == [0, 0], said
    assert plate.calls().count("in") == 1
    assert len(plate.outputs("seen")) == 7
    assert state(plate, file) == "done"


def test_items_that_an_earlier_segment_makes_are_shared_out_once_they_are_known(plate: Plate) -> None:
    later = plate.segment("seen", "%ITEM%", "out/%STEM%.seen", foreach="out/*.mask", outputs=["out/%STEM%.seen"])
    file = plate.lab.pipeline([plate.each("mask"), later])
    parts = [start(plate, file, "1/2"), start(plate, file, "2/2")]
    said = ended(*parts)
    assert [part.returncode for part in parts] == [0, 0], said
    assert len(plate.outputs("seen")) == 7
    assert len(plate.calls()) == 14
    assert state(plate, file) == "done"


def test_what_failed_is_told_by_the_exit_code_and_run_again_by_the_next_run(plate: Plate) -> None:
    (plate.data / "bad-0.tif").touch()
    file = plate.lab.pipeline([plate.each("mask")])
    plate.lab.run(file, "--shard", "1/2", check=1)
    plate.lab.run(file, "--shard", "2/2", check=1)
    assert state(plate, file) == "failed"
    (plate.data / "bad-0.tif").unlink()
    plate.lab.run(file)
    assert plate.calls().count("0.tif") == 2
    assert len(plate.calls()) == 8


def test_a_part_that_was_stopped_goes_on_and_the_same_part_twice_is_refused(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask")])
    (plate.data / "hold").touch()
    first = start(plate, file, "1/1")
    plate.wait_for_calls(1)
    twice = plate.lab.run(file, "--shard", "1/1", check=2)
    assert "is being worked on already on" in twice.stderr
    first.send_signal(signal.SIGINT)
    (said,) = ended(first)
    assert first.returncode == 130, said
    assert "the same --shard goes on with it" in said
    (plate.data / "hold").unlink()
    plate.lab.run(file, "--shard", "1/1")
    assert len(plate.outputs("mask")) == 7
    assert state(plate, file) == "done"


def test_another_number_of_parts_an_edited_file_and_other_options_are_refused(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask")])
    plate.lab.run(file, "--shard", "1/2")
    assert "was begun in 2 parts, and not in 3" in plate.lab.run(file, "--shard", "2/3", check=2).stderr
    assert "other options" in plate.lab.run(file, "--shard", "2/2", "--force", check=2).stderr
    file.write_text(file.read_text() + "# edited\n")
    done = plate.lab.run(file, "--shard", "2/2", check=2)
    assert "was edited since this run was begun" in done.stderr
    assert "run-pipeline cancel" in done.stderr
    plate.lab.run("cancel", file)
    assert state(plate, file) == "cancelled"
    plate.lab.run(file)
    assert len(plate.calls()) == 7, "what the first part did counts"


@pytest.mark.parametrize("part", ["", "0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_what_is_no_part_of_a_whole_is_refused(lab: Lab, part: str) -> None:
    file = lab.pipeline([{"name": "a", "environment": "cmd", "commands": ["true"]}])
    assert "is no part of a whole" in lab.run(file, f"--shard={part}", check=2).stderr


def test_a_pause_is_refused_before_anything_runs(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask"), {"type": "pause", "message": "look"}, plate.each("seen")])
    assert "which a run in parts cannot go past" in plate.lab.run(file, "--shard", "1/2", check=2).stderr
    assert plate.calls() == []


def test_resume_of_a_run_in_parts_says_at_once_which_it_waits_for(plate: Plate) -> None:
    file = plate.lab.pipeline([plate.each("mask")])
    plate.lab.run(file, "--shard", "1/2")
    waits = plate.lab.popen("resume", file)
    assert waits.stdout is not None
    told = [waits.stdout.readline()]
    while b"--shard 2/2" not in told[-1] and told[-1]:
        told.append(waits.stdout.readline())
    assert b"only waits for them" in told[-1]
    waits.send_signal(signal.SIGINT)
    waits.communicate()
    plate.lab.run(file, "--shard", "2/2")
    assert state(plate, file) == "done"
