"""Files of two folders joined by their relative names."""

from __future__ import annotations

import fnmatch
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runner.compare.results import Pair
from runner.ground.told import read_json

# what systems and programs leave about
LITTER = ("Thumbs.db", "desktop.ini", ".DS_Store", ".*", "*.part", "*.tmp")
IMAGES = (
    ".ome.tif", ".ome.tiff", ".tif", ".tiff", ".lsm", ".png", ".jpg", ".jpeg", ".bmp", ".npy", ".ome.zarr", ".zarr",
)  # fmt: skip
DEPTH = 6  # folders in an OME-Zarr folder: row, column, field, labels, their name
TABLES = (".csv", ".tsv", ".parquet", ".xlsx")
# the word at the end of a name that says what of the image it is: cell_labels.tif, cell_objects.csv
ROLES = (
    "labels", "label", "masks", "mask", "cp_masks", "seg", "objects", "object", "measurements", "measures", "table",
    "props", "results", "stats", "outlines", "image",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A file, or a folder that is one image."""

    name: str  # relative, with /
    path: Path


def items_below(folder: Path, ignore: Sequence[str] = ()) -> list[Item]:
    """All files below `folder`, sorted; an OME-Zarr image is one item, and so is a link to a folder."""
    return sorted(_walk(folder, "", tuple(ignore)), key=lambda item: item.name)


def _walk(folder: Path, above: str, ignore: tuple[str, ...]) -> Iterator[Item]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            name = above + entry.name
            if ignored(name, ignore):
                continue
            path = folder / entry.name
            if entry.is_dir():
                if is_zarr(path):
                    yield from images_of(name, path)
                elif entry.is_symlink():
                    yield Item(name, path)
                else:
                    yield from _walk(path, name + "/", ignore)
            else:
                yield Item(name, path)


def ignored(name: str, ignore: Iterable[str]) -> bool:
    """By the file's own name, or by its relative one."""
    own = name.rpartition("/")[2]
    return any(fnmatch.fnmatch(own, p) for p in (*LITTER, *ignore)) or any(fnmatch.fnmatch(name, p) for p in ignore)


def images_of(name: str, folder: Path) -> list[Item]:
    """An OME-Zarr folder as the images that it holds, each a result of its own: labels, fields of a plate, series.

    The folder itself is one of them, unless all of its arrays belong to images further down.
    """
    found: list[Item] = []
    own = _look_inside(name, folder, "", found, DEPTH)
    return [Item(name, folder), *found] if own or not found else found


def _look_inside(name: str, folder: Path, inside: str, found: list[Item], depth: int) -> bool:
    """Adds the images below; says whether there are arrays that belong to none of them."""
    kind, attributes = _about_zarr(folder)
    if kind == "array":
        return True
    image = "multiscales" in attributes
    own = False
    for path in sorted(p for p in folder.iterdir() if p.is_dir()) if depth else ():
        place = f"{inside}/{path.name}"
        if path.parent.name == "labels" or "multiscales" in _about_zarr(path)[1]:
            if is_zarr(path):
                found.append(Item(name + place, path))
            _look_inside(name, path, place, found, depth - 1)
        else:
            own |= _look_inside(name, path, place, found, depth - 1)
    return own or image


def _about_zarr(folder: Path) -> tuple[str, dict[str, Any]]:
    """array, group or nothing, and what OME says of it, in either version of Zarr."""
    if (folder / ".zarray").is_file():
        return "array", {}
    for name in ("zarr.json", ".zattrs"):
        data = read_json(folder / name) if (folder / name).is_file() else None
        if data is not None:
            attributes = data.get("attributes") if name == "zarr.json" else data
            attributes = attributes if isinstance(attributes, dict) else {}
            inner = attributes.get("ome", attributes)
            return str(data.get("node_type") or "group"), inner if isinstance(inner, dict) else {}
    return "", {}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr image rather than a folder of files."""
    return path.suffix.lower() == ".zarr" or any((path / n).is_file() for n in (".zattrs", ".zgroup", "zarr.json"))


def join(a: Sequence[Item], b: Sequence[Item], first: int = 0) -> list[Pair]:
    """Pairs by relative name; what is left pairs by its signs, then without the ending, where that is unmistakable."""
    alone, of_b = list(a), {item.name: item for item in b}
    found: list[tuple[str, Path | None, Path | None]] = []
    for key in (str, _key, _without_ending):
        there: dict[str, list[Item]] = {}
        for item in of_b.values():
            there.setdefault(key(item.name), []).append(item)
        often = Counter(key(item.name) for item in alone)
        rest = []
        for item in alone:
            same = there.get(key(item.name), [])
            if len(same) == often[key(item.name)] == 1:
                del of_b[same[0].name]
                found.append((item.name, item.path, same[0].path))
            else:
                rest.append(item)
        alone = rest
    found += [(item.name, item.path, None) for item in alone]
    found += [(item.name, None, item.path) for item in of_b.values()]
    return [Pair(first + n, name, one, two) for n, (name, one, two) in enumerate(sorted(found, key=lambda f: f[0]))]


def _key(name: str) -> str:
    """macOS writes an ü as two characters, where other systems have one."""
    return unicodedata.normalize("NFC", name)


def _without_ending(name: str) -> str:
    """Only an image is written in another format, or a table."""
    return f"{kind(name)}/{_key(stem(name))}" if kind(name) else name


def same_link(a: Path, b: Path) -> bool:
    """Whether both are links to the same place, or to the same one in A and B, where it is compared itself."""
    if not (a.is_symlink() and b.is_symlink() and a.is_dir() and b.is_dir()):
        return False
    targets = [path.readlink() for path in (a, b)]
    return targets[0] == targets[1] and (targets[0].is_absolute() or ".." not in targets[0].parts)


def kind_of(pair: Pair) -> str:
    """As `kind`; an OME-Zarr folder need not be called so."""
    zarr = any(path is not None and path.is_dir() and is_zarr(path) for path in (pair.a, pair.b))
    return "image" if zarr else kind(pair.name)


def kind(name: str) -> str:
    """image or table for what the measuring program reads, else empty."""
    lower = name.lower()
    if lower.endswith(IMAGES) or ".zarr/" in lower:
        return "image"
    return "table" if lower.endswith(TABLES) else ""


def stem(name: str) -> str:
    """The relative name without its ending; `.ome.tif` is one ending."""
    for ending in sorted((*IMAGES, *TABLES), key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return str(PurePosixPath(name).with_suffix(""))


def same_start(one: Sequence[str], two: Sequence[str]) -> int:
    """How many of both, from the first on, are the same."""
    return next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def core(name: str) -> str:
    """The stem without what says which result it is: `cell_labels.tif` and `cell_objects.csv` are both `cell`."""
    own = stem(name)
    for role in sorted(ROLES, key=len, reverse=True):
        for mark in "_-. ":
            if own.lower().endswith(mark + role):
                return own[: -len(role) - 1]
    return own
