"""The store on doctor's page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.doctor import Context, State
from runner.doctor.store import store
from tests.doctor.machine import Machine
from tests.uv.shop import Shop


@pytest.fixture
def shop(machine: Machine) -> Shop:
    return machine.shop.write(g=[])


def look(shop: Shop, folder: Path, **environ: str) -> list[tuple[State, str]]:
    return [(line.state, line.text) for line in store.run(Context(shop.in_store(folder, **environ)))]


def test_a_store_is_told_with_its_disk_and_links_and_none_without_one(shop: Shop, tmp_path: Path) -> None:
    shop.in_store(tmp_path / "store")
    (tmp_path / "store/environments").mkdir()
    cache = str(tmp_path / "store/cache")
    ((state, text),) = look(shop, tmp_path / "store", UV_CACHE_DIR=cache)
    assert state is State.OK
    assert "free, files by hardlink, may be written" in text
    assert store.run(Context(shop.site())) == []


def test_what_is_wrong_with_it_is_told(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.environments.store_look import Disk

    said = look(shop, tmp_path / "store", UV_LINK_MODE="symlink")
    assert "cleaning that breaks every environment" in said[1][1]
    disk = Disk("nfs4", "nas:/lab", ("rw", "noexec", "local_lock=all"))
    monkeypatch.setattr("runner.doctor.store.disk_of", lambda folder: disk)
    said = look(shop, tmp_path / "store")
    assert [state for state, _ in said] == [State.OK, State.PROBLEM, State.WARNING]
    assert "local_lock=all" in said[2][1]


def test_a_share_that_is_not_mounted_is_a_problem(shop: Shop, tmp_path: Path) -> None:
    site = shop.in_store(tmp_path / "store")
    (tmp_path / "store/store.json").unlink()
    (line,) = store.run(Context(replace(site)))
    assert (line.state, "there is no store in" in line.text) == (State.PROBLEM, True)
    assert "Check that the share is mounted" in line.cure
