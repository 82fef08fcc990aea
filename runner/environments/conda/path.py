"""What a segment would start when its conda environment lacks the program: one of PATH, and whose that is."""

from __future__ import annotations

import re
from pathlib import PurePath

from runner.environments.conda.outer import outer_folders
from runner.environments.conda.program import with_endings
from runner.ground.disk import is_file, is_folder, on_disk
from runner.host import Host
from runner.model import Finding, Severity

# these words mean a Python, which every environment has to bring itself
# every computer has them, and what they start comes from the environment first
_SHELL = re.compile(r"(?:ba|da|z|k|c|tc|fi)?sh|env|cmd|powershell|pwsh", re.IGNORECASE)
_PYTHON_WORD = re.compile(r"(python|pypy|pip|ipython)w?[\d.]*|py", re.IGNORECASE)


def about_program_of_path(word: str, prefix: PurePath, base: PurePath | None, host: Host) -> Finding | None:
    """A warning that a program of the system is taken; an error where there is none, or it is another Python's.

    None for a shell of the system.
    """
    found = program_of_path(word, base, host)
    install = f'Install it there (conda install -p "{prefix}" …)'
    lacks = f"the program {word!r} was not found in the conda environment {prefix}"
    if found is None:
        cure = f"{install}, or begin the command with `python` to run a script. Looked in {prefix} and on PATH."
        return Finding(lacks, cure, "commands.0")
    cure = f"{install}, or write the full path if that one is meant."
    if _SHELL.fullmatch(_stem(word)) and not _of(found):
        return None
    if whose := runs_with_python(word, found, host):
        return Finding(f"{lacks}; the one on PATH, {found}, {whose}", cure, "commands.0")
    return Finding(f"{lacks}: the one on PATH is taken, {found}{_of(found)}", cure, "commands.0", Severity.WARNING)


def program_of_path(word: str, base: PurePath | None, host: Host) -> PurePath | None:
    """The program that PATH leads to once the folders of environments active around the runner are gone from it."""
    outer = outer_folders(host)
    first = host.which(word)
    if first and str(host.path(first).parent) not in outer:
        return host.path(first)
    folders = [base / "condabin"] if base else []
    listed = host.environ.get("PATH", "").split(";" if host.windows else ":")
    folders += [host.path(folder) for folder in listed if folder and str(host.path(folder)) not in outer]
    return next((f / name for f in folders for name in with_endings(word, host) if is_file(f / name)), None)


def runs_with_python(word: str, program: PurePath, host: Host) -> str:
    """Why `program` would run with packages that are not this environment's; "" where it would not."""
    if _PYTHON_WORD.fullmatch(_stem(word)):
        return f"is another Python{_of(program)}"
    if host.windows:
        # pip's launchers have no first line that could be read
        return f"runs with another Python{_of(program)}" if program.parent.name.lower() == "scripts" else ""
    if "shims" in program.parts:
        return "runs with a Python of pyenv"
    try:
        with on_disk(program).open("rb") as stream:
            # pip writes `#!/bin/sh` first where the path of its Python is long or has blanks
            lines = [stream.readline(512), stream.readline(512)]
    except OSError:
        return ""
    runs = lines[0].startswith(b"#!") and (b"python" in lines[0] or (b"'''exec'" in lines[1] and b"python" in lines[1]))
    return f"runs with another Python{_of(program)}" if runs else ""


def _stem(word: str) -> str:
    return word[:-4] if word.lower().endswith(".exe") else word


def _of(program: PurePath) -> str:
    """The environment that `program` lies in, for a message."""
    for folder in list(program.parents)[:3]:
        if is_folder(folder / "conda-meta"):
            return f" (of the conda environment {folder})"
        if is_file(folder / "pyvenv.cfg"):
            return f" (of the virtual environment {folder})"
    return ""
