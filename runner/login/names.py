"""Names of files that go from one system to another: which cannot be, and which would become one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePath, PureWindowsPath

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|\s*$)", re.IGNORECASE)


def problem(path: str, platform: str) -> str:
    """Why a file of this name (relative, with slashes) cannot be on a computer of that kind; "" where it can."""
    parts = path.split("/")
    if path.startswith("/") or not path or ".." in parts or "\0" in path:
        return "it leads out of the folder"
    if any(part in ("", ".") for part in parts):
        return "it is no plain path"
    if platform != "win32":
        return ""
    for part in parts:
        if found := _FORBIDDEN.search(part):
            return f"Windows allows no {found[0]!r} in a name"
        if part.endswith((".", " ")):
            return "on Windows no name ends with a dot or a blank"
        if _DEVICES.match(part):
            return f"{part} is a device of Windows"
        if any("\ud800" <= sign <= "\udfff" for sign in part):
            return "it is no UTF-8"
    return ""


def twins(paths: Iterable[str], platform: str) -> dict[str, str]:
    """Of those that a computer of that kind takes for one name all but the first, with that first."""
    if platform not in ("win32", "darwin"):
        return {}
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for path in paths:
        one = first.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if one != path:
            found[path] = one
    return found


def below(path: PurePath, root: PurePath) -> str | None:
    """`path` as seen from `root`, with slashes; None where it is not in there. On Windows case does not count."""
    try:
        return "/".join(path.relative_to(root).parts)
    except ValueError:
        return None


def as_data(folder: PurePath, computer: str) -> str:
    r"""Where a folder outside the repository lies on the cluster: D:\set 1 of scope-3 is data/scope-3/D/set 1."""
    if isinstance(folder, PureWindowsPath):
        drive = [part for part in re.split(r"[\\/:?]+", folder.drive) if part and part != "."]
        parts = [*drive, *folder.relative_to(folder.anchor).parts]
    else:
        parts = list(folder.relative_to(folder.anchor).parts)
    return "/".join(["data", re.sub(r"[^\w.-]", "-", computer) or "here", *parts])
