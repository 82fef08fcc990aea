"""Programs that stand in for what cannot be had: a script on POSIX; on Windows a real .exe, as pip makes them."""

from __future__ import annotations

import ensurepip
import io
import shlex
import sys
import zipfile
from functools import cache
from pathlib import Path


def stand_in(path: Path, script: Path, *words: str | Path) -> Path:
    """A program at `path` (with .exe on Windows) that runs the Python `script` with `words` and its own arguments."""
    given = [str(script), *map(str, words)]
    return program(
        path, f"import runpy, sys\nsys.argv[0:1] = {given!r}\nrunpy.run_path({given[0]!r}, run_name='__main__')"
    )


def program(path: Path, code: str, *, windows: bool = sys.platform == "win32", python: str = sys.executable) -> Path:
    """A program at `path` (with .exe on Windows) that runs this text of Python; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if windows:
        if path.suffix.lower() != ".exe":
            path = path.with_name(f"{path.name}.exe")
        path.write_bytes(_launcher() + f'#!"{python}"\n'.encode() + _archive(code))
        return path
    # not "#!PYTHON": such a line can hold no blank, and on Linux no more than 255 characters
    text = path.with_name(f".{path.name}.py")
    text.write_text(code, encoding="utf-8")
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} {shlex.quote(str(text))} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@cache
def _launcher() -> bytes:
    """pip's own: it starts the Python named behind it with itself, whose end is a zip file with a __main__.py."""
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as pip:
        return pip.read("pip/_vendor/distlib/t64.exe")


def _archive(code: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("__main__.py", code)
    return data.getvalue()
