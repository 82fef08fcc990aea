"""What stands in a file's name for the asterisks of a search pattern."""

from __future__ import annotations

import os
import re
from pathlib import Path

from _program.files import absolute, start_of


def key_of(pattern: str, path: Path) -> tuple[str, ...]:
    """The texts in `path` for the asterisks, question marks and sets of `pattern`; folders of `**` count as one."""
    found = _match(pattern, path)
    return tuple(text or "" for text in found.groups()) if found else (absolute(str(path)).stem,)


def matches(pattern: str, path: Path) -> bool:
    """Whether `path`, which lies below the folder where the search starts, is one that `pattern` finds."""
    return bool(_match(pattern, path))


def _match(pattern: str, path: Path) -> re.Match[str] | None:
    start, rest = start_of(pattern)
    name = os.path.normcase(path.relative_to(start).as_posix())
    return re.fullmatch(_expression(os.path.normcase("/".join(rest)).replace("\\", "/")), name.replace("\\", "/"))


def _expression(pattern: str) -> str:
    """The pattern as a regular expression with a group for each part that is not literal."""
    made = ""
    for part in re.split(r"(\*\*/|\*+|\?|\[!?\]?[^\]]*\])", pattern):
        if part == "**/":
            made += "((?:[^/]+/)*)"
        elif part and set(part) == {"*"}:
            made += "([^/]*)"
        elif part == "?":
            made += "([^/])"
        elif part.startswith("[") and part.endswith("]") and len(part) > 2:
            inner = part[1:-1].replace("\\", "\\\\")
            made += f"([{'^' + inner[1:] if inner.startswith('!') else inner}])"
        else:
            made += re.escape(part)
    return made
