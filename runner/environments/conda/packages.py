"""What a conda environment holds, read from its files without starting anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath

from runner.ground.disk import entries, is_folder, on_disk, read_text
from runner.host import Host

_CHANNEL = re.compile(rb'"channel"\s*:\s*"([^"\\]*)"')
_DIST_INFO = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)\.dist-info")


def packages(prefix: PurePath, host: Host) -> Mapping[str, object]:
    """{"packages": {name: version}, "builds": …, "channels": …, "pip": {name: version}}, each sorted by name."""
    versions: dict[str, str] = {}
    builds: dict[str, str] = {}
    channels: dict[str, str] = {}
    for record in entries(prefix / "conda-meta", ".json"):
        parts = record.name.removesuffix(".json").rsplit("-", 2)
        if len(parts) != 3:
            continue
        name, versions[parts[0]], builds[parts[0]] = parts
        if channel := _channel(record):
            channels[name] = channel
    return {"packages": versions, "builds": builds, "channels": channels, "pip": _from_pip(prefix, host)}


def _channel(record: PurePath) -> str:
    try:
        with on_disk(record).open("rb") as file:
            start = file.read(4096)
    except OSError:
        return ""
    if found := _CHANNEL.search(start):
        return found[1].decode("utf-8", errors="replace")
    try:
        data = json.loads(read_text(record))
    except (ValueError, RecursionError):
        return ""
    return str(data.get("channel", "")) if isinstance(data, dict) else ""


def _from_pip(prefix: PurePath, host: Host) -> dict[str, str]:
    found: dict[str, str] = {}
    for folder in _site_packages(prefix, host):
        for entry in entries(folder, ".dist-info"):
            named = _DIST_INFO.fullmatch(entry.name)
            if named and read_text(entry / "INSTALLER").strip() != "conda":
                found[named["name"].replace("_", "-").lower()] = named["version"]
    return dict(sorted(found.items()))


def _site_packages(prefix: PurePath, host: Host) -> list[PurePath]:
    if host.windows:
        return [prefix / "Lib" / "site-packages"]
    pythons = [entry for entry in entries(prefix / "lib") if re.fullmatch(r"python3\.\d+", entry.name)]
    return [entry / "site-packages" for entry in pythons if is_folder(entry / "site-packages")]
