"""Who works on a chunk, where a scheduler started it twice: no item is run by two at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from runner.cluster.notes import Claim, Note, TakenOver, notes, take
from runner.cluster.receipts import chunk_of, worker_number
from runner.process.identity import process_started
from runner.process.stop import StopRequest
from tests.support.frozen import Frozen
from tests.support.lab import Lab
from tests.support.plate import Plate

# a worker with a quicker pulse
QUICK = "import runner.cluster.notes as n; n.BEAT = 0.2; from runner.cli.main import start; start()"
HERE = Note(17, node="here", pid=os.getpid(), process=process_started(os.getpid()) or 0.0, boot="b")


@pytest.fixture
def plate(lab: Lab) -> Plate:
    return Plate(lab)


def left(folder: Path, note: Note, name: str = "17.json") -> Path:
    """The note of a worker that has not said that it ended."""
    path = folder / "jobs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(asdict(note)))
    return path


def took(folder: Path, note: Note = HERE, silent: float = 0.5, stop: StopRequest | None = None) -> tuple[Claim, float]:
    """What a worker gets, and how long it waited for that."""
    begin = time.monotonic()
    claim = take(folder, note, stop or StopRequest(), silent=silent)
    return claim, time.monotonic() - begin


def test_numbers_of_workers_tell_their_chunk_and_no_two_are_equal() -> None:
    found = {
        worker_number(generation, chunk, turn, thread): chunk
        for generation in (0, 1, 999)
        for chunk in (0, 1, 999_998)
        for turn in (0, 1, 7)
        for thread in (0, 1, 99)
    }
    assert len(found) == 3 * 3 * 3 * 3
    assert all(chunk_of(number) == chunk for number, chunk in found.items())
    assert worker_number(2, 17) == 2_000_017


def test_the_first_waits_for_nobody_and_says_when_it_ended(tmp_path: Path) -> None:
    claim, waited = took(tmp_path, silent=60)
    assert waited < 5
    claim.end(code=0, receipts=3)
    (note,) = notes(tmp_path).values()
    assert note is not None
    assert (note.code, note.receipts, note.turn, note.node) == (0, 3, 0, "here")
    assert note.ended > 0


def test_one_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    left(tmp_path, replace(HERE, ended=5.0, node="elsewhere"))
    claim, waited = took(tmp_path, silent=60)
    claim.end()
    assert waited < 5
    assert claim.path.name == "17.1.json"


def test_one_of_this_node_that_is_dead_is_not_waited_for(tmp_path: Path) -> None:
    left(tmp_path, replace(HERE, pid=2**30))
    claim, waited = took(tmp_path, silent=60)
    claim.end()
    assert waited < 5


def test_another_start_of_the_machine_or_a_container_of_the_same_name_is_another_node(tmp_path: Path) -> None:
    left(tmp_path, replace(HERE, pid=2**30, boot="another"))
    claim, waited = took(tmp_path)
    claim.end()
    assert waited >= 0.5


def test_one_of_another_node_is_waited_for_until_it_is_silent(tmp_path: Path) -> None:
    path = left(tmp_path, replace(HERE, node="elsewhere"))
    beats = threading.Timer(0.3, os.utime, [path])
    beats.start()
    claim, waited = took(tmp_path, silent=0.8)
    claim.end()
    beats.join()
    assert waited >= 0.8


def test_a_note_that_is_just_being_written_is_of_one_that_lives(tmp_path: Path) -> None:
    left(tmp_path, HERE).write_text("")
    claim, waited = took(tmp_path)
    claim.end()
    assert waited >= 0.5


def test_clocks_that_differ_change_nothing(tmp_path: Path) -> None:
    path = left(tmp_path, replace(HERE, node="elsewhere", began=time.time() + 9e5))
    os.utime(path, (time.time() + 9e5, time.time() + 9e5))
    claim, waited = took(tmp_path)
    claim.end()
    assert 0.5 <= waited < 5


def test_one_that_was_silent_for_long_is_not_waited_for(tmp_path: Path) -> None:
    path = left(tmp_path, replace(HERE, node="elsewhere"))
    os.utime(path, (time.time() - 900, time.time() - 900))
    claim, waited = took(tmp_path, silent=60)
    claim.end()
    assert waited < 5


def test_an_older_submission_has_nothing_to_do_once_there_is_a_newer_one(tmp_path: Path) -> None:
    left(tmp_path, replace(HERE, number=1_000_017), "1000017.json")
    with pytest.raises(TakenOver):
        took(tmp_path)


def test_by_hand_the_second_is_refused_with_the_place_of_the_first(tmp_path: Path) -> None:
    left(tmp_path, HERE)
    with pytest.raises(TakenOver, match=f"on here \\(process {os.getpid()}\\)"):
        take(tmp_path, HERE, StopRequest(), may_take_over=False)
    path = left(tmp_path, replace(HERE, node="elsewhere"))
    beats = threading.Timer(0.3, os.utime, [path])
    beats.start()
    with pytest.raises(TakenOver, match="on elsewhere"):
        take(tmp_path, HERE, StopRequest(), silent=60, may_take_over=False)
    beats.join()


@pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")
def test_of_two_at_once_the_first_leaves_its_item_to_the_second(plate: Plate) -> None:
    (plate.data / "hold").touch()
    run = plate.freeze(plate.each("mask"))
    first = quick(run)
    plate.wait_for_calls(1)
    second = quick(run)
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 76, said
    (plate.data / "hold").unlink()
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert run.states(1) == {"0.tif": "succeeded", "1.tif": "succeeded"}
    assert plate.calls() == ["0.tif", "0.tif", "1.tif"]
    assert {name: note["code"] for name, note in run.notes(1).items()} == {"0.json": 76, "0.1.json": 0}


@pytest.mark.skipif(sys.platform == "win32", reason="programs of a Unix shell")
def test_an_element_that_was_queued_again_after_its_node_died_goes_on(plate: Plate) -> None:
    (plate.data / "hold").touch()
    run = plate.freeze(plate.each("mask"), size=3)
    first = quick(run)
    plate.wait_for_calls(1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (plate.data / "hold").unlink()
    second = quick(run)
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0, said
    assert len(run.states(1)) == 3
    assert {path.name for path in run.folder(1).glob("log-*")} == {"log-0.txt", "log-1000000000000.txt"}


def quick(run: Frozen) -> "subprocess.Popen[bytes]":
    words = run.argv(1)
    return run.started([words[0], "-c", QUICK, *words[3:]])
