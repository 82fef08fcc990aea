"""A folder inside files: taken out, written in; Windows by value."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from runner.bundle.conda.prefix import Way, hint, mention, replaced, startable, undone
from tests.bundle.conda_prefix_files import PLACEHOLDER, PROGRAM, written


@pytest.mark.parametrize("folder", ["/x", "/a folder/förge", "/" + "y" * 213])
def test_a_program_keeps_its_length_and_can_be_undone(folder: str) -> None:
    made = replaced(PROGRAM, Way.BINARY, [PLACEHOLDER], folder, windows=False)
    assert (made, len(made)) == (written(PROGRAM, Path(folder)), len(PROGRAM))
    assert undone(made, Way.BINARY, PLACEHOLDER, folder, windows=False) == PROGRAM


def test_a_program_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="there is room for 214"):
        replaced(PROGRAM, Way.BINARY, [PLACEHOLDER], "/" + "y" * 214, windows=False)


def test_windows_has_a_folder_in_many_spellings() -> None:
    text = (
        rb'a = "C:\\envs\\Cell\\models"; b = c:/envs/cell/x; C:\Envs\cell;C:\envs\cellpose C:\envs\cell.old '
        rb"//?/C:/envs/cell/python.exe \\?\C:\envs\cell\python.exe"
    )
    assert replaced(text, Way.FOLDER, [r"C:\envs\cell"], r"D:\new place", windows=True) == (
        rb'a = "D:\\new place\\models"; b = D:/new place/x; D:\new place;C:\envs\cellpose C:\envs\cell.old '
        rb"D:/new place/python.exe D:\new place\python.exe"
    )
    text = b"prefix = C:/bld/_placehold/share"
    assert (
        replaced(text, Way.TEXT, ["C:/bld/_placehold"], r"D:\new place", windows=True) == b"prefix = D:/new place/share"
    )


def test_a_folder_of_windows_is_found_quickly_in_what_is_large() -> None:
    folders = [r"C:\envs\cell", r"D:\conda\envs\cell"]
    for text in (rb"c:\\ENVS\\cell\\x", b"//?/C:/envs/cell", rb"x d:\conda/envs\cell"):
        assert hint(folders, windows=True).search(text) and mention(folders, windows=True).search(text)
    assert not hint(folders, windows=True).search(rb"C:\envs\cel C:envs\cell")
    start, large = time.process_time(), bytes(range(256)) * 40_000
    assert not hint(folders, windows=True).search(large)
    assert time.process_time() - start < 0.25  # the other one takes longer


def test_a_launcher_of_windows_starts_the_python_of_its_new_folder() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", "import cells")
    launcher = b"MZ\0 program \0" + b"#!C:\\envs\\cell\\python.exe\r\n" + packed.getvalue()
    made = replaced(launcher, Way.LAUNCHER, [r"c:\envs\cell"], r"D:\new place", windows=True)
    assert made.startswith(b'MZ\0 program \0#!"D:\\new place\\python.exe"\r\nPK')
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.read("__main__.py") == b"import cells"
    script = rb"#!D:\new place\python.exe" + b"\r\nimport cells\r\n"
    assert startable(script, r"D:\new place", windows=True) == b'#!"D:\\new place\\python.exe"\r\nimport cells\r\n'
    for other in (b"MZ no launcher", launcher[:-3], b"PK\x05\x06"):
        assert replaced(other, Way.LAUNCHER, [r"D:\other"], r"D:\new place", windows=True) == other


@pytest.mark.skipif(sys.platform == "win32", reason="first lines are for POSIX")
@pytest.mark.parametrize("name", ["plain", 'a "blank" and a $HOME `sign`', "long" * 50])
def test_a_script_starts_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python3").symlink_to(sys.executable)
    for first in (b"#!%b/bin/python3", b"#! %b/bin/python3 -I"):
        script = folder / "bin" / "count"
        script.write_bytes(
            startable(
                first % str(folder).encode() + b"\nimport sys; print(*sys.argv[1:])\n", str(folder), windows=False
            )
        )
        script.chmod(0o755)
        assert subprocess.run([script, "a  b"], capture_output=True, check=True).stdout == b"a  b\n"


def test_another_interpreter_is_found_on_path_where_its_folder_has_a_blank() -> None:
    made = startable(b"#!/a b/bin/perl -w\n1;\n", "/a b", windows=False)
    assert made == b"#!/usr/bin/env -S perl -w\n1;\n"
    assert startable(b"#!/a b/bin/Rscript\n", "/a b", windows=False) == b"#!/usr/bin/env Rscript\n"
    for other in (b"#!/bin/sh\n", b"x = '/a b/bin/python'\n", b"#!/usr/bin/env python\n"):
        assert startable(other, "/a b", windows=False) == other
