"""A segment's words as a Python environment starts them: the word `python` once, in front.

Pipeline files for the Go runner name `python` first, in the middle, in capitals or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.environments import words
from runner.environments.disk import is_file, is_folder
from runner.host import Host
from runner.model import ResolvedEntry, ResolvedFlags

_PYTHON = "python"
_FIRST = re.compile(r"python3?(\.exe)?", re.IGNORECASE)  # as a first word these mean the environment's own
_SCRIPTS = (".py", ".pyw", ".pyz")


def python_words(entries: Sequence[ResolvedEntry], cwd: str, host: Host) -> tuple[list[str], str]:
    """The argument list, and the program of the environment that it starts ("" when that is Python)."""
    plain = words(entries)
    if plain and _is_program(plain[0], cwd, host):
        return plain, plain[0]
    kept: list[str] = []
    for entry in entries:
        if isinstance(entry, ResolvedFlags):
            for flag, value in entry.items:
                kept += [] if flag.lower() == _PYTHON else [flag]
                kept += [] if value is None else [value]
        elif entry.lower() != _PYTHON:
            kept.append(entry)
    if kept and plain[0] == kept[0] and _FIRST.fullmatch(kept[0]):
        del kept[0]
    return [_PYTHON, *kept], ""


def _is_program(word: str, cwd: str, host: Host) -> bool:
    if not word.strip() or word.startswith("-") or _FIRST.fullmatch(word) or word.lower().endswith(_SCRIPTS):
        return False
    if "/" in word or (host.windows and "\\" in word):
        return False
    path = host.path(cwd) / word
    return not (is_file(path) or is_folder(path))
