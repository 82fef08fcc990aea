"""How an item is now: a file's size and time, or its content; it differs once the item was changed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from runner.ground.files import write_atomic
from runner.ground.plain import read_plain
from runner.items.expand import checksum_of
from runner.items.item import Item, Mark

_TOO_YOUNG = 2.0  # seconds in which a file may be written again and keep its time (FAT, some shares)
_CHUNK = 1 << 20
Digests = dict[str, tuple[Mark, str]]  # path -> how it was, and the SHA-256 of its content


def mark_of(item: Item, *, fresh: bool = True) -> Mark:
    """`fresh`: as it is at this moment. Else as the listing told that found it, where that is known."""
    if item.is_file:
        known = item.mark
        if known is not None and not fresh:
            return known
        now = mark_of_path(item.text)
        return known if known == now else now  # the same tuple: there may be 100,000
    if item.cells:
        named = (cell for cell in item.cells if os.path.isabs(cell))  # noqa: PTH117
        return (checksum_of(item.cells), *(number for path in named for number in mark_of_path(path)))
    return mark_of_path(item.text) if os.path.isabs(item.text) else ()  # noqa: PTH117


def marks(items: list[Item]) -> list[Mark]:
    """Of each; a file that matrix gives to several items is looked at once."""
    known: dict[str, Mark] = {}
    found = []
    for item in items:
        if item.mark is None and item.label:
            if item.text not in known or item.cells:
                known[item.text] = mark_of(item)
            found.append(known[item.text])
        else:
            found.append(mark_of(item, fresh=False))
    return found


def mark_of_path(path: str) -> Mark:
    """(size, time) of a file; (count, sum of sizes, newest time) of what is in a folder; () where there is nothing."""
    try:
        info = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return ()
    if not stat.S_ISDIR(info.st_mode):
        return info.st_size, info.st_mtime_ns
    count = size = newest = 0
    for _, one in _files_in(path):
        count, size, newest = count + 1, size + one.st_size, max(newest, one.st_mtime_ns)
    return count, size, newest


def _files_in(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Depth first; no link to a folder is followed."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_in(entry.path)
            elif entry.is_file():
                yield entry.path, entry.stat()
        except OSError:
            continue


class Contents:
    """SHA-256 of what items hold, kept in a file so that an unchanged one is read once."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._known = _read(cache)
        self._new = False

    def digest(self, item: Item) -> str:
        """ "" for what is no path, or cannot be read."""
        if not item.cells:
            return self._of_path(item.text) if os.path.isabs(item.text) else ""  # noqa: PTH117
        named = (self._of_path(cell) for cell in item.cells if os.path.isabs(cell))  # noqa: PTH117
        return hashlib.sha256("\n".join((json.dumps(item.cells), *named)).encode()).hexdigest()

    def _of_path(self, path: str) -> str:
        now = mark_of_path(path)
        known = self._known.get(path)
        if known and known[0] == now:
            return known[1]
        try:
            digest = _sha256(path, is_folder=len(now) == 3)
        except OSError:
            return ""
        if now and mark_of_path(path) == now and time.time() - now[-1] / 1e9 > _TOO_YOUNG:
            self._known[path] = (now, digest)
            self._new = True
        return digest

    def save(self) -> None:
        """Whole or not at all; nothing where nothing is new. Raises StateError."""
        if self._new:
            lines = (json.dumps([path, mark, digest]) for path, (mark, digest) in self._known.items())
            write_atomic(self._cache, "\n".join(lines).encode(), durable=False)
            self._new = False


def _read(cache: Path) -> Digests:
    found: Digests = {}
    try:
        lines = read_plain(cache, largest=1 << 30).splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            path, mark, digest = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            continue
        if isinstance(path, str) and isinstance(digest, str) and isinstance(mark, list):
            found[path] = (tuple(mark), digest)
    return found


def _sha256(path: str, *, is_folder: bool) -> str:
    whole = hashlib.sha256()
    if is_folder:
        for file, _ in _files_in(path):
            name = os.path.relpath(file, path).replace(os.sep, "/").encode("utf-8", "surrogatepass")
            whole.update(hashlib.sha256(name).digest() + bytes.fromhex(_sha256(file, is_folder=False)))
        return whole.hexdigest()
    with open(path, "rb", buffering=0) as stream:  # noqa: PTH123
        while chunk := stream.read(_CHUNK):
            whole.update(chunk)
    return whole.hexdigest()
