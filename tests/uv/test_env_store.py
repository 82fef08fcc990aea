"""`env --store DIR`: what it makes, tries and says, and what it does not take."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.environments import Site
from runner.environments.store_look import Disk, disk_of, why_no_environments, why_no_locks, why_not_linked
from runner.environments.uv import kind as uv
from runner.environments.uv.in_store import stop_without_store
from runner.errors import EnvironmentMissing
from tests.support.hosts import on_host
from tests.support.lab import Lab
from tests.uv.shop import Shop
from tests.uv.test_store import a_python

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX")
OTHER_DISK = Path("/dev/shm")


def test_a_store_is_made_once_and_says_what_its_disk_can_do(lab: Lab) -> None:
    (lab.repo / "run-pipeline.toml").write_text('# of the lab\nexecutor = "local"  # here\n', encoding="utf-8")
    said = lab.run("env", "--store", "Ablage für alle").stdout
    store = lab.root / "Ablage für alle"
    assert f"Store in {store}: made now" in said
    for part in ("hard links from the cache (tried)", "uv's hold there (tried)", "you may", f'store = "{store}"'):
        assert part in said
    assert json.loads((store / "store.json").read_text(encoding="utf-8"))["format"] == 1
    assert {path.name for path in store.iterdir()} == {"store.json", "cache", "pythons", "environments"}
    assert "Written into" in lab.run("env", "--store", store, "--save").stdout
    text = (lab.repo / "run-pipeline.toml").read_text(encoding="utf-8")
    assert text == f'# of the lab\nexecutor = "local"  # here\n\n[uv]\nstore = "{store}"\n'
    assert "it is used already" in lab.run("env", "--store", store).stdout
    assert f"Store {store}, files by hardlink from {lab.home / 'uv cache'}" in lab.run("env", "list").stdout


def test_what_counts_more_than_the_store_is_said(lab: Lab) -> None:
    (lab.home / ".config/uv").mkdir(parents=True)
    (lab.home / ".config/uv/uv.toml").write_text('cache-dir = "/mine"\nlink-mode = "symlink"\n', encoding="utf-8")
    more = {"UV_LINK_MODE": "symlink", "RUN_PIPELINE_ENVS": str(lab.root / "envs")}
    said = lab.run("env", "--store", lab.root / "store", XDG_CONFIG_HOME=str(lab.home / ".config"), **more).stdout
    assert "cleaning the cache breaks every environment" in said
    assert "cache-dir and link-mode of" in said
    assert "UV_CACHE_DIR=" in said  # the lab's own
    assert f"RUN_PIPELINE_ENVS={lab.root / 'envs'} is set; take it away" in said


@posix
@pytest.mark.skipif(not OTHER_DISK.is_dir(), reason="no second file system")
def test_copies_are_made_and_their_price_is_said_where_the_cache_is_on_another_disk(lab: Lab) -> None:
    cache = OTHER_DISK / f"run-pipeline-{os.getpid()}"
    try:
        said = lab.run("env", "--store", lab.root / "store", UV_CACHE_DIR=str(cache)).stdout
        assert "copies, since hard links from the cache do not work" in said
        assert "about ten times as long" in said
        assert "files by copy" in lab.run("env", "--store", lab.root / "store", "list", UV_CACHE_DIR=str(cache)).stdout
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def test_a_store_that_is_not_there_has_no_list(lab: Lab) -> None:
    store = lab.root / "away" / "store"
    assert f"there is no store in {store}" in lab.run("env", "--store", store, "list", check=3).stderr
    assert "there is no store in" in lab.run("env", "list", "--json", check=3, RUN_PIPELINE_STORE=str(store)).stderr


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("file", "is a file"),
        ("others", "holds other things: image.tif, raw"),
        ("no parent", "there is no folder"),
        ("empty", "its name is empty"),
        ("variable", "names a variable that is not set"),
        ("damaged", "store.json is damaged"),
        ("newer", "is of a newer run-pipeline (format 2)"),
    ],
)
def test_what_is_no_place_for_a_store_is_told_and_nothing_is_written(lab: Lab, form: str, said: str) -> None:
    place = lab.root / "place"
    name = str(place)
    if form == "file":
        place.write_text("x")
    elif form == "no parent":
        name = str(place / "deeper" / "still")
    elif form == "empty":
        name = ""
    elif form == "variable":
        name = "$NOT_SET_HERE/store"
    else:
        place.mkdir()
        if form == "others":
            (place / "raw").mkdir()
            (place / "image.tif").write_text("x")
        else:
            (place / "store.json").write_text('{"format": 2}' if form == "newer" else "{", encoding="utf-8")
    before = sorted(path.relative_to(lab.root) for path in lab.root.rglob("*"))
    assert said in lab.run("env", "--store", name, check=2).stderr
    assert sorted(path.relative_to(lab.root) for path in lab.root.rglob("*")) == before


@posix
def test_a_uv_that_breaks_its_locks_on_a_share_is_refused(lab: Lab) -> None:
    program = lab.root / "uv"
    program.write_text("#!/bin/sh\necho 'uv 0.10.3 (x)'\n")
    program.chmod(0o755)
    said = lab.run("env", "--store", lab.root / "store", check=3, RUN_PIPELINE_UV=str(program)).stderr
    assert "uv 0.10.3" in said
    assert "uv self update" in said
    assert not (lab.root / "store").exists()


@posix
@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_a_full_disk_is_told_and_a_store_that_may_only_be_read_is_shown(lab: Lab, disk: str) -> None:
    store = lab.root / "store"
    if disk == "full":
        store.mkdir()
        first = f'mount -t tmpfs -o size=16k tmpfs "{store}"; head -c 1M /dev/zero >"{store}/.fill" 2>/dev/null || true'
        done = _on(lab, first, "env", "--store", str(store))
        assert "the disk (or your quota on it) is full" in done
        return
    lab.run("env", "--store", store)
    said = _on(lab, f'mount --bind -o ro "{store}" "{store}"', "env", "--store", str(store))
    assert "not here (Read-only file system): what is there runs" in said


def _on(lab: Lab, first: str, *words: str) -> str:
    argv = on_host("node7", lab.root, lab.argv(*words), first=first)
    done = subprocess.run(
        argv, env=lab.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


@posix
def test_a_share_that_is_mounted_at_two_paths_is_told_and_its_environments_stay(shop: Shop, tmp_path: Path) -> None:
    shop.write(g=[])
    here, there = tmp_path / "here", tmp_path / "there"
    site = shop.in_store(here)
    a_python(here / "pythons")
    version = "{}.{}".format(*sys.version_info)
    shop.prepare(f"uv@{version}:g", site)
    here.rename(there)  # as another computer sees it
    elsewhere: Site = shop.in_store(there)
    spec = shop.spec(f"uv@{version}:g")
    (finding,) = uv.check(spec, ["python"], elsewhere)
    assert "other computers see the store's Pythons as" in finding.message
    with pytest.raises(EnvironmentMissing, match="other computers see"):
        uv.prepare(spec, ["python"], elsewhere)
    there.rename(here)
    assert uv.prepare(spec, ["python"], site) is None
    stop_without_store(site, here)


@posix
def test_what_a_disk_cannot_do_is_found_by_trying(tmp_path: Path) -> None:
    def refuse(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    disk = disk_of(tmp_path)
    assert disk.kind
    assert why_not_linked(tmp_path, tmp_path) == ""
    assert why_not_linked(tmp_path, tmp_path, refuse) == "Operation not permitted"
    assert why_not_linked(tmp_path, tmp_path, lambda a, b: shutil.copy(a, b)) == "a link there is a copy"  # type: ignore[arg-type,return-value]
    assert "no symbolic links" in why_no_environments(tmp_path, disk, refuse)
    assert "noexec" in why_no_environments(tmp_path, Disk("nfs4", options=("rw", "noexec")))
    assert why_no_locks(tmp_path, disk) == ""
    assert "one computer alone" in why_no_locks(tmp_path, Disk("nfs", options=("rw", "nolock")))
    assert list(tmp_path.iterdir()) == []
