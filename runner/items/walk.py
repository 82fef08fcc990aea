"""The files, and folders that are images, that a pattern matches: in the order of their names, on every system.

Unlike `glob`: a folder that cannot be read is an error and not an empty one; a link to a folder is gone through once;
brackets in the names of folders that exist are no pattern; and the listing tells size and time along the way.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import sys
import unicodedata
from operator import attrgetter
from pathlib import Path

from runner.errors import UsageError
from runner.ground.patterns import MAGIC, full_pattern, is_plain, unescaped
from runner.ground.plain import is_link
from runner.items.item import Mark

OWN_FOLDER = ".run-pipeline"
# folders that are one image each: one of them is an item, and nobody looks for files in it
IMAGE_FOLDERS = (".zarr", ".n5")
_NEVER = {OWN_FOLDER, "System Volume Information", "$RECYCLE.BIN", "lost+found"}
_TREE = "**"

Found = tuple[str, str, Mark | None]  # path relative to the fixed part, with `/`; path; how it is


def split_pattern(pattern: str, folder: str) -> tuple[str, list[str]]:
    """The fixed part of `pattern`, a folder, and its other parts (the last at least)."""
    parts = list(Path(full_pattern(pattern, folder)).parts)
    if pattern.endswith(("/", os.sep)):
        parts.append("")
    fixed = Path()
    while len(parts) > (2 if parts[-1] == "" else 1) and is_plain(parts[0]):
        fixed /= unescaped(parts.pop(0))
    return str(fixed), parts


def walk(pattern: str, folder: str) -> list[Found]:
    """What `pattern` matches below `folder`. Raises UsageError for a folder that cannot be read."""
    fixed, parts = split_pattern(pattern, folder)
    only_folders = parts[-1] == ""
    if only_folders:
        parts.pop()
    if parts[-1] == _TREE:
        parts.append("*")
    if not _is_there(fixed):
        return []
    return _Walk(parts, only_folders).all(fixed)


def _is_there(folder: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(folder, error) from error


class _Walk:
    def __init__(self, parts: list[str], only_folders: bool) -> None:
        self._parts = parts
        self._tests = [_test(part) for part in parts]
        self._folders_too = only_folders or is_plain(parts[-1]) or parts[-1].lower().endswith(IMAGE_FOLDERS)
        self._files_too = not only_folders
        self._seen: set[tuple[int, int, int]] = set()
        self._links: list[tuple[str, str, int]] = []  # folders behind links, to be gone through last
        self._found: list[Found] = []

    def all(self, fixed: str) -> list[Found]:
        self._into(fixed, "", 0)
        in_order = not self._links and _TREE not in self._parts[:-2]
        while self._links:
            self._links.sort(key=lambda one: one[1].split("/"), reverse=True)
            self._into(*self._links.pop())
        if not in_order:
            self._found.sort(key=lambda one: one[0].split("/"))
        return self._found

    def _into(self, path: str, relative: str, at: int) -> None:
        """Everything below `path` that the parts from `at` match. Its depth is that of the folders."""
        in_tree = self._parts[at] == _TREE
        if in_tree:
            while self._parts[at + 1] == _TREE:
                at += 1
            if not self._first_time(path, at):
                return
        test = self._tests[at + 1 if in_tree else at]
        last = at + (2 if in_tree else 1) == len(self._parts)
        for entry in _entries(path):
            name = entry.name
            matches = test(name)
            if not matches and not in_tree:
                continue
            if name in _NEVER:
                continue
            below = f"{relative}{name}"
            if not _is_folder(entry):
                if matches and last and self._files_too:
                    self._take(entry, below)
                continue
            if matches and last and self._folders_too:
                self._found.append((below, entry.path, None))
                if in_tree:
                    continue  # nobody looks for a .zarr in a .zarr
            elif matches and not last:
                self._into(entry.path, below + "/", at + (2 if in_tree else 1))
            if in_tree and not name.startswith(".") and not name.lower().endswith(IMAGE_FOLDERS):
                if _is_link(entry):
                    self._links.append((entry.path, below + "/", at))
                else:
                    self._into(entry.path, below + "/", at)

    def _take(self, entry: os.DirEntry[str], relative: str) -> None:
        """A file that is gone again, or a link to nowhere, is an item too: it fails with its name, and is not lost."""
        try:
            info = entry.stat()
        except OSError:
            self._found.append((relative, entry.path, ()))
            return
        if stat.S_ISREG(info.st_mode):
            self._found.append((relative, entry.path, (info.st_size, info.st_mtime_ns)))

    def _first_time(self, path: str, at: int) -> bool:
        try:
            info = os.stat(path)  # noqa: PTH116
        except OSError as error:
            raise _unreadable(path, error) from error
        identity = info.st_dev, info.st_ino, at
        if info.st_ino and identity in self._seen:
            return False
        self._seen.add(identity)
        return True


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as found:
            return sorted(found, key=attrgetter("name"))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> UsageError:
    return UsageError(
        f"cannot read the folder {path}: {error.strerror or error}",
        "Without it items would be missing. Ask for the right to read it, move it elsewhere, "
        "or write a pattern that does not lead through it.",
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or (sys.platform == "win32" and is_link(Path(entry.path)))


class _test:  # noqa: N801  (called as a function)
    """Whether a name matches one part of the pattern. On Windows case does not count, as everywhere there."""

    def __init__(self, part: str) -> None:
        self._composed = not part.isascii()  # umlauts of macOS are two signs each
        self._hidden = part.startswith(".")
        if self._composed:
            part = unicodedata.normalize("NFC", part)
        flags = re.IGNORECASE if sys.platform == "win32" else 0
        self._match = re.compile(fnmatch.translate(part), flags).match
        # by far the commonest, and several times as fast
        ending = part[1:] if part[:1] == "*" and not MAGIC.search(part[1:]) and not flags else None
        self._ending = None if self._composed else ending

    def __call__(self, name: str) -> bool:
        if name[0] == "." and not self._hidden:
            return False
        if self._ending is not None:
            return name.endswith(self._ending)
        return self._match(unicodedata.normalize("NFC", name) if self._composed else name) is not None
