"""An environment that was moved works at its new place, and at each later one."""

import os
import subprocess
from pathlib import Path, PureWindowsPath

import pytest

from runner.environments.uv.relocate import _mended, base_python, has_fixed_launchers, relocated
from runner.environments.uv.stamp import interpreter, venv_settings
from runner.errors import EnvironmentMissing
from tests.uv.shop import Shop

posix = pytest.mark.skipif(os.name == "nt", reason="console scripts of POSIX")


def says(*argv: str | Path) -> str:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@posix
@pytest.mark.parametrize("name", ["short", f"a folder with a blank, ü and a name beyond all lines {'x' * 90}"])
def test_python_programs_and_activation_are_right_at_the_new_place(shop: Shop, tmp_path: Path, name: str) -> None:
    shop.wheel("alpha", program="alpha-go").write(g=["alpha"])
    shop.prepare("uv:g")
    old = shop.folder("uv:g")
    for folder in (tmp_path / name, tmp_path / "and again 'there'"):
        old.rename(folder)
        relocated(folder, base_python(folder, shop.site().host), shop.site())
        old = folder
        assert says(folder / "bin/alpha-go") == "alpha-go 1.0"
        assert says(folder / "bin/python", "-c", "import sys, alpha; print(sys.prefix)") == str(folder)
        assert says("/bin/bash", "-c", '. "$1"/bin/activate; echo "$VIRTUAL_ENV"', "", folder) == str(folder)
        left = [
            path
            for path in (folder / "bin").iterdir()
            if path.is_file() and str(shop.repo).encode() in path.read_bytes()
        ]
        assert left == []
    assert not has_fixed_launchers(folder, shop.site().host)


@posix
def test_a_program_that_is_also_in_the_cache_stays_there_as_it_is(shop: Shop, tmp_path: Path) -> None:
    shop.wheel("alpha", program="alpha-go").write(g=["alpha"])
    shop.prepare("uv:g")
    folder = shop.folder("uv:g")
    program, kept = folder / "bin/alpha-go", tmp_path / "kept"
    os.link(program, kept)
    before = kept.read_bytes()
    relocated(folder, base_python(folder, shop.site().host), shop.site())
    assert kept.read_bytes() == before != program.read_bytes()
    assert os.access(program, os.X_OK)


@posix
def test_an_interpreter_that_is_not_there_is_told_and_nothing_is_called_right(shop: Shop) -> None:
    shop.wheel("alpha").write(g=["alpha"])
    shop.prepare("uv:g")
    with pytest.raises(EnvironmentMissing, match="could not be made right"):
        relocated(shop.folder("uv:g"), Path("/no/such/python3.11"), shop.site())


@pytest.mark.parametrize(
    "head",
    [
        b"#!/old/venv/bin/python\n",
        b"#!/old/venv/bin/python3.11\n",
        b"#!/bin/sh\n'''exec' '/old/place with blank/bin/python3' \"$0\" \"$@\"\n' '''\n",
        b"#!/bin/sh\n'''exec' \"/old/place/bin/python3\" \"$0\" \"$@\"\n' '''\n",
        b"#!/bin/sh\n'''exec' /old/place/bin/python3 \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_each_way_to_name_the_old_python_is_mended(head: bytes) -> None:
    mended = _mended(head + b"import sys\n")
    assert b"/old" not in mended
    assert mended.endswith(b"/'python' \"$0\" \"$@\"\n' '''\nimport sys\n")
    assert _mended(mended) == mended


def test_options_of_the_old_python_stay() -> None:
    assert b"/'python' -Es \"$0\"" in _mended(b"#!/old/bin/python -Es\nx\n")


@pytest.mark.parametrize(
    "text", [b"#!/usr/bin/env python\n", b"#!/bin/bash\necho\n", b"#!/usr/bin/python3\n", b"#!\xff\x00"]
)
def test_what_is_not_of_the_environment_stays(text: bytes) -> None:
    assert _mended(text) == text


def test_windows_programs_are_installed_anew_unless_they_can_be_moved(tmp_path: Path, shop: Shop) -> None:
    from dataclasses import replace

    windows = replace(shop.site().host, platform="win32")
    folder = PureWindowsPath(tmp_path.as_posix())
    (tmp_path / "pyvenv.cfg").write_text("home = C:\\Python311\n")
    assert has_fixed_launchers(folder, windows)
    assert base_python(folder, windows) == PureWindowsPath(r"C:\Python311\python.exe")
    (tmp_path / "pyvenv.cfg").write_text("home = C:\\Python311\nrelocatable = true\n")
    assert not has_fixed_launchers(folder, windows)
    assert interpreter(folder, windows).name == "python.exe"
    assert venv_settings(folder)["relocatable"] == "true"
