"""Declared outputs: each of the `outputs:` globs must match something, and nothing that it matches may be empty.

What was there before the segment started counts only when it was written or touched since. That is told from how
each file was before (`marks`) and never from a clock: a share's clock may differ from ours, and a program that
copies or unpacks keeps old times.
"""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.ground.patterns import full_pattern
from runner.model import Output

MOST_LISTED = 1000
# FAT and some shares count whole seconds, by twos; elsewhere a time is as fine as the kernel's tick
_COARSE, _FINE = 2.0, 0.02
_YOUNG = 600.0  # seconds by which a share's clock may differ from ours for `settling` to see a young file

_CURE = "(if it leaves out on purpose what is finished, write `outputs-may-be-old: true`)"

Marks = Mapping[Path, object]


def missing_output(patterns: Sequence[str], folder: str, before: Marks | None = None) -> str:
    """What is wrong with the first pattern that is not fulfilled, or "".

    `before`: the `marks` from when the segment started; without them any age will do.
    """
    for pattern in patterns:
        paths = list(matches(pattern, folder))
        if not paths:
            return f"{pattern} matches no file"
        for path in paths:
            if not _has_content(path):
                return f"{path} is empty"
        if before and all(path in before and before[path] == _mark(path) for path in paths):
            what = str(paths[0]) if len(paths) == 1 else f"each of the {len(paths)} files that {pattern} matches"
            return f"{what} was there before it started and was not written since {_CURE}"
    return ""


def marks(patterns: Sequence[str], folder: str) -> Marks:
    """How everything that the patterns match is now: it differs once a file was written, touched or replaced."""
    return {path: _mark(path) for pattern in patterns for path in matches(pattern, folder)}


def settling(before: Marks) -> float:
    """Seconds to wait until a file that is written once more is sure to get another time."""
    now, longest = time.time(), 0.0
    for path in before:
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            continue
        grain, young = (_COARSE, _YOUNG) if changed % 10**9 == 0 else (_FINE, _FINE)
        if abs(now - changed / 1e9) < young:
            longest = max(longest, grain)
    return longest


def matches(pattern: str, folder: str) -> Iterator[Path]:
    """Paths that `pattern` matches; a relative pattern counts from `folder`."""
    full = full_pattern(pattern, folder)
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


def _mark(path: Path) -> object:
    """Of a file, and of the link that leads to it; of a folder, all the files in it."""
    try:
        info = path.stat()
        if not stat.S_ISDIR(info.st_mode):
            return _facts(path.lstat()), _facts(info)
    except OSError:
        return None
    found = set()
    for base, _, names in os.walk(path):
        for name in names:
            file = os.path.join(base, name)  # noqa: PTH118  (an OME-Zarr has a hundred thousand)
            try:
                found.add((file, _facts(os.lstat(file))))
            except OSError:
                continue
    return hash(frozenset(found))


def _facts(info: os.stat_result) -> tuple[int, ...]:
    """The time of the last change tells where a program sets an old time by itself (on Windows it is another time)."""
    return info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino


def listing(patterns: Sequence[str], folder: str) -> list[Output]:
    """Path, size in bytes and modification time of what the patterns match, for the receipt."""
    out: list[Output] = []
    seen: set[Path] = set()
    for pattern in patterns:
        for path in matches(pattern, folder):
            if path in seen or not path.is_file():
                continue
            if len(out) == MOST_LISTED:
                return out
            seen.add(path)
            try:
                info = path.stat()
            except OSError:
                continue
            out.append(Output(path=str(path), size=info.st_size, modified=info.st_mtime))
    return out
