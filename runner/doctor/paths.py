"""Folders that make trouble: too long, with letters beyond ASCII, synchronised by a cloud, on the network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from runner.doctor import Context, Line, check, ok, warning
from runner.host import Host

# characters below the environments' folder: a group's name, and the longest compiled module of the programs here
# (networkx: 130 on Windows); a little more for others
BELOW_ENVIRONMENT = 180
BELOW_OUTPUT = 60  # of a file's own name with its endings
WINDOWS_LONGEST = 259
_LONG_PATHS = r"SYSTEM\CurrentControlSet\Control\FileSystem"
_CLOUDS = ("onedrive", "dropbox", "google drive", "googledrive", "icloud", "nextcloud", "owncloud", "seafile")
_ONEDRIVE = ("OneDrive", "OneDriveCommercial", "OneDriveConsumer")
_NETWORK = ("nfs", "cifs", "smb", "afs", "fuse.sshfs", "lustre", "beegfs", "ceph", "webdav")
_DRIVE_REMOTE = 4  # GetDriveTypeW


@dataclass(frozen=True)
class Place:
    """A folder that a run uses. `below`: how many characters the longest path in it may add."""

    name: str
    path: PurePath
    below: int


def places(context: Context) -> list[Place]:
    """Repository, environments, and the folder of FILE with its outputs."""
    site = context.site
    found = [
        Place("the repository", site.repo, 0),
        Place("the environments' folder", site.environments, BELOW_ENVIRONMENT),
    ]
    if context.pipeline is not None:
        found.append(Place("the pipeline file's folder", context.pipeline.folder, BELOW_OUTPUT))
    found += [Place("the outputs' folder", folder, BELOW_OUTPUT) for folder in context.output_folders()]
    return list({place.path: place for place in reversed(found)}.values())[::-1]


@check(
    "paths",
    "Windows' limit of 259 characters, letters that OpenCV cannot open, and folders of OneDrive stop runs in "
    "ways that are hard to read.",
)
def awkward_paths(context: Context) -> list[Line]:
    """Every kind of trouble once, with the first folder that has it."""
    found = places(context)
    lines = [line for look in (_too_long, _letters, _cloud, _percent) if (line := look(found, context))]
    letters = ", in plain letters" if all(str(place.path).isascii() for place in found) else ""
    return lines or [ok(f"short enough{letters}, and in no folder that a cloud synchronises")]


@check("network drives", "Environments start slowly from a share, and a share can be lost during a run.")
def network_drives(context: Context) -> list[Line]:
    """Environments on the network are slow; data there must be reachable for the whole run."""
    lines = []
    for place in places(context):
        share = on_network(place.path, context.site.host)
        if share and place.below == BELOW_ENVIRONMENT:
            cure = "Set RUN_PIPELINE_ENVS to a folder on a disk of this computer, and UV_CACHE_DIR beside it."
            lines.append(warning(f"{place.name} is on the network ({share}): {place.path}; every start is slow", cure))
        elif share:
            lines.append(ok(f"{place.name} is on the network ({share}), and must stay reachable during a run"))
    return lines or [ok("repository, environments and data are on disks of this computer")]


def _too_long(found: list[Place], context: Context) -> Line | None:
    if not context.site.host.windows or (context.registry(_LONG_PATHS) or {}).get("LongPathsEnabled") == 1:
        return None
    for place in found:
        if len(str(place.path)) + place.below > WINDOWS_LONGEST:
            return warning(
                f"{place.name} has a path of {len(str(place.path))} characters: files in it may go beyond Windows' "
                f"{WINDOWS_LONGEST}: {place.path}",
                "Use a shorter folder, or allow long paths as an administrator: reg add "
                rf"HKLM\{_LONG_PATHS} /v LongPathsEnabled /t REG_DWORD /d 1 /f",
            )
    return None


def _letters(found: list[Place], context: Context) -> Line | None:
    """Only Windows has programs that read paths in an older set of letters."""
    odd = next((place for place in found if not str(place.path).isascii()), None)
    if odd is None or not context.site.host.windows:
        return None
    return warning(
        f"{odd.name} has letters beyond ASCII: {odd.path}; OpenCV and some older programs cannot open files there",
        "Use a folder in plain letters for pipelines with such programs.",
    )


def _cloud(found: list[Place], context: Context) -> Line | None:
    environ = context.site.host.environ
    roots = [context.site.host.path(value) for name in _ONEDRIVE if (value := environ.get(name))]
    for place in found:
        by_name = any(part.lower().startswith(_CLOUDS) for part in place.path.parts)
        if by_name or any(place.path.is_relative_to(root) for root in roots):
            return warning(
                f"{place.name} is synchronised by a cloud: {place.path}; its program locks files while they are "
                "written, and may take them off the disk",
                "Use a folder outside of it, or halt the synchronisation during a run.",
            )
    return None


def _percent(found: list[Place], context: Context) -> Line | None:
    odd = next((place for place in found if "%" in str(place.path)), None)
    if odd is None or not context.site.host.windows:
        return None
    return warning(
        f"{odd.name} has a `%` in its path: {odd.path}; cmd.exe reads it as a variable", "Rename the folder."
    )


def on_network(path: PurePath, host: Host) -> str:
    """What kind of network drive `path` is on, "" for a disk of this computer."""
    if host.windows:
        if str(path).startswith(("\\\\", "//")):
            return "share"
        return "network drive" if _drive_type(path.anchor) == _DRIVE_REMOTE else ""
    import psutil

    mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    return network_type(os.path.realpath(path), mounts)


def network_type(path: str, mounts: Iterable[tuple[str, str]]) -> str:
    """The type of the file system of `path` where that is one of the network; `mounts` are points and types."""
    above = [mount for mount in mounts if path == mount[0] or path.startswith(f"{mount[0].rstrip('/')}/")]
    kind = max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]
    return kind if kind.lower().startswith(_NETWORK) else ""


def _drive_type(anchor: str) -> int:
    """Windows' number for the kind of a drive; 0 elsewhere."""
    import sys

    if sys.platform == "win32" and anchor:
        import ctypes

        return int(ctypes.windll.kernel32.GetDriveTypeW(anchor))
    return 0
