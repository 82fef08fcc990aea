"""What a recipe asks for, line by line, as it was read; with the pip requirements files (`-r`) that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from runner.errors import UsageError

_FILE = re.compile(r"(?:-r|--requirement)[\s=]*(?P<path>\S.*)")
_COMMENT = re.compile(r"(?:^|\s+)#.*$")
_DEEPEST = 10


class Source(Enum):
    """Where in the recipe a line stands."""

    CONDA = "conda"
    PIP = "pip"
    CHANNEL = "channel"
    SETTING = "setting"
    INSTALLED = "installed"


@dataclass(frozen=True)
class Line:
    """One thing that a recipe asks for. Lines count from 1."""

    text: str
    source: Source
    file: Path
    number: int
    marker: str = ""  # of a platform selector
    remark: str = ""  # what was odd about reading it


@dataclass(frozen=True)
class Recipe:
    """An environment file as it was read."""

    path: Path
    name: str  # of the environment; the file's stem where it has none
    lines: tuple[Line, ...]


def read_text(path: Path) -> str:
    """A text file in UTF-8 or UTF-16 with a mark. Raises UsageError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "Check the name and the drive.") from None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{path} is not {encoding.removesuffix('-sig').upper()} text (line {line})", "Save it as UTF-8."
        ) from None


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
