"""An item is known by size and time, or by its content."""

from __future__ import annotations

import os
from pathlib import Path

from runner.items.decide import Why, decide
from runner.items.expand import expand
from runner.items.identity import Contents, mark_of_path, marks
from runner.items.ledger import Ledger
from runner.model import Foreach, Many
from runner.records.lines import ItemReceipt, ItemState, write_lines


def test_the_same_content_with_another_time_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"one")
    os.utime(path, (1e9, 1e9))
    many = Many(Foreach(pattern="*.tif"), by_content=True)
    items = expand(many, str(tmp_path))
    contents = Contents(tmp_path / "cache")
    done = ItemReceipt("a.tif", ItemState.SUCCEEDED, marks(items)[0], content_hash=contents.digest(items[0]))
    write_lines(tmp_path / "done", iter([done]))
    ledger = Ledger.read(tmp_path / "done")
    contents.save()
    os.utime(path, (1.1e9, 1.1e9))
    items = expand(many, str(tmp_path))
    digest = Contents(tmp_path / "cache").digest
    plan = decide(items, ledger, marks(items), digest=digest)
    assert (plan.done, plan.renewed) == (1, [(items[0], (3, 1_100_000_000 * 10**9))])
    assert decide(items, ledger, marks(items)).to_run[0].why is Why.CHANGED
    path.write_bytes(b"two")
    items = expand(many, str(tmp_path))
    assert decide(items, ledger, marks(items), digest=digest).to_run[0].why is Why.CHANGED


def test_a_folder_is_what_is_in_it(tmp_path: Path) -> None:
    zarr = tmp_path / "a.zarr" / "0"
    zarr.mkdir(parents=True)
    (zarr / "c").write_bytes(b"12")
    (zarr.parent / "zarr.json").write_bytes(b"{}1")
    assert mark_of_path(str(zarr.parent))[:2] == (2, 5)
    (zarr / "d").write_bytes(b"1")
    assert mark_of_path(str(zarr.parent))[:2] == (3, 6)
    assert mark_of_path(str(tmp_path / "none")) == ()
