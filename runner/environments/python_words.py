"""A segment's words as a Python environment starts them: `python` in front, whether the file names it or not.

And the variables that go with them.

The Go runner dropped the word `python` wherever it stood, and with it arguments such as `--kernel`, `python`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    given = words(entries)
    plain = without_python(given)
    if plain == given and plain and _is_program(plain[0], cwd, host):
        return plain, plain[0]
    return [_PYTHON, *plain], ""


def without_python(words: list[str]) -> list[str]:
    """The words behind a `python` in front."""
    return words[1:] if words and _FIRST.fullmatch(words[0]) else words


def activated(python: PurePath, host: Host) -> dict[str, str]:
    """PATH and VIRTUAL_ENV, as `uv run` sets them for a virtual environment."""
    name = next((name for name in host.environ if name.upper() == "PATH"), "PATH") if host.windows else "PATH"
    path = with_path(python, {name: host.environ.get(name, "")}, host)
    return {**path, "VIRTUAL_ENV": str(python.parent.parent)}


def with_path(python: PurePath, env: Mapping[str, str], host: Host) -> dict[str, str]:
    """PATH of `env`, where it has one, with the environment's programs in front."""
    return {
        name: (";" if host.windows else ":").join([str(python.parent), *([value] if value else [])])
        for name, value in env.items()
        if (name.upper() if host.windows else name) == "PATH"
    }


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
