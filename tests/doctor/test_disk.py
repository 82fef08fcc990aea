"""Room on the disk with a forecast, and where uv's cache lies."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.doctor import State
from runner.doctor.disk import GIB, judged
from runner.records.lines import ItemReceipt, ItemState, write_lines
from tests.doctor.machine import Machine, only

SEGMENT = {
    "name": "a",
    "environment": "uv:plain",
    "commands": ["python", "-c", "pass"],
    "outputs": ["%YAML%/out/*.tif"],
}


def receipt(machine: Machine, run: int, **values: Any) -> Path:
    """As an earlier run wrote it; its outputs lie in `out` beside the pipeline file."""
    assert machine.file is not None
    folder = machine.file.parent / ".run-pipeline" / machine.file.name / f"{run:06d}-2026-01-01-120000" / "01-a"
    folder.mkdir(parents=True)
    outputs = [{"path": str(machine.file.parent / "out" / f"{n}.tif"), "size": size} for n, size in values["sizes"]]
    data = {"segment": 1, "state": values.get("state", "succeeded"), "outputs": outputs}
    (folder / "receipt.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("free", "need", "state"),
    [
        (100 * GIB, 0, State.OK),
        (100 * GIB, 40 * GIB, State.OK),
        (100 * GIB, 60 * GIB, State.WARNING),
        (100 * GIB, 101 * GIB, State.PROBLEM),
        (4 * GIB, 0, State.WARNING),
        (GIB // 2, 0, State.PROBLEM),
    ],
)
def test_what_is_free_is_held_against_what_is_needed(free: int, need: int, state: State) -> None:
    assert judged(free, need) is state


def test_one_line_for_each_disk_says_what_lies_there(machine: Machine) -> None:
    line = only(machine.lines("disk"))
    assert "(environments, uv's cache)" in line.text
    machine.pipeline(SEGMENT)
    assert "(environments, uv's cache, outputs)" in only(machine.lines("disk")).text


def test_the_forecast_comes_from_the_newest_receipt_that_is_a_success(machine: Machine) -> None:
    machine.pipeline(SEGMENT)
    receipt(machine, 1, sizes=[(1, 10**18)])
    receipt(machine, 2, sizes=[(1, 3 << 20), (2, 4 << 20)])
    receipt(machine, 3, sizes=[(1, 10**18)], state="failed")
    assert "a run writes 7 MiB of outputs" in only(machine.lines("disk")).text


def test_the_outputs_of_several_segments_are_one_sum(machine: Machine) -> None:
    """Each writes into a folder of its own; the sum counts, and it is told once."""
    machine.pipeline(SEGMENT)
    assert machine.file is not None
    folder = receipt(machine, 1, sizes=[(1, 3 << 20)])
    other = {"path": str(machine.file.parent / "second" / "1.tif"), "size": 4 << 20}
    second = folder.with_name("02-b")
    second.mkdir()
    (second / "receipt.json").write_text(json.dumps({"segment": 2, "state": "succeeded", "outputs": [other]}))
    assert only(machine.lines("disk")).text.endswith("; a run writes 7 MiB of outputs")


def test_the_outputs_of_items_are_those_of_all_runs_that_did_them(machine: Machine) -> None:
    """The newest run may have done the one image that was added."""
    file = machine.pipeline(
        {
            **SEGMENT,
            "foreach": "%YAML%/raw/*.nd2",
            "commands": ["python", "%ITEM%"],
            "outputs": ["%YAML%/out/%STEM%.tif"],
        }
    )
    records = file.parent / ".run-pipeline" / file.name
    folder = receipt(machine, 1, sizes=[])
    told = {"segment": 1, "name": "a", "state": "failed", "items": {"done": 1, "skipped": 2}}
    (folder / "receipt.json").write_text(json.dumps(told))
    (folder / f"receipts-{'0' * 16}-0.jsonl").touch()
    (records / "done").mkdir()
    sizes = [("a", 1 << 20), ("b", 2 << 20), ("c", 4 << 20), ("a", 3 << 20)]
    lines = (
        ItemReceipt(key, ItemState.SUCCEEDED, outputs=((str(file.parent / "out" / f"{key}.tif"), size),))
        for key, size in sizes
    )
    write_lines(records / "done" / f"{'0' * 16}.jsonl", lines)
    assert only(machine.lines("disk")).text.endswith("; a run writes 9 MiB of outputs")


def test_outputs_that_cannot_fit_are_a_problem(machine: Machine) -> None:
    machine.pipeline(SEGMENT)
    receipt(machine, 1, sizes=[(1, 10**18)])
    line = only(machine.lines("disk"))
    assert line.state is State.PROBLEM
    assert "a run writes 888 PiB of outputs" in line.text
    assert "Free some space" in line.cure


def test_a_group_that_is_still_to_be_prepared_is_part_of_the_forecast(machine: Machine) -> None:
    machine.shop.wheel("torch", "2.4.0+cu124").write(plain=["torch"])
    machine.pipeline(SEGMENT)
    assert "preparing plain takes about 6 GiB" in only(machine.lines("disk")).text
    machine.shop.prepare("uv:plain")
    assert "preparing" not in only(machine.lines("disk")).text


def test_a_cache_beside_the_environments_is_fine(machine: Machine) -> None:
    line = only(machine.lines("uv's cache"))
    assert line.state is State.OK
    assert "links from it" in line.text


def test_a_cache_on_another_disk_is_a_warning_unless_copying_was_chosen(machine: Machine) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == machine.repo.stat().st_dev or not os.access(other, os.W_OK):
        pytest.skip("this computer has no second file system that a test may name")
    machine.shop.environ["UV_CACHE_DIR"] = str(other / "no-such-cache")
    line = only(machine.lines("uv's cache"))
    assert line.state is State.WARNING
    assert "UV_CACHE_DIR" in line.cure
    assert len(machine.lines("disk")) == 2
    machine.environ["UV_LINK_MODE"] = "copy"
    assert only(machine.lines("uv's cache")).state is State.OK
    assert not (other / "no-such-cache").exists()


QUOTA = """print('''Disk quotas for user me (uid 1000):
     Filesystem   blocks   quota   limit   grace   files   quota   limit   grace
 nas:/home/users  {used}{over} {soft} {hard}       0  {files}       0       {most}       0''')"""


def quota(machine: Machine, *, used: int, soft: int = 0, hard: int = 0, files: int = 1, most: int = 0) -> None:
    """A stand-in for the program that asks a file server; its table is laid out as Debian's."""
    over = "*" * (used > soft > 0)
    machine.program("quota", QUOTA.format(used=used, over=over, soft=soft, hard=hard, files=files, most=most))


@pytest.mark.parametrize(
    ("told", "state", "said"),
    [
        ({"used": 1000, "soft": 10 << 20, "hard": 11 << 20}, State.OK, "your quota leaves 10 GiB for uv's cache"),
        ({"used": 6000, "soft": 5000, "hard": 9000}, State.PROBLEM, "your quota leaves 0 B"),
        ({"used": 1, "files": 99_000, "most": 100_000}, State.WARNING, "your quota leaves 1,000 files"),
        ({"used": 1, "files": 100_001, "most": 100_000}, State.PROBLEM, "your quota leaves 0 files"),
    ],
)
def test_what_a_quota_leaves_is_told(machine: Machine, told: dict[str, int], state: State, said: str) -> None:
    quota(machine, **told)
    line = only(machine.lines("quota"))
    assert line.state is state
    assert said in line.text


def test_without_a_limit_nothing_is_said_of_quotas(machine: Machine) -> None:
    quota(machine, used=1000)
    assert not machine.lines("quota")


def test_a_cache_in_the_home_folder_of_a_cluster_is_warned_of(machine: Machine) -> None:
    machine.environ["UV_CACHE_DIR"] = str(machine.home / ".cache" / "uv")
    assert not machine.lines("quota")
    machine.program("sbatch")
    assert "in the home folder of a cluster" in only(machine.lines("quota")).text
