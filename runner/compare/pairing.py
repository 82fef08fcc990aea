"""Files of two folders joined by their relative names."""

from __future__ import annotations

import fnmatch
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runner.compare.results import Pair

# what systems and programs leave about
LITTER = ("Thumbs.db", "desktop.ini", ".DS_Store", ".*", "*.part", "*.tmp")
IMAGES = (
    ".ome.tif",
    ".ome.tiff",
    ".tif",
    ".tiff",
    ".lsm",
    ".png",
    ".jpg",
    ".jpeg",
    ".bmp",
    ".npy",
    ".ome.zarr",
    ".zarr",
)
LABELS = "/labels/"  # between the name of an OME-Zarr image and that of labels in it
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
    """All files below `folder`, sorted; an OME-Zarr image is one item. Links are not followed out of it."""
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
                    yield Item(name, path)
                    yield from labels_inside(name, path)
                elif not entry.is_symlink():
                    yield from _walk(path, name + "/", ignore)
            else:
                yield Item(name, path)


def ignored(name: str, ignore: Iterable[str]) -> bool:
    """By the file's own name, or by its relative one."""
    own = name.rpartition("/")[2]
    return any(fnmatch.fnmatch(own, p) for p in (*LITTER, *ignore)) or any(fnmatch.fnmatch(name, p) for p in ignore)


def labels_inside(name: str, image: Path) -> Iterator[Item]:
    """The label images that an OME-Zarr image holds: results of their own."""
    labels = image / "labels"
    for path in sorted(labels.iterdir()) if labels.is_dir() else ():
        if path.is_dir() and is_zarr(path):
            yield Item(f"{name}{LABELS}{path.name}", path)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr image rather than a folder of files."""
    return path.suffix.lower() == ".zarr" or any((path / n).is_file() for n in (".zattrs", ".zgroup", "zarr.json"))


def join(a: Sequence[Item], b: Sequence[Item], first: int = 0) -> list[Pair]:
    """Pairs by relative name; what is left pairs by name without the ending, where that is unmistakable."""
    of_b = {_key(item.name): item for item in b}
    found: list[tuple[str, Path | None, Path | None]] = []
    alone: list[Item] = []
    for item in a:
        other = of_b.pop(_key(item.name), None)
        if other is None:
            alone.append(item)
        else:
            found.append((item.name, item.path, other.path))
    by_stem: dict[str, list[Item]] = {}
    for item in of_b.values():
        by_stem.setdefault(_key(stem(item.name)), []).append(item)
    for item in alone:
        same = [one for one in by_stem.get(_key(stem(item.name)), ()) if kind(one.name) == kind(item.name) != ""]
        if len(same) == 1 and sum(stem(one.name) == stem(item.name) for one in alone) == 1:
            del of_b[_key(same[0].name)]
            found.append((item.name, item.path, same[0].path))
        else:
            found.append((item.name, item.path, None))
    found += [(item.name, None, item.path) for item in of_b.values()]
    return [Pair(first + n, name, one, two) for n, (name, one, two) in enumerate(sorted(found, key=lambda f: f[0]))]


def _key(name: str) -> str:
    """macOS writes an ü as two characters, where other systems have one."""
    return unicodedata.normalize("NFC", name)


def kind(name: str) -> str:
    """image or table for what the measuring program reads, else empty."""
    lower = name.lower()
    if lower.endswith(IMAGES) or f".zarr{LABELS}" in lower:
        return "image"
    return "table" if lower.endswith(TABLES) else ""


def stem(name: str) -> str:
    """The relative name without its ending; `.ome.tif` is one ending."""
    for ending in sorted((*IMAGES, *TABLES), key=len, reverse=True):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return str(PurePosixPath(name).with_suffix(""))


def core(name: str) -> str:
    """The stem without what says which result it is: `cell_labels.tif` and `cell_objects.csv` are both `cell`."""
    own = stem(name)
    for role in sorted(ROLES, key=len, reverse=True):
        for mark in "_-. ":
            if own.lower().endswith(mark + role):
                return own[: -len(role) - 1]
    return own
