"""Declared outputs: each of the `outputs:` globs must match something, and nothing that it matches may be empty."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

MOST_LISTED = 1000


def missing_output(patterns: Sequence[str], folder: str) -> str:
    """What is wrong with the first pattern that is not fulfilled, or ""."""
    for pattern in patterns:
        paths = list(matches(pattern, folder))
        if not paths:
            return f"{pattern} matches no file"
        for path in paths:
            if not _has_content(path):
                return f"{path} is empty"
    return ""


def matches(pattern: str, folder: str) -> Iterator[Path]:
    """Paths that `pattern` matches; a relative pattern counts from `folder`."""
    full = os.path.join(folder, os.path.expanduser(pattern))  # noqa: PTH111, PTH118  (a pattern, not a path)
    if not glob.has_magic(full):
        if os.path.lexists(full):
            yield Path(full)
        return
    for name in glob.iglob(full, recursive=True):  # noqa: PTH207  (absolute patterns)
        yield Path(name)


def _has_content(path: Path) -> bool:
    """A file with bytes, or a folder (OME-Zarr) that holds such a file."""
    try:
        if path.is_dir():
            return any(child.stat().st_size > 0 for child in path.rglob("*") if child.is_file())
        return path.stat().st_size > 0
    except OSError:
        return False


def listing(patterns: Sequence[str], folder: str) -> list[dict[str, Any]]:
    """Path, size in bytes and modification time of what the patterns match, for the receipt."""
    out: list[dict[str, Any]] = []
    seen: set[Path] = set()
    for pattern in patterns:
        for path in matches(pattern, folder):
            if path in seen or not path.is_file():
                continue
            if len(out) == MOST_LISTED:
                return out
            seen.add(path)
            try:
                stat = path.stat()
            except OSError:
                continue
            out.append({"path": str(path), "size": stat.st_size, "modified": stat.st_mtime})
    return out
