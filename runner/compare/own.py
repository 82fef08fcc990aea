"""What a comparison itself has put into a folder, by a list that it keeps there: nothing else is removed or replaced.

A file is ours when its name is in the list, it is still what the list says, and no link leads to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from runner.ground.told import read_json, write_json

LIST = ".made-by-compare.json"
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT: what Windows calls a folder that lies elsewhere

Mark = Callable[[Path], str]


def by_content(path: Path) -> str:
    """For small files: no copy, no network share and no clock makes another file of one."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if _kind(path) == "file" else _kind(path)


def by_time(path: Path) -> str:
    """For files that are too large to be read once more; whole seconds, since shares round."""
    kind = _kind(path)
    if kind == "file":
        found = path.lstat()
        return f"{found.st_size} bytes of {int(found.st_mtime)}"
    return f"link to {os.readlink(path)}" if kind == "link" else kind  # noqa: PTH115  (as it is written)


def _kind(path: Path) -> str:
    """file, folder, link, other, or nothing where there is none; links are not followed."""
    try:
        found = path.lstat()
    except OSError:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return "link"
    if stat.S_ISDIR(found.st_mode):
        return "junction" if getattr(found, "st_reparse_tag", 0) == _JUNCTION else "folder"
    return "file" if stat.S_ISREG(found.st_mode) else "other"


def is_folder(path: Path) -> bool:
    """A folder that lies where it seems to lie."""
    return _kind(path) == "folder"


def write_list(folder: Path, marks: Mapping[str, list[str]]) -> None:
    """`marks`: relative names with /, and what each may be. Raises StateError."""
    write_json(folder / LIST, {"format": 1, "files": dict(marks)})


def proven(folder: Path, mark: Mark) -> dict[str, str]:
    """What is ours below `folder`, with its mark."""
    told = (read_json(folder / LIST) or {}).get("files") if _kind(folder / LIST) == "file" else None
    found: dict[str, str] = {}
    for name, marks in told.items() if isinstance(told, dict) else ():
        path = folder / name
        with contextlib.suppress(OSError, ValueError):
            if _inside(folder, name) and isinstance(marks, list) and (now := mark(path)) and now in marks:
                found[name] = now
    return found


def _inside(folder: Path, name: str) -> bool:
    """Whether `name` leads through real folders only, from `folder` downwards."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or any(part != Path(part).name for part in parts):
        return False
    return all(is_folder(folder.joinpath(*parts[:count])) for count in range(1, len(parts)))


def below(folder: Path, *names: str) -> Iterator[str]:
    """All that lies in these parts of `folder`, folders before what is in them, no link followed."""
    for name in names:
        path = folder / name
        if _kind(path):
            yield name
        if is_folder(path):
            with contextlib.suppress(OSError):
                yield from below(folder, *(f"{name}/{one}" for one in sorted(os.listdir(path))))  # noqa: PTH208


def remove(folder: Path, names: Mapping[str, str]) -> None:
    """Files and links of `names`, which were proven; a folder where nothing is left in it. Raises OSError."""
    for name in sorted(names, reverse=True):  # what is in a folder comes before it
        path = folder / name
        if names[name] == "folder":
            with contextlib.suppress(OSError):
                path.rmdir()
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
