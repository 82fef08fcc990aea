"""What lies at a place now: sizes and times of files, walked once for all segments that name it."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.frozen import frozen

# how a file is: size, time of its last change in ns, and of a small one that is named by itself what it holds
Fact = tuple[int, int, str]
MOST_FILES = 20_000
PATIENCE = 0.5  # seconds of a segment's start
_SMALL = 5_000_000  # bytes
_ZARR = frozenset((".zattrs", ".zgroup", "zarr.json"))
# never news: what systems, editors and file servers put down by themselves, and what is still on its way
_NAMES = frozenset(
    "thumbs.db desktop.ini .ds_store .directory icon\r .git .svn .hg __pycache__ .venv .venvs .ipynb_checkpoints"
    " .run-pipeline @eadir $recycle.bin .fseventsd .temporaryitems .mypy_cache .pytest_cache lost+found".split(" ")
) | {"system volume information"}
_BEGIN = ("._", "~$", ".~lock", ".#", ".nfs", ".fuse_hidden", ".spotlight-", ".trash", "ehthumbs")
_END = ("~", ".swp", ".tmp", ".part", ".partial", ".crdownload", ".filepart", "_status.yaml", "_status.yml")
_LOCK = re.compile(r"_status\.ya?ml\.lock\b")


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is never an input."""
    low = name.lower()
    return low in _NAMES or low.endswith(_END) or low.startswith(_BEGIN) or bool(_LOCK.search(low))


@frozen
class Source:
    """Where a segment reads."""

    how: str  # declared, upstream (an earlier segment's `outputs`), argument, or output: only looked at for others
    kind: str  # file (or an OME-Zarr), folder, glob
    root: str  # absolute; of a glob, the folder where it starts
    rest: str = ""  # of a glob


@dataclass
class Found:
    """The files of a source by their names below its root, "" for itself."""

    files: dict[str, Fact] = field(default_factory=dict)
    count: int = -1  # 0 or more: too many to remember each
    newest: int = 0  # the latest time among so many; 0: only their names were looked at
    late: bool = False  # it could not be looked through in time


class _Late(Exception):
    pass


class Look:
    """Looks at sources, at each place once."""

    def __init__(self, most: float = float("inf"), patience: float = float("inf")) -> None:
        self._left = most
        self._patience = patience
        self._end = time.monotonic() + patience
        self._found: dict[tuple[str, str, str, bool], Found] = {}

    def at(self, source: Source, *, complete: bool = False, names: bool = False) -> Found:
        """What is there; `complete`: however long it takes; `names`: how many alone, which a slow share knows soon."""
        key = (source.kind, source.root, source.rest, names)
        found = self._found.get(key)
        if found is None or (complete and (found.late or found.count >= 0)):
            found = self._found[key] = self._look(source, complete=complete, names=names)
        return found

    def _look(self, source: Source, *, complete: bool, names: bool) -> Found:
        if source.kind == "file":
            fact = fact_of(source.root)
            return Found({} if fact is None else {"": fact})
        now = time.monotonic()
        end = float("inf") if complete else max(self._end, now) + self._patience if names else self._end
        walk = _Walk(source.root, end, names=names)
        try:
            walk.glob(source.rest) if source.kind == "glob" else walk.folder("")
        except _Late:
            return Found(late=True) if names or complete else self._look(source, complete=False, names=True)
        if names:
            return Found(count=len(walk.files))
        if not complete:
            self._left -= len(walk.files)
            if self._left < 0:
                return Found(count=len(walk.files), newest=max(fact[1] for fact in walk.files.values()))
        return Found(walk.files)


class _Walk:
    """Files below `root`, an OME-Zarr folder as one of them."""

    def __init__(self, root: str, end: float, *, names: bool = False) -> None:
        self._root = root
        self._names = names
        self._end = end
        self._links: set[str] = set()
        self.files: dict[str, Fact] = {}

    def folder(self, below: str) -> None:
        """All files in a folder; below, with a separator at its end, is its name from the root."""
        todo = [below]
        while todo:
            below = todo.pop()
            inside = self._inside(below)
            if inside is None:
                continue
            if below.rstrip(os.sep).lower().endswith(".zarr") or any(entry.name in _ZARR for entry in inside):
                self.files[below.rstrip(os.sep)] = self._whole(os.path.join(self._root, below))  # noqa: PTH118
                continue
            for entry in inside:
                if not is_litter(entry.name):
                    self._entry(entry, below + entry.name, todo)

    def _inside(self, below: str) -> list[os.DirEntry[str]] | None:
        try:
            with os.scandir(os.path.join(self._root, below)) as entries:  # noqa: PTH118  (a hundred thousand)
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # a share that is away for a moment: what lies there is not known
            raise _Late from error

    def _entry(self, entry: os.DirEntry[str], name: str, todo: list[str]) -> None:
        if time.monotonic() > self._end:
            raise _Late
        try:
            if entry.is_dir():
                if not entry.is_symlink() or self._first_time(entry.path):
                    todo.append(name + os.sep)
                return
            if self._names:
                self.files[name] = (0, 0, "")
                return
            info = entry.stat()
        except OSError:
            return
        if stat.S_ISREG(info.st_mode):
            self.files[name] = (info.st_size, info.st_mtime_ns, "")

    def _first_time(self, link: str) -> bool:
        """Links may lead in a ring."""
        real = os.path.realpath(link)
        if real in self._links or (self._root + os.sep).startswith(real + os.sep):
            return False
        self._links.add(real)
        return True

    def glob(self, pattern: str) -> None:
        """What a pattern matches below the root, as `glob` does it; of a folder, what is in it."""
        parts = Path(pattern).parts
        tests = [_test_of(part) for part in parts]
        todo = [("", frozenset((0,)))]
        while todo:
            below, states = todo.pop()
            # ** stands for no folder too
            states |= {n + 1 for n in states if parts[n] == "**" and n + 1 < len(parts)}
            for entry in self._inside(below) or ():
                name = entry.name
                hit = [n for n in states if tests[n](name)]
                if not hit or is_litter(name):
                    continue
                if len(parts) - 1 in hit:
                    self._hit(entry, below + name, walked="**" in parts)
                if entry.is_dir() and (not entry.is_symlink() or self._first_time(entry.path)):
                    after = frozenset(n + (parts[n] != "**") for n in hit) - {len(parts)}
                    if after:
                        todo.append((below + name + os.sep, after))

    def _hit(self, entry: os.DirEntry[str], name: str, *, walked: bool) -> None:
        parts = Path(name).parts[:-1] if ".zarr" in name.lower() else ()
        image = next((n for n, part in enumerate(parts, 1) if part.lower().endswith(".zarr")), 0)
        if image:  # a piece of an OME-Zarr stands for all of it
            name = str(Path(*parts[:image]))
            if name not in self.files:
                self.files[name] = self._whole(os.path.join(self._root, name))  # noqa: PTH118
        elif not entry.is_dir():
            self._entry(entry, name, [])
        elif not walked or is_zarr(entry.path):
            self.folder(name + os.sep)

    def _whole(self, folder: str) -> Fact:
        """Of an OME-Zarr: the size of all that it holds, and the latest time."""
        size = latest = 0
        if self._names:
            return 0, 0, ""
        for base, _, names in os.walk(folder):
            for name in names:
                if time.monotonic() > self._end:
                    raise _Late
                try:
                    info = os.stat(os.path.join(base, name))  # noqa: PTH116, PTH118
                except OSError:
                    continue
                size += info.st_size
                latest = max(latest, info.st_mtime_ns)
        return size, latest, ""


def _test_of(part: str) -> Callable[[str], object]:
    """Whether a name fits one part of a pattern; hidden ones fit where the part says so."""
    if part == "**":
        return lambda name: name[0] != "."
    fits = re.compile(fnmatch.translate(os.path.normcase(part))).match
    if part[0] == ".":
        return lambda name: fits(os.path.normcase(name))
    return lambda name: name[0] != "." and fits(os.path.normcase(name))


def is_zarr(path: str) -> bool:
    """Whether a folder is a Zarr image rather than a folder of files."""
    return path.lower().rstrip(os.sep).endswith(".zarr") or any(Path(path, name).is_file() for name in _ZARR)


def fact_of(path: str) -> Fact | None:
    """How a file or an OME-Zarr is now, None where there is none."""
    try:
        info = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(info.st_mode):
        return (info.st_size, info.st_mtime_ns, "") if stat.S_ISREG(info.st_mode) else None
    with suppress(_Late):
        return _Walk(path, float("inf"))._whole(path)
    return None


def with_content(path: str, fact: Fact) -> Fact:
    """`fact` with what a small file holds."""
    if fact[0] > _SMALL:
        return fact
    import hashlib

    try:
        with open(path, "rb") as stream:  # noqa: PTH123
            return fact[0], fact[1], hashlib.sha256(stream.read(_SMALL + 1)).hexdigest()[:32]
    except OSError:
        return fact


def same(before: Fact, now: Fact, path: str) -> bool:
    """Whether a file is as it was; one of a new time is looked into where it is known what it held."""
    if before[0] != now[0]:
        return False
    if _same_time(before[1], now[1]):
        return True
    return bool(before[2]) and (now[2] or with_content(path, now)[2]) == before[2]


def _same_time(a: int, b: int) -> bool:
    """Never by a clock: equal, or equal but for what a file system cuts off.

    A share may show a time in full at first and in whole seconds or milliseconds later, FAT by twos; and where
    FAT or a ZIP keeps local time, all files are an hour off after summer.
    """
    if a == b:
        return True
    for grain in (10**9, 10**6, 10**3, 100):
        if (a % grain == 0) != (b % grain == 0):
            coarse = a if a % grain == 0 else b
            return abs(a - b) < (2 * grain if grain == 10**9 and coarse % (2 * grain) == 0 else grain)
        if a % grain == 0:
            return grain == 10**9 and a % (2 * grain) == 0 and abs(a - b) == 3600 * grain
    return False
