"""Globs: what in them stands for itself, since a folder that a token stands for may have brackets in its name."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

ESCAPED = re.compile(r"\[([*?[])\]")  # as `glob.escape` writes it
MAGIC = re.compile(r"[*?\[]")


def is_plain(pattern: str) -> bool:
    """Whether it names one path."""
    return MAGIC.search(ESCAPED.sub("", pattern)) is None


def full_pattern(pattern: str, folder: str) -> str:
    """`pattern` below `folder`. Brackets and stars in the names of folders and files that exist are no pattern."""
    if pattern.startswith("~"):
        home, rest = re.fullmatch(r"(~[^/\\]*)(.*)", pattern, re.DOTALL).groups()  # type: ignore[union-attr]
        pattern = glob.escape(os.path.expanduser(home)) + rest  # noqa: PTH111
    full = os.path.join(glob.escape(folder), pattern)  # noqa: PTH118  (a pattern, not a path)
    literal, parts = Path(), list(Path(full).parts)
    for number, part in enumerate(parts):
        if not is_plain(part):
            if part == "**" or not os.path.lexists(literal / part):
                break
            parts[number] = glob.escape(part)
        literal /= unescaped(parts[number])
    return str(Path(*parts))


def unescaped(text: str) -> str:
    """`glob.escape` undone."""
    return ESCAPED.sub(r"\1", text)


def fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a glob means this path."""
    if not pattern or pattern[0] != "**":
        own = bool(path and pattern) and fnmatch.fnmatch(path[0], pattern[0])
        return fits(path[1:], pattern[1:]) if own else not path and not pattern
    return any(fits(path[start:], pattern[1:]) for start in range(len(path) + 1))


def fixed_part(pattern: str) -> tuple[Path, str]:
    """The folder in which a glob starts, and the rest; for a plain path its folder and nothing."""
    parts = Path(pattern).parts
    fixed: list[str] = []
    for part in parts:
        if not is_plain(part):
            break
        fixed.append(unescaped(part))
    if len(fixed) == len(parts):
        return Path(*fixed[:-1]), ""
    return Path(*fixed), str(Path(*parts[len(fixed) :]))
