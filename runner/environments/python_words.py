"""A segment's words as a Python environment starts them: `python` in front, whether the file names it or not.

And the variables that go with them.

The Go runner dropped the word `python` wherever it stood, and with it arguments such as `--kernel`, `python`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from runner.environments import words
from runner.ground.disk import is_file, is_folder
from runner.host import Host
from runner.model import ResolvedEntry

_PYTHON = "python"
_FIRST = re.compile(r"python3?(\.exe)?", re.IGNORECASE)  # as a first word these mean the environment's own
_SCRIPTS = (".py", ".pyw", ".pyz")


def python_words(entries: Sequence[ResolvedEntry], cwd: str, host: Host) -> tuple[list[str], str]:
    """The argument list, and the program of the environment that it starts ("" when that is Python)."""
    plain = words(entries)
    if plain and _FIRST.fullmatch(plain[0]):
        return [_PYTHON, *plain[1:]], ""
    if plain and _is_program(plain[0], cwd, host):
        return plain, plain[0]
    return [_PYTHON, *plain], ""


def activated(python: PurePath, host: Host) -> dict[str, str]:
    """PATH and VIRTUAL_ENV, as `uv run` sets them for a virtual environment."""
    name = next((name for name in host.environ if name.upper() == "PATH"), "PATH") if host.windows else "PATH"
    folders = [str(python.parent), *([host.environ[name]] if host.environ.get(name) else [])]
    return {name: (";" if host.windows else ":").join(folders), "VIRTUAL_ENV": str(python.parent.parent)}


def python_prints_utf8(host: Host) -> dict[str, str]:
    """Windows: into a pipe Python writes cp1252, and a script that prints → dies though it works in a console.

    Not PYTHONUTF8: that changes which files `open()` can read.
    """
    if not host.windows or "PYTHONIOENCODING" in (name.upper() for name in host.environ):
        return {}
    return {"PYTHONIOENCODING": "utf-8:backslashreplace"}


def _is_program(word: str, cwd: str, host: Host) -> bool:
    if not word.strip() or word.startswith("-") or word.lower().endswith(_SCRIPTS):
        return False
    if "/" in word or (host.windows and "\\" in word):
        return False
    path = host.path(cwd) / word
    return not (is_file(path) or is_folder(path))
