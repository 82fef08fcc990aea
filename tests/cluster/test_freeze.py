"""A plan on the shared disk is read back as it was written, or not at all."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cluster.chunks import Known, cut
from runner.cluster.freeze import (
    Forerunner,
    SegmentJob,
    Submitted,
    freeze_segment,
    read_items,
    read_segment,
    read_submitted,
    write_submitted,
)
from runner.errors import StateError
from runner.items.item import Item
from runner.items.matrix import with_matrix
from runner.model import Many
from runner.plan import Selection
from runner.records.layout import SUBMITTED, latest_run, new_run, prune
from runner.records.recovery import unrecorded
from runner.site_file import ExecutorSettings

SLURM = ExecutorSettings(
    "gpu", "slurm", "gpu", "lab", options=("--nice", "--comment=zwei Worte"), environ={"A": "ä b"}, time=60.0
)
SUBMITTED_ONE = Submitted(SLURM, "/lab/köln 1", "/usr/bin/python3", "/lab/p.yaml", Selection(items=("a*",), start=2))


def odd_items() -> list[Item]:
    plain = [Item("a/ä b.tif", "/data/a/ä b.tif", is_file=True, mark=(5, 17)), Item("\udcff.tif", "/x/\udcff.tif")]
    lines = [Item("7", "7", columns=("id", "who"), cells=("7", 'say "x"\n'))]
    found = with_matrix([*plain, *lines], Many(matrix=(("sigma", ("1", "2")),)))
    for number, item in enumerate(found, 1):
        item.index = number
    return found


def frozen(folder: Path, items: list[Item]) -> SegmentJob:
    folder.mkdir(exist_ok=True)
    chunking = cut(items, Known(900.0, "run 1"), SLURM)
    before = (Forerunner(1, items=True), Forerunner(2))
    job = SegmentJob(3, "mask Ü", "a" * 64, "b" * 64, True, chunking, before, task="c" * 64)
    freeze_segment(folder, job, items)
    return job


def test_what_was_asked_for_comes_back_equal(tmp_path: Path) -> None:
    write_submitted(tmp_path, SUBMITTED_ONE)
    assert read_submitted(tmp_path) == SUBMITTED_ONE


def test_a_segment_and_its_items_come_back_equal(tmp_path: Path) -> None:
    items = odd_items()
    job = frozen(tmp_path, items)
    back = read_segment(tmp_path)
    assert replace(back, count=0, columns=()) == job
    assert (back.count, len(back.items)) == (len(items), 64)
    found = read_items(tmp_path, replace(back, columns=("id", "who")))
    for one, other in zip(found, items, strict=True):
        for name in set(Item.__slots__) - {"columns"}:
            assert getattr(one, name) == getattr(other, name)
    assert found[-1].column("who") == 'say "x"\n'
    assert found[-1].column("sigma") == "2"


def test_columns_of_a_table_are_kept_once(tmp_path: Path) -> None:
    items = [Item(str(n), str(n), columns=("id", "x"), cells=(str(n), "y")) for n in range(3)]
    frozen(tmp_path, items)
    assert [one.column("x") for one in read_items(tmp_path, read_segment(tmp_path))] == ["y"] * 3


def test_a_list_of_items_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    frozen(tmp_path, odd_items())
    path = tmp_path / "items.jsonl"
    path.write_bytes(path.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    with pytest.raises(StateError, match="does not hold the items that were submitted"):
        read_items(tmp_path, read_segment(tmp_path))


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "x", [], {}, [[0]], [[0, [[0, 1 << 40]]]], [[0, [[1, 0]]]]])
def test_no_value_of_the_wrong_kind_gets_through(tmp_path: Path, value: object) -> None:
    frozen(tmp_path, odd_items())
    write_submitted(tmp_path, SUBMITTED_ONE)
    for name, read in (("job.json", read_segment), ("cluster.json", read_submitted)):
        good = json.loads((tmp_path / name).read_text(encoding="utf-8"))
        for key in good:
            if type(value) is type(good[key]) and key != "chunks":
                continue
            (tmp_path / name).write_text(json.dumps({**good, key: value}), encoding="utf-8")
            if key == "seconds" and value == 1.5:
                continue
            with pytest.raises(StateError):
                read(tmp_path)
    for content in (b"", b"[]", b"{", b"\xff"):
        (tmp_path / "job.json").write_bytes(content)
        with pytest.raises(StateError):
            read_segment(tmp_path)


def test_what_is_submitted_is_neither_taken_for_killed_nor_removed(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"state": SUBMITTED, "exit_code": None})
    folder = run.segment_folder(1, "mask")
    frozen(folder, odd_items())
    (folder / "receipt.json").write_text(json.dumps({"state": "succeeded", "content_hash": "a" * 64, "name": "mask"}))
    new_run(tmp_path, {"state": "done"})
    assert unrecorded(latest_run(tmp_path), []) == []
    assert unrecorded(run, []) == []
    assert prune(tmp_path, runs=1) == []


def test_all_files_of_a_clusters_run_are_known_when_old_records_are_removed(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"state": "done", "exit_code": 1})
    folder = run.segment_folder(1, "mask")
    frozen(folder, odd_items())
    write_submitted(run.folder, SUBMITTED_ONE)
    (folder / "jobs").mkdir()
    (run.folder / "probe").mkdir()
    for name in ("0.json", "1000002.json", "1000002.3.json", "slurm-12_3.out", "m.o12", "m.e12[3]", "12[3].srv.OU"):
        (folder / "jobs" / name).touch()
    for name in ("handles.jsonl", "probe/probe.json", "probe/job.sh", "probe/slurm-12.out", "01-mask/job.sh"):
        (run.folder / name).touch()
    for name in ("job-1-5000.sh", "receipts-0123abcd-1000000007.jsonl", "log-1000000007.txt", "job.json.0a.tmp"):
        (folder / name).touch()
    new_run(tmp_path, {"state": "done"})
    assert prune(tmp_path, runs=1) == [run.folder]
    assert not run.folder.exists()


def test_a_file_of_somebody_else_keeps_a_clusters_record(tmp_path: Path) -> None:
    run = new_run(tmp_path, {"state": "done", "exit_code": 1})
    jobs = run.segment_folder(1, "mask") / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "results.csv").touch()
    new_run(tmp_path, {"state": "done"})
    assert prune(tmp_path, runs=1) == []
    assert (jobs / "results.csv").exists()
