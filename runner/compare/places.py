"""Where a segment puts its results: its declared `outputs:`, else the folders that its output flags name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.compare.pairing import Item, ignored, images_of, is_zarr, items_below
from runner.ground.patterns import fits, fixed_part, full_pattern, unescaped
from runner.inputs.flags import output_values
from runner.items.globs import output_globs
from runner.pipeline.tokens import ITEM_TOKEN
from runner.tasks import Task


@dataclass(frozen=True)
class Place:
    """A folder with results; `patterns` are absolute globs, none for everything in it."""

    root: Path
    patterns: tuple[str, ...] = ()
    file: str = ""  # the name, where the place is one file

    def takes_in(self, folder: Path, names: Iterable[str]) -> bool:
        """Whether the place would hold files of these names in a folder, or the whole folder."""
        root = self.root.resolve()
        if self.file or not folder.is_relative_to(root):
            return False
        own = folder.relative_to(root).parts
        paths = [own[:end] for end in range(1, len(own) + 1)] + [(*own, name) for name in names]
        patterns = [Path(fixed_part(pattern)[1]).parts for pattern in self.patterns]
        return not patterns or any(fits(path, pattern) for path in paths for pattern in patterns)


def places_of(job: Task) -> list[Place]:
    """In the order of the pipeline file; empty when the segment tells none. Of a segment over items: of all of them."""
    return _declared(job) or _flagged(job)


def _declared(job: Task) -> list[Place]:
    found: dict[tuple[Path, str], list[str]] = {}
    for pattern in output_globs(job.outputs, job.many, job.cwd, job.base, job.folder):
        full = full_pattern(pattern, job.cwd)
        root, rest = fixed_part(full)
        found.setdefault((root, "" if rest else Path(unescaped(full)).name), []).append(full)
    return [Place(root, () if file else tuple(patterns), file) for (root, file), patterns in found.items()]


def _flagged(job: Task) -> list[Place]:
    found: list[Place] = []
    for value in output_values(job.entries):
        if job.many and ITEM_TOKEN.search(value):
            found += _declared(replace(job, outputs=(glob.escape(value),)))
            continue
        path = Path(os.path.abspath(os.path.join(job.cwd, os.path.expanduser(value))))  # noqa: PTH100, PTH111, PTH118
        is_file = path.is_file() or (not path.is_dir() and path.suffix != "")
        place = Place(path.parent, (), path.name) if is_file else Place(path)
        if place not in found:
            found.append(place)
    return found


def items_of(place: Place, ignore: Sequence[str]) -> list[Item]:
    """What is there now; names relative to the place's folder."""
    if place.file:
        path = place.root / place.file
        return images_of(place.file, path) if path.is_dir() else [Item(place.file, path)] * os.path.lexists(path)
    if not place.root.is_dir():
        return []
    if not place.patterns:
        return items_below(place.root, ignore)
    found: dict[str, Item] = {}
    for pattern in place.patterns:
        for text in glob.iglob(pattern, recursive=True):  # noqa: PTH207  (absolute patterns)
            path = Path(text)
            name = path.relative_to(place.root).as_posix()
            around = (p for p in path.parents if p != place.root and p.is_relative_to(place.root))
            if ignored(name, ignore) or any(map(is_zarr, around)):
                continue
            if not path.is_dir() or is_zarr(path):
                found |= {item.name: item for item in (images_of(name, path) if path.is_dir() else [Item(name, path)])}
            elif "**" not in pattern:
                found |= {f"{name}/{i.name}": Item(f"{name}/{i.name}", i.path) for i in items_below(path, ignore)}
    return sorted(found.values(), key=lambda item: item.name)
