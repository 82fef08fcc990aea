"""Trees copied to another disk so that what is one file there is one file here: uv links packages of environments."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

_AT_ONCE = 8  # files
_COARSE = 2.0  # seconds: some file systems keep times no better
_Key = tuple[int, int]  # device and inode


@dataclass
class Copier:
    """`told` hears of each file's bytes."""

    target: Path
    told: Callable[[int], None] = lambda size: None
    sources: set[Path] = field(default_factory=set)  # links that lead into one of them lead into the target
    # of files with several names: the tree in which one is by now, and where in it
    _known: dict[_Key, tuple[int, str]] = field(default_factory=dict)
    _trees: list[Path] = field(default_factory=list)

    def tree(self, path: Path, copy: Path) -> None:
        """A folder with all in it, a link or a file, as `copy`, which is not there yet. Raises OSError."""
        self._trees.append(copy)
        found: list[tuple[Path, Path]] = []
        folders: list[tuple[Path, Path]] = []
        self._entry(path, copy, found, folders)
        pool = ThreadPoolExecutor(_AT_ONCE)  # a share takes its time for each file, and for many no longer
        try:
            list(pool.map(self._file, *zip(*found, strict=True)) if found else ())
        finally:
            pool.shutdown(cancel_futures=True)
        for pair in reversed(folders):  # one may be read-only
            shutil.copystat(*pair)

    def renamed(self, to: Path) -> None:
        """What was copied last."""
        self._trees[-1] = to

    def _entry(self, path: Path, copy: Path, found: list[tuple[Path, Path]], folders: list[tuple[Path, Path]]) -> None:
        if path.is_symlink():
            copy.symlink_to(self._link(path), target_is_directory=path.is_dir())
        elif path.is_dir():
            copy.mkdir()
            for entry in os.scandir(path):
                self._entry(Path(entry.path), copy / entry.name, found, folders)
            folders.append((path, copy))
        elif path.is_file():
            found.append((path, copy))

    def known(self, folder: Path, to: Path) -> None:
        """`to` is a copy of `folder` that was made before: what has several names can be linked to it."""
        self._trees.append(to)
        for path, info in files(folder):
            copy = to / path.relative_to(folder)
            with contextlib.suppress(OSError):
                if info.st_nlink > 1 and _as_copied(copy, info):
                    self._remember((info.st_dev, info.st_ino), copy)

    def _remember(self, key: _Key, copy: Path) -> None:
        self._known.setdefault(key, (len(self._trees) - 1, str(copy.relative_to(self._trees[-1]))))

    def _file(self, path: Path, copy: Path) -> None:
        info = path.stat()
        key = (info.st_dev, info.st_ino)
        if there := self._known.get(key):
            same = self._trees[there[0]] / there[1]
            with contextlib.suppress(OSError):  # it has as many names as may be, or is gone
                if _as_copied(same, info):
                    os.link(same, copy)
                    return
        shutil.copy2(path, copy)  # with its time: compiled files go by it
        self.told(info.st_size)
        if info.st_nlink > 1:
            self._known.pop(key, None)
            self._remember(key, copy)

    def _link(self, path: Path) -> str:
        target = os.readlink(path)  # noqa: PTH115  (as it is written)
        for source in self.sources:
            with contextlib.suppress(ValueError):
                return str(self.target / Path(target).relative_to(source))
        return target


def _as_copied(copy: Path, info: os.stat_result) -> bool:
    """Not a program that was written anew since, for its new place. Raises OSError."""
    there = copy.lstat()
    return there.st_size == info.st_size and abs(there.st_mtime - info.st_mtime) <= _COARSE


def files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The regular files below `folder`; one that cannot be looked at is passed over."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            with contextlib.suppress(OSError):
                info = path.lstat()
                if not path.is_symlink():
                    yield path, info


def distinct_bytes(folders: list[Path]) -> int:
    """Of all files below them, each counted once."""
    seen: set[_Key] = set()
    total = 0
    for folder in folders:
        for _, info in files(folder):
            key = (info.st_dev, info.st_ino)
            if info.st_nlink == 1 or key not in seen:
                seen.add(key)
                total += info.st_size
    return total
