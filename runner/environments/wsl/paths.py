"""Windows paths as a WSL distribution sees them.

A drive is mounted under /mnt. A network share is reached only where it is mounted; `wslpath` and /proc/mounts of the
distribution tell where.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_DRIVE = re.compile(r"(?P<letter>[A-Za-z]):(?=[\\/]|$)(?P<rest>.*)", re.DOTALL)
_SHARE = re.compile(
    r"[\\/]{2}(?P<server>[^\\/?*<>|\"]+)[\\/](?P<share>[^\\/?*<>|\"]+)(?P<rest>(?:[\\/].*)?)", re.DOTALL
)
_LONG = re.compile(r"[\\/]{2}\?[\\/](?P<unc>UNC[\\/])?(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
_OPTION = re.compile(r"(?P<option>--?[\w-]+=)(?P<value>.*)", re.DOTALL)
# the servers under which Windows shows the files of its own distributions
_OWN = ("wsl$", "wsl.localhost")


class NotMountedError(Exception):
    """A network share that the distribution does not have; `args[0]` is its root."""


# the root of a share (`\\server\share`) -> where it is mounted, or None
Mounted = Callable[[str], "str | None"]


def to_linux(word: str, mounted: Mounted, distro: str = "default") -> str:
    """`word` with a Windows path (alone, or as the value in `--option=PATH`) made a Linux one, else as it is.

    Raises NotMountedError.
    """
    if option := _OPTION.fullmatch(word):
        return option["option"] + to_linux(option["value"], mounted, distro)
    if long := _LONG.fullmatch(word):
        word = ("\\\\" if long["unc"] else "") + long["rest"]
    if drive := _DRIVE.fullmatch(word):
        return f"/mnt/{drive['letter'].lower()}" + _slashes(drive["rest"])
    if share := _SHARE.fullmatch(word):
        root = rf"\\{share['server']}\{share['share']}"
        if is_own(root):
            if distro != "default" and distro.lower() != share["share"].lower():
                raise NotMountedError(root)
            return _slashes(share["rest"]) or "/"
        place = mounted(root)
        if place is None:
            raise NotMountedError(root)
        return place.rstrip("/") + _slashes(share["rest"])
    return word


def is_own(root: str) -> bool:
    """Whether Windows shows a distribution's own files under this root."""
    return root.lstrip("\\/").replace("/", "\\").split("\\")[0].lower() in _OWN


def mount_of(root: str, mounts: str) -> str | None:
    r"""Where /proc/mounts says that the share `\\server\share` is mounted, as drvfs (WSL 1), 9p (WSL 2) or cifs."""
    wanted = root.replace("\\", "/").lower()
    tail = "unc" + wanted[1:]
    for line in mounts.splitlines():
        fields = [_unescaped(field) for field in line.split(" ")]
        if len(fields) < 4:
            continue
        source = fields[0].replace("\\", "/").lower().rstrip("/")
        options = [part.replace("\\", "/").lower().rstrip("/") for part in re.split("[,;]", fields[3])]
        if source == wanted or f"path={tail}" in options or f"path={wanted}" in options:
            return fields[1]
    return None


def _slashes(text: str) -> str:
    return text.replace("\\", "/")


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)
