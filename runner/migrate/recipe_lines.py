"""What a recipe asks for, line by line, as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from runner.errors import UsageError


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
