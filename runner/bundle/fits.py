"""Whether a bundle fits a machine and its disk: system, processor, glibc, the longest path, the room.

Python 3.8 and its standard library: see form.py. Nothing is written here.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

from runner.bundle.form import CONDA, WHEELS, Manifest, Unusable, place_of
from runner.bundle.opened import Opened
from runner.bundle.place import Plan

_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "aarch64": "arm64"}
_SYSTEMS = {"win32": "windows", "darwin": "macos"}
_WINDOWS_PATH = 259  # characters, where long paths are not switched on


class System(NamedTuple):
    """The machine that unpacks, as far as a bundle must fit it."""

    platform: str
    machine: str
    longest_path: int  # 0: long enough
    version: tuple[int, int] = (0, 0)  # of glibc (Linux) or macOS, which wheels ask for; (0, 0): not known, or none

    @classmethod
    def this(cls) -> System:
        name = _SYSTEMS.get(sys.platform, "linux")
        limited = name == "windows" and not _long_paths()
        return cls(name, platform.machine(), _WINDOWS_PATH if limited else 0, _version(name))


def check_system(manifest: Manifest, system: System) -> None:
    """Raises Unusable."""
    made_for, here = (manifest.platform, _machine(manifest.machine)), (system.platform, _machine(system.machine))
    emulated = made_for == ("windows", "x86_64") and here == ("windows", "arm64")
    if made_for != here and not emulated:
        raise Unusable(
            f"it was made for {' '.join(made_for)}, and this machine is {' '.join(here)}. "
            f"Make one for it: run-pipeline bundle ... --platform {here[0]}"
        )
    what, tag = ("glibc", r"manylinux_(\d+)_(\d+)_") if here[0] == "linux" else ("macOS", r"macosx_(\d+)_(\d+)_")
    needed, wheel = max(((_oldest(tag, name), name) for name in manifest.files), default=((0, 0), ""))
    if needed > system.version:
        has = "{}.{}".format(*system.version) if any(system.version) else "not there (such as with musl)"
        raise Unusable(f"{wheel} in it needs {what} {needed[0]}.{needed[1]} or newer; that of this machine is {has}")


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


def _is_wheel(name: str) -> bool:
    return name.startswith(f"{WHEELS}/") and name.endswith(".whl")


def _conda_of(bundle: Opened) -> list[tuple[str, dict[str, Any]]]:
    """By its name, what is noted of each conda environment in it."""
    found = []
    for entry in bundle.manifest.files:
        room, _, name = entry.partition("/")
        if room == CONDA and "/" not in name and name.endswith(".json"):
            with bundle.reading(entry) as stream:
                told = json.loads(stream.read())
                told = {"room": int(told["room"]), "size": int(told["size"]), "longest": str(told["longest"])}
            found.append((name[: -len(".json")], told))
    return found


def _longest_in(bundle: Opened, wheel: str) -> str:
    return max((info.filename for info in bundle.inside(wheel)), key=len, default="")


def _size_in(bundle: Opened, wheel: str) -> int:
    return sum(info.file_size for info in bundle.inside(wheel))


def _machine(name: str) -> str:
    return _MACHINES.get(name.lower(), name.lower())


def _oldest(tag: str, name: str) -> tuple[int, int]:
    """The version that a wheel is content with, by its name; (0, 0) where it asks for none."""
    found = [(int(major), int(minor)) for major, minor in re.findall(tag, name)] if _is_wheel(name) else []
    return min(found, default=(0, 0))


def _version(name: str) -> tuple[int, int]:
    text = platform.mac_ver()[0] if name == "macos" else ""
    if name == "linux":
        kind, told = platform.libc_ver()
        text = told if kind == "glibc" else ""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


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
