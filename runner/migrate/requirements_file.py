"""The lines of a pip requirements file (`-r`), with nested files, continued lines and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from runner.errors import UsageError
from runner.migrate.recipe_lines import Line, read_text

_FILE = re.compile(r"(?:-r|--requirement)[\s=]*(?P<path>\S.*)")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_DEEPEST = 10


def expand(line: Line, depth: int = 0) -> Iterator[Line]:
    """The line itself, or the lines of the file that it names. Raises UsageError when there is no such file."""
    found = _FILE.fullmatch(line.text)
    if not found:
        yield line
        return
    path = line.file.parent / found["path"].strip().strip("'\"")
    if "://" in found["path"]:
        yield replace(line, remark="a requirements file on a server is not fetched")
        return
    if depth >= _DEEPEST:
        raise UsageError(f"{line.file}, line {line.number}: {path.name} names itself", "Take that line out.")
    if not path.is_file():
        raise UsageError(
            f"{line.file.name}, line {line.number}: there is no file {path}",
            "A path behind -r is relative to the file in which it stands.",
        )
    for number, text in _logical_lines(read_text(path)):
        # with the selector that stood behind the file's name
        yield from expand(replace(line, text=text, file=path, number=number), depth + 1)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text, continued lines joined, comments and empty ones left out."""
    start, whole = 0, ""
    for number, part in enumerate(text.splitlines(), 1):
        start = start or number
        if part.endswith("\\"):
            whole += part[:-1] + " "
            continue
        line = _COMMENT.sub("", whole + part).strip()
        if line:
            yield start, line
        start, whole = 0, ""
    if whole.strip():
        yield start, _COMMENT.sub("", whole).strip()
