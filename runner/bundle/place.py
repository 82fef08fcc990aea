"""The folder that is unbundled to: what is there, and what is to be written.

Python 3.8 and its standard library: see form.py. Nothing is written here.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runner.bundle.form import KEPT, MANIFEST, Manifest, Unusable, place_of, read_manifest
from runner.bundle.opened import sum_of

LOCK = "lock"  # in KEPT, made before anything else: the folder is ours
UNDER_WAY = "unpacking.json"  # in KEPT: what the unpackings that have not come to their end wrote
BESIDE = ".from-bundle"  # behind the name of a file that the user changed
# what a lab writes into: its own stays, and the bundle's is put beside it
_SETTINGS = (".yaml", ".yml", ".toml", ".env", ".csv", ".txt", ".md")
_OF_NOTHING = hashlib.sha256().hexdigest()
_LOCKED = ("pyproject.toml", "uv.lock")  # the environments are made for these


class Plan(NamedTuple):
    """What unpacking will do; places have slashes and are below the folder."""

    write: tuple[tuple[str, str], ...]  # entry and place
    remove: tuple[str, ...]  # places that an earlier bundle wrote, and this one has not
    kept: tuple[str, ...]  # that the user changed, and that stay
    size: int  # bytes of what is written


def make_plan(manifest: Manifest, folder: Path, told: Callable[[int], None] = lambda size: None) -> Plan:
    """Raises Unusable: a folder that is not ours, files in the way, a base that is not there; OSError."""
    if not is_ours(folder) and _is_filled(folder):
        raise Unusable(f"{folder} is not empty, and no bundle was unpacked there. Name a new folder")
    before, known = _installed(folder), known_files(folder)
    _check_base(manifest, folder)
    write, kept, in_the_way, size = [], [], [], 0
    for name, packed in manifest.files.items():
        place = place_of(name)
        state = _state(folder / place, packed.sha256, known.get(place, set()), told)
        if state == "in the way" or (state == "changed" and not _is_setting(place)):
            in_the_way.append(place)
        elif state == "changed":
            if before.get(place) != packed.sha256:  # else it is the one that the user began with
                kept.append(place)
                write.append((name, place + BESIDE))
        elif state != "there":
            write.append((name, place))
            size += packed.size
    if in_the_way:
        more = f" and {len(in_the_way) - 5} more" if len(in_the_way) > 5 else ""
        raise Unusable(
            f"these files in {folder} are not as a bundle wrote them, and are not overwritten: "
            f"{', '.join(in_the_way[:5])}{more}. Move them away, or unpack in a new folder"
        )
    ours = {place_of(name) for name in (*manifest.files, *manifest.base_files)}
    gone = (place for place in sorted(set(known) - ours) if _state(folder / place, "", known[place], told) == "old")
    return Plan(tuple(write), tuple(gone), tuple(kept), size)


def is_ours(folder: Path) -> bool:
    return os.path.lexists(str(folder / KEPT / LOCK))


def known_files(folder: Path) -> dict[str, set[str]]:
    """The hashes that bundles wrote, by place: of the last that was whole, and of those that did not come to an end."""
    known = {place: {sum_} for place, sum_ in _installed(folder).items()}
    try:
        for place, sums in json.loads((folder / KEPT / UNDER_WAY).read_bytes()).items():
            known.setdefault(place, set()).update((*sums, _OF_NOTHING))  # what a power cut may leave
    except (OSError, ValueError, AttributeError, TypeError):
        pass
    return known


def _installed(folder: Path) -> dict[str, str]:
    try:
        before = read_manifest((folder / KEPT / MANIFEST).read_bytes())
    except (OSError, Unusable):
        return {}
    return {place_of(name): packed.sha256 for name, packed in before.files.items()}


def _check_base(manifest: Manifest, folder: Path) -> None:
    """What a delta takes from the bundle before it. Raises Unusable."""
    if not manifest.base:
        return
    known = known_files(folder)
    for name, packed in manifest.base_files.items():
        place = place_of(name)
        state = _state(folder / place, packed.sha256, known.get(place, set()), lambda size: None)
        if state != "there" and not (state == "changed" and _is_setting(place)):
            raise Unusable(
                f"it holds only what is new since {manifest.base}, and {place} of that is not in {folder} as it was. "
                f"Unpack {manifest.base} there first"
            )


def _state(path: Path, wanted: str, known: set[str], told: Callable[[int], None]) -> str:
    """missing, there (as wanted), old (as a bundle wrote it), changed (by the user) or in the way (no file)."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        behind = any(os.path.lexists(str(one)) and not one.is_dir() for one in path.parents)
        return "in the way" if behind else "missing"
    if not stat.S_ISREG(mode):
        return "in the way"
    with path.open("rb") as stream:
        sum_ = sum_of(stream, told)
    return "there" if sum_ == wanted else "old" if sum_ in known else "changed"


def _is_filled(folder: Path) -> bool:
    """Raises Unusable where it is no folder."""
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise Unusable(f"{folder} is a file, or leads through one. Name a new folder") from error


def _is_setting(place: str) -> bool:
    return place.endswith(_SETTINGS) and place not in _LOCKED and not place.startswith(f"{KEPT}/")
