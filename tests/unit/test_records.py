"""What is read back from records, and what is removed of them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner.ground.told import read_json
from runner.records.layout import Record, latest_run, new_run, prune, run_folders
from runner.records.reading import Child, read_child, seconds_by_name
from runner.records.receipt import read_receipt
from runner.records.recovery import unrecorded

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes in the file system, links without rights")
DAY = 86400.0
ODD = [
    *(b"", b"null", b"[]", b"5", b'"x"', b"{", b"\xff\xfe", b"\0" * 300, b'{"a": 1e999}', b'{"a": NaN}'),
    *(b"[" * 200_000, b'{"a":' * 200_000, b'{"pid": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}'),
]
VALUES = [None, True, -1, 0, 1, 1e999, 10**400, "5", "text", [], [[]], {}, {"a": []}, {"": 1}, [5], [{"path": 5}]]
MARKER = "0123456789abcdef"


def made(root: Path, **told: object) -> Path:
    return new_run(root, {"state": "running", "exit_code": 1, **told}).folder


def receipt(run: Path, slug: str, **told: object) -> Path:
    folder = run / slug
    folder.mkdir(exist_ok=True)
    path = folder / "receipt.json"
    path.write_text(json.dumps({"state": "succeeded", "content_hash": "a" * 64, "name": slug, **told}))
    return path


@pytest.mark.parametrize("content", ODD, ids=range(len(ODD)))
def test_no_content_of_a_record_raises(tmp_path: Path, content: bytes) -> None:
    run = made(tmp_path)
    path = receipt(run, "01-x")
    for file in (path, run / "child.json", run / "run.json"):
        file.write_bytes(content)
    last = latest_run(tmp_path) or Record(run)
    assert unrecorded(last, []) == []
    assert last.child() is None
    assert (last.state, last.started) == ("", "")
    prune(tmp_path, runs=1)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_of_the_wrong_kind_counts_as_not_there(tmp_path: Path, value: object) -> None:
    run = made(tmp_path, started=value, durations=value)
    keys = ("seconds", "started", "runner", "name", "outputs", "environment", "peak_memory", "segment")
    path = receipt(run, "01-x", **dict.fromkeys(keys, value))
    (entry,) = unrecorded(latest_run(tmp_path), [])
    assert entry.content_hash == "a" * 64
    found = read_receipt(path)
    assert found is not None
    assert all(isinstance(text, str) for text in (found.started, found.runner, found.name))
    assert list(found.outputs) == []
    assert seconds_by_name({"a": value, "b": 2}).get("b") == 2
    (run / "child.json").write_text(json.dumps({"pid": value, "started": value, "marker": value}))
    assert Record(run).child() is None


def test_a_child_counts_only_when_all_of_it_is_sound(tmp_path: Path) -> None:
    run = Record(made(tmp_path))
    sound = {"segment": 1, "pid": 4711, "started": 12.5, "marker": f"{MARKER}/{MARKER}"}
    (run.folder / "child.json").write_text(json.dumps(sound))
    assert run.child() == Child(4711, 12.5, f"{MARKER}/{MARKER}", segment=1)
    for change in ({"pid": 1}, {"pid": -4711}, {"pid": 2**40}, {"started": None}, {"marker": "a"}, {"pid": True}):
        (run.folder / "child.json").write_text(json.dumps({**sound, **change}))
        assert read_child(run.folder / "child.json") is None, change


def test_folders_that_no_run_made_are_passed_over(tmp_path: Path) -> None:
    run = made(tmp_path)
    for name in ("notes", "-", "x-1", "٣٣-x", "01x"):
        receipt(run, name)
    (tmp_path / "000009-backup").mkdir()
    (tmp_path / "999999-2026-01-01-000000").write_text("a file")
    (tmp_path / "copy of 000001-2026-01-01-000000").mkdir()
    assert run_folders(tmp_path) == [run]
    assert list(Record(run).receipts()) == []
    assert made(tmp_path).name.startswith("000002-")


@posix
def test_pipes_links_and_folders_in_the_place_of_a_record_are_passed_over(tmp_path: Path) -> None:
    run = made(tmp_path)
    folder = receipt(run, "01-x").parent
    (run / "02-y").symlink_to(folder)
    assert [one.name for one in Record(run).receipts()] == ["01-x"]
    (folder / "receipt.json").unlink()
    os.mkfifo(folder / "receipt.json")
    os.mkfifo(run / "child.json")
    assert list(Record(run).receipts()) == []
    assert Record(run).child() is None
    (folder / "receipt.json").unlink()
    (folder / "receipt.json").symlink_to(tmp_path / "nowhere")
    assert list(Record(run).receipts()) == []
    assert read_json(tmp_path) is None


@posix
def test_only_what_a_run_put_there_is_removed(tmp_path: Path) -> None:
    kept = [made(tmp_path / "runs") for _ in range(6)]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "log.txt").write_text("of somebody else")
    receipt(kept[0], "01-x").with_name("log.txt").write_text("ours")
    (kept[1] / "my notes.txt").write_text("mine")
    receipt(kept[2], "01-x").with_name("picture.png").write_bytes(b"mine")
    (kept[3] / "02-y").symlink_to(outside)
    (kept[4] / "run.json").write_text('{"mine": 1}')
    made(tmp_path / "runs")
    elsewhere = made(tmp_path / "elsewhere")
    linked = tmp_path / "runs" / "000000-2020-01-01-000000"
    linked.symlink_to(elsewhere)
    assert prune(tmp_path / "runs", runs=1) == [kept[5], kept[0]] or not kept[0].exists()
    assert [path.exists() for path in kept] == [False, True, True, True, True, False]
    assert (kept[1] / "run.json").exists()
    assert (kept[2] / "01-x" / "receipt.json").exists()
    assert linked.is_symlink()
    assert (elsewhere / "run.json").exists()
    assert (outside / "log.txt").read_text() == "of somebody else"


def aged(root: Path, *days: float) -> list[Path]:
    """Failed runs whose times are so many days from now."""
    folders = [made(root) for _ in days]
    for folder, day in zip(folders, days, strict=True):
        os.utime(folder / "run.json", (time.time() + day * DAY,) * 2)
    return folders


@pytest.mark.parametrize(
    ("days", "gone"),
    [
        ((-300, -200, -100, 0), 2),  # as it should be
        ((-250, -170, -85, 0), 1),
        ((0, 0, 365), 0),  # the clock jumps a year ahead
        ((0, 0, 365, 365.1, 365.2), 0),  # and stays there
        ((0, 0, 365, 0.1), 0),  # and is set right
        ((0, 0, 365, 0.1, 0.2), 0),
        ((0, 0, -9000, 0.1, 0.2), 0),  # an empty battery: the clock of 2002
        ((-9000, 0, 0.1), 0),
        ((-300, 0), 0),  # a long break counts with half the limit
        ((-300, -299, -100, -1, 0), 2),
    ],
)
def test_age_removes_runs_unless_a_clock_jumped(tmp_path: Path, days: tuple[float, ...], gone: int) -> None:
    folders = aged(tmp_path, *days)
    prune(tmp_path, days=180)
    assert [folder.exists() for folder in folders] == [False] * gone + [True] * (len(days) - gone)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files")
def test_an_event_that_a_full_disk_tore_spoils_no_later_one(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from runner.records.journal import Journal; from runner.records.view import events\n"
        "from runner.cli.options import Silent\n"
        "folder = Path(sys.argv[1]); journal = Journal(Silent()); journal.open(folder); journal.note('first')\n"
        "limits = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))\n"
        "journal.note('torn'); journal.note('lost'); resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
        "journal.note('later'); journal.note('last'); journal.close()\n"
        "assert [one['text'] for one in events(folder)] == ['first', 'later', 'last']\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=Path(__file__).parents[2], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"torn" not in (tmp_path / "events.jsonl").read_bytes()
