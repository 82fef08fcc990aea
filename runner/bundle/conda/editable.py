"""Packages of an environment that lie outside of it: `pip install -e`, and folders that a .pth file adds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from runner.ground.disk import entries, is_folder, read_text
from runner.host import Host

_CURE = "Install it there without -e, or here (pip install FOLDER), and make the bundle again"


def outside_packages(prefix: Path, folders: Sequence[str], host: Host) -> list[str]:
    """Each in words. A .pth file that names a folder within the environment, or runs Python alone, is none."""
    found: dict[str, str] = {}
    for packages in _site_packages(prefix, host):
        for info in entries(packages, ".dist-info"):
            if folder := _editable(info / "direct_url.json"):
                found[_key(folder)] = f"{info.name.split('-')[0]} lies in {folder} (pip install -e). {_CURE}"
        for file in entries(packages, ".pth"):
            for line in map(str.strip, read_text(file).splitlines()):
                if _leads_out(line, folders, host) and not any(_key(line).startswith(one) for one in found):
                    found[_key(line)] = f"{file.name} adds the folder {line}, which is not part of it. {_CURE}"
    return list(found.values())


def _site_packages(prefix: Path, host: Host) -> list[PurePath]:
    if host.windows:
        return [prefix / "Lib" / "site-packages"]
    found = [folder / "site-packages" for folder in entries(prefix / "lib") if folder.name.startswith("python3")]
    return [folder for folder in found if is_folder(folder)]


def _editable(file: PurePath) -> str:
    """The folder that a package is developed in; "" where it was installed as others are."""
    try:
        told = json.loads(read_text(file) or "{}")
        url = told["url"] if told.get("dir_info", {}).get("editable") is True else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return unquote(urlsplit(str(url)).path) or str(url)


def _leads_out(line: str, folders: Sequence[str], host: Host) -> bool:
    if not line or line.startswith(("#", "import ", "import\t")):
        return False
    path = host.path(line)
    return path.is_absolute() and not any(path.is_relative_to(host.path(folder)) for folder in folders)


def _key(folder: str) -> str:
    return folder.replace("\\", "/").rstrip("/").lower()
