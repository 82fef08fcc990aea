"""The folder that is unbundled to: whether a bundle fits this machine and what is there, and what is to be written.

Python 3.8 and its standard library: see form.py. Nothing is written here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from runner.bundle.form import CONDA, KEPT, MANIFEST, WHEELS, Manifest, Unusable, place_of, read_manifest
from runner.bundle.opened import Opened, sum_of

LOCK = "lock"  # in KEPT, made before anything else: the folder is ours
UNDER_WAY = "unpacking.json"  # in KEPT: what the unpackings that have not come to their end wrote
BESIDE = ".from-bundle"  # behind the name of a file that the user changed
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
_SYSTEMS = {"win32": "windows", "darwin": "macos"}
_WINDOWS_PATH = 259  # characters, where long paths are not switched on
# what a lab writes into: its own stays, and the bundle's is put beside it
_SETTINGS = (".yaml", ".yml", ".toml", ".env", ".csv", ".txt", ".md")
_OF_NOTHING = hashlib.sha256().hexdigest()
_LOCKED = ("pyproject.toml", "uv.lock")  # the environments are made for these


class System(NamedTuple):
    """The machine that unpacks, as far as a bundle must fit it."""

    platform: str
    machine: str
    longest_path: int  # 0: long enough

    @classmethod
    def this(cls) -> System:
        name = _SYSTEMS.get(sys.platform, "linux")
        limited = name == "windows" and not _long_paths()
        return cls(name, platform.machine(), _WINDOWS_PATH if limited else 0)


class Plan(NamedTuple):
    """What unpacking will do; places have slashes and are below the folder."""

    write: tuple[tuple[str, str], ...]  # entry and place
    remove: tuple[str, ...]  # places that an earlier bundle wrote, and this one has not
    kept: tuple[str, ...]  # that the user changed, and that stay
    size: int  # bytes of what is written


def check_system(manifest: Manifest, system: System) -> None:
    """Raises Unusable."""
    made_for, here = (manifest.platform, _machine(manifest.machine)), (system.platform, _machine(system.machine))
    emulated = made_for == ("windows", "x86_64") and here == ("windows", "arm64")
    if made_for != here and not emulated:
        raise Unusable(
            f"it was made for {' '.join(made_for)}, and this machine is {' '.join(here)}. "
            f"Make one for it: run-pipeline bundle ... --platform {here[0]}"
        )


def check_paths(bundle: Opened, folder: Path, system: System) -> None:
    """Raises Unusable where the longest path would be too long, or the folder for a program of conda."""
    manifest, conda = bundle.manifest, _conda_of(bundle)
    for name, told in conda:
        size = len(os.fsencode(folder / ".venvs" / ".conda" / name))
        if 0 < told["room"] < size:
            raise Unusable(
                f"the folder of the conda environment {name} in {folder} would have {size} bytes, and its programs "
                f"have room for {told['room']}. Name a folder with a shorter path"
            )
    if not system.longest_path:
        return
    names = [place_of(name) for name in (*manifest.files, *manifest.base_files)]
    deepest = max((one.name for one in manifest.environments), key=len, default="")
    inside = max((_longest_in(bundle, name) for name in manifest.files if _is_wheel(name)), key=len, default="")
    names.append(f".venvs/{deepest}-py{manifest.python}/Lib/site-packages/{inside}")
    names += [f".venvs/.conda/{name}.part/{told['longest']}" for name, told in conda]
    longest = max(names, key=len)
    over = len(str(folder)) + 1 + len(longest) - system.longest_path
    if over > 0:
        raise Unusable(
            f"paths in {folder} would be too long for Windows by {over} characters, such as {longest}. "
            "Name a folder with a shorter path, such as C:\\lab, or have long paths switched on (docs/windows.md)"
        )


def check_space(bundle: Opened, plan: Plan, folder: Path) -> None:
    """Raises Unusable where the disk has no room for what is written and for the environments."""
    needed = plan.size + (sum(_size_in(bundle, name) for name, _ in plan.write if _is_wheel(name)))
    needed += sum(told["size"] for _, told in _conda_of(bundle))
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    try:
        free = shutil.disk_usage(there).free
    except OSError:
        return
    if free < needed:
        raise Unusable(f"{there} has {_size_text(free)} free, and about {_size_text(needed)} are needed")


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


def _is_wheel(name: str) -> bool:
    return name.startswith(f"{WHEELS}/") and name.endswith(".whl")


def _conda_of(bundle: Opened) -> list[tuple[str, dict[str, Any]]]:
    """By its name, what is noted of each conda environment in it."""
    found = []
    for entry in bundle.manifest.files:
        room, _, name = entry.partition("/")
        if room == CONDA and "/" not in name and name.endswith(".json"):
            with bundle.reading(entry) as stream:
                found.append((name[: -len(".json")], json.loads(stream.read())))
    return found


def _longest_in(bundle: Opened, wheel: str) -> str:
    return max((info.filename for info in _inside(bundle, wheel)), key=len, default="")


def _size_in(bundle: Opened, wheel: str) -> int:
    return sum(info.file_size for info in _inside(bundle, wheel))


def _inside(bundle: Opened, wheel: str) -> list[zipfile.ZipInfo]:
    with bundle.reading(wheel) as stream, zipfile.ZipFile(stream) as inner:
        return inner.infolist()


def _machine(name: str) -> str:
    return _MACHINES.get(name.lower(), name.lower())


def _size_text(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _long_paths() -> bool:
    """Whether Windows was told to take paths of more than 259 characters."""
    if sys.platform != "win32":
        return True
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False
