"""`run-pipeline env clone` of a store with real environments, as its users type it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.environments.store import platform_folder
from runner.environments.uv.clone import Clone
from runner.environments.uv.copying import Copier, distinct_bytes
from runner.errors import EnvironmentMissing, StateError, UsageError
from runner.host import this_host
from runner.state.holder import this_process
from tests.support.lab import Lab, segment
from tests.support.wheels import make_wheel
from tests.uv.test_store import a_python

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the Python of the store is made as on POSIX")
SYSTEM = platform_folder(this_host(interactive=False))


@dataclass
class Stores:
    lab: Lab
    a: Path

    def clone(self, to: Path, *words: str, source: Path | None = None, code: int = 0) -> str:
        done = self.lab.run("env", "clone", source or self.a, to, *words, check=code)
        return done.stdout + done.stderr

    def groups(self, store: Path) -> Path:
        return store / "environments" / SYSTEM


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Two environments with packages in common, on a Python of the store."""
    lab = Lab(tmp_path_factory.mktemp("clone")).make()
    for name in ("alpha", "beta"):
        make_wheel(lab.repo / "wheels", name, program=f"{name}-go")
    path = lab.repo / "pyproject.toml"
    text = path.read_text(encoding="utf-8").replace("default = []", 'default = ["alpha", "beta"]')
    text = text.replace("other = []", 'other = ["alpha"]') + "\n[tool.uv.sources]\n"
    text += "".join(f'{name} = {{ path = "wheels/{name}-1.0-py3-none-any.whl" }}\n' for name in ("alpha", "beta"))
    path.write_text(text, encoding="utf-8")
    lab.uv("lock", "--quiet")
    store = lab.root / "store a"
    lab.run("env", "--store", store)
    a_python(store / "pythons")
    for group in ("default", "other"):
        lab.run("env", "sync", group, RUN_PIPELINE_STORE=str(store), UV_CACHE_DIR=str(store / "cache"))
    return Stores(lab, store)


@pytest.fixture
def stores(made: Stores) -> Iterator[Stores]:
    """The store is afterwards as it was."""
    before = looks(made.a)
    yield made
    assert looks(made.a) == before, "the source is not touched"


def looks(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.parent.name != "__pycache__" and not path.is_dir()
    }


def test_a_pipeline_runs_from_the_clone_when_the_first_store_is_gone(stores: Stores) -> None:
    b = stores.lab.root / "Ablage für alle"
    said = stores.clone(b)
    assert said.count("runs\n") == 2, said
    assert f"2 environments in {b}" in said
    files = [next(stores.groups(b).glob(f"{name}*/lib/python*/site-packages/alpha.py")) for name in ("def", "oth")]
    assert files[0].samefile(files[1]), "what is one file there is one file here"
    whole = [distinct_bytes([store / "environments", store / "pythons"]) for store in (stores.a, b)]
    assert whole[1] < 1.2 * whole[0]
    program = next(stores.groups(b).glob("default*/bin/alpha-go"))
    code = "import sys, alpha; print(sys.prefix, sys.base_prefix, alpha.VERSION)"
    pipeline = stores.lab.pipeline([segment("a", "python", "-c", code), segment("b", "alpha-go")])
    gone = stores.a.rename(stores.lab.root / "gone")
    try:
        told = stores.lab.run("run", pipeline, RUN_PIPELINE_STORE=str(b)).stdout
        said_by_program = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    finally:
        gone.rename(stores.a)
    assert "preparing" not in told, "it is in step"
    assert f"{stores.groups(b)}" in told
    assert f"{b / 'pythons'}" in told
    assert said_by_program == "alpha-go 1.0\n"
    assert stores.clone(stores.lab.root / "and on", source=b).count("runs\n") == 2, "a clone can be cloned"


def test_killed_and_started_again_it_goes_on_and_nothing_is_half_made(stores: Stores) -> None:
    b = stores.lab.root / "killed"
    going = stores.lab.popen("env", "clone", stores.a, b)
    assert going.stdout
    for line in going.stdout:
        if line.startswith(b"2 of 2"):
            break
    going.kill()
    going.communicate()
    there = [path.name for path in stores.groups(b).iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert all((stores.groups(b) / f"{name}.json").exists() for name in there)
    said = stores.clone(b)
    assert "was there already" in said
    assert "2 environments in" in said
    assert stores.clone(b).count("was there already") == 2
    assert not list(b.rglob(".cloning-*"))
    assert not list(b.rglob("?*.lock"))


def test_a_store_that_is_mounted_elsewhere_than_where_it_was_made(stores: Stores) -> None:
    elsewhere, b = stores.lab.root / "mounted here", stores.lab.root / "of elsewhere"
    stores.a.rename(elsewhere)
    try:
        assert stores.clone(b, source=elsewhere).count("runs\n") == 2
    finally:
        elsewhere.rename(stores.a)
    home = (next(stores.groups(b).glob("default*")) / "pyvenv.cfg").read_text(encoding="utf-8")
    assert f"home = {b / 'pythons'}" in home


def test_a_broken_environment_is_named_and_left_out_and_that_of_another_system_is_copied(stores: Stores) -> None:
    a, b = stores.lab.root / "store with faults", stores.lab.root / "without"
    shutil.copytree(stores.a, a, symlinks=True)
    (broken,) = (path for path in stores.groups(a).glob("other*") if path.is_dir())
    (broken / "pyvenv.cfg").unlink()
    windows = a / "environments" / "windows-amd64" / "g-py3.11"
    windows.mkdir(parents=True)
    (windows / "pyvenv.cfg").write_text("home = Z:\\store\\pythons\\cpython\n")
    stamp = {"format": 1, "group": "g", "platform": "win32 AMD64", "python": "", "fingerprint": "1", "files": {}}
    windows.with_name("g-py3.11.json").write_text(json.dumps(stamp))
    said = stores.clone(b, "--json", source=a, code=3)
    rows = {row["name"]: row for line in said.splitlines() if line.startswith("{") and (row := json.loads(line))}
    assert rows[f"{SYSTEM}/{broken.name}"]["state"] == "left out: it has no good pyvenv.cfg"
    assert rows["windows-amd64/g-py3.11"]["state"].startswith("copied, not tested")
    assert [row["good"] for row in rows.values()].count(True) == 2
    assert not (stores.groups(b) / broken.name).exists()
    assert not (stores.groups(b) / f"{broken.name}.json").exists()


def test_one_that_does_not_run_there_is_left_out(stores: Stores) -> None:
    a, b = stores.lab.root / "lacks a package", stores.lab.root / "b of that"
    shutil.copytree(stores.a, a, symlinks=True)
    (folder,) = (path for path in stores.groups(a).glob("default*") if path.is_dir())
    (folder / "lib").rename(folder / "lib that nobody finds")
    program = next(path for path in (a / "pythons").glob("*/bin/python*"))
    program.write_text("#!/bin/sh\necho 'cannot load libfoo' >&2; exit 127\n")
    said = stores.clone(b, source=a, code=3)
    assert said.count("left out: ") == 2, said
    assert "0 environments in" in said


def test_uvs_cache_comes_along_on_wish_and_shares_its_files_with_the_environments(stores: Stores) -> None:
    b = stores.lab.root / "with cache"
    stores.clone(b, "--cache")
    cached = next((b / "cache").rglob("alpha.py"))
    assert cached.samefile(next(stores.groups(b).glob("default*/lib/python*/site-packages/alpha.py")))
    links = [path.readlink() for path in (b / "cache").rglob("*") if path.is_symlink()]
    assert not [link for link in links if link.is_relative_to(stores.a)]


def test_one_that_is_being_prepared_is_waited_for(stores: Stores) -> None:
    a, b = stores.lab.root / "being prepared", stores.lab.root / "then cloned"
    shutil.copytree(stores.a, a, symlinks=True)
    (folder,) = (path for path in stores.groups(a).glob("default*") if path.is_dir())
    lock = folder.with_name(f"{folder.name}.lock")
    lock.write_bytes(this_process("x").to_bytes())
    going = stores.lab.popen("env", "clone", a, b)
    assert going.stdout
    said = b""
    while b"is preparing it" not in said:
        line = going.stdout.readline()
        assert line, said
        said += line
    time.sleep(1)
    assert going.poll() is None
    lock.unlink()
    rest, _ = going.communicate(timeout=60)
    assert going.returncode == 0, said + rest


# without an environment


def clone(a: Path, b: Path) -> Clone:
    return Clone(a, b, SimpleNamespace(host=this_host(interactive=False)), print)  # type: ignore[arg-type]


def test_what_is_no_store_and_one_within_itself_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="there is no store in"):
        clone(tmp_path, tmp_path.with_name("b"))
    (tmp_path / "store.json").write_text('{"format": 1}')
    for other in (tmp_path, tmp_path / "b", tmp_path.parent):
        with pytest.raises(UsageError, match="one in the other"):
            clone(tmp_path, other)


def test_a_disk_without_room_is_told_before_anything_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    (a / "pythons" / "cpython-3.11").mkdir(parents=True)
    (a / "pythons" / "cpython-3.11" / "big").write_bytes(bytes(5000))
    (a / "store.json").write_text('{"format": 1}')
    monkeypatch.setattr("runner.environments.uv.clone.free_space", lambda folder: 4000)
    with pytest.raises(StateError, match=r"3\.9 KiB free, and the clone takes 4\.9 KiB"):
        clone(a, b).run(cache=False)
    assert list(b.iterdir()) == []


def test_a_share_that_goes_away_meanwhile_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a", tmp_path / "share" / "b"
    (a / "pythons" / "cpython-3.11").mkdir(parents=True)
    (a / "pythons" / "cpython-3.11" / "python").write_text("whole")
    (a / "store.json").write_text('{"format": 1}')
    copy, away = shutil.copy2, tmp_path / "away"

    def copy2(source: Path, target: Path) -> None:
        if not away.exists() and not (tmp_path / "back").exists():
            b.parent.rename(away)
        copy(source, target)

    def back(seconds: float) -> bool:
        (tmp_path / "back").touch()
        away.rename(b.parent)
        return False

    monkeypatch.setattr(shutil, "copy2", copy2)
    clone_of = clone(a, b)
    monkeypatch.setattr(clone_of._shares, "_wait", back)
    clone_of.run(cache=False)
    assert (b / "pythons" / "cpython-3.11" / "python").read_text() == "whole"
    assert f"{b} cannot be reached since" in capsys.readouterr().out


def test_an_interpreter_says_its_new_place_to_those_who_build_with_it(tmp_path: Path) -> None:
    a, b, beside = tmp_path / "store a", tmp_path / "store b", tmp_path / "system.py"
    lib = a / "pythons" / "cpython-3.11.9-x" / "lib" / "python3.11"
    lib.mkdir(parents=True)
    (a / "store.json").write_text('{"format": 1, "links": {"x": false}, "by": "ana"}')
    text = f"build_time_vars = {{'prefix': '{lib.parent.parent}'}}\n"
    (lib / "_sysconfigdata__x.py").write_text(text)
    beside.write_text(text)
    (lib / "_sysconfigdata_of_the_system.py").symlink_to(beside)
    (a / "pythons" / "cpython-3.11-x").symlink_to(lib.parent.parent)
    assert clone(a, b).run(cache=False) == []
    there = b / "pythons" / "cpython-3.11-x"
    assert there.readlink() == b / "pythons" / "cpython-3.11.9-x"
    assert str(a) not in (there / "lib/python3.11/_sysconfigdata__x.py").read_text()
    assert beside.read_text() == text, "what a link leads to is not ours"
    assert json.loads((b / "store.json").read_text()) == {"format": 1, "by": "ana"}


def test_links_that_lead_into_the_source_lead_into_the_copy_and_others_stay(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    (a / "x" / "sub").mkdir(parents=True)
    (a / "x" / "file").write_text("text")
    (a / "x" / "own").symlink_to(a / "x" / "file")
    (a / "x" / "beside").symlink_to("file")
    (a / "x" / "system").symlink_to("/usr/bin/env")
    b.mkdir()
    Copier(b, sources={a}).tree(a / "x", b / "x")
    links = [str((b / "x" / name).readlink()) for name in ("own", "beside", "system")]
    assert links == [str(b / "x" / "file"), "file", "/usr/bin/env"]
    assert sys.platform == "win32" or (b / "x" / "own").read_text() == "text"
