"""What conda wrote down of an environment's packages: conda-meta/*.json."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.ground.disk import entries, on_disk, read_text
from runner.host import Host

# in addresses of packages: a name and a password, a token of anaconda.org
_SECRETS = re.compile(rb"(https?://)[^/@\s\"]+@"), re.compile(rb"(https?://[^/\s\"]+)/t/[^/\s\"]+(?=/)")
_SYSTEMS = {"windows": "win", "macos": "osx", "linux": "linux"}
_MACHINES = {"x86_64": "64", "amd64": "64", "x86": "32", "arm64": "arm64", "aarch64": "aarch64"}


@dataclass(frozen=True)
class Record:
    """A package as it was installed."""

    file: Path
    name: str
    version: str
    build: str
    subdir: str  # linux-64, or noarch
    url: str
    md5: str
    licence: str
    cache: Path | None  # where the package was unpacked, if it is there still
    paths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by their names in the environment

    @property
    def called(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"


def read_records(prefix: Path, host: Host) -> list[Record]:
    """Those of all packages. Raises ValueError, which names the file, where one cannot be read."""
    found = []
    for file in entries(prefix / "conda-meta", ".json"):
        try:
            told = json.loads(read_text(file))
            found.append(_record(on_disk(file), told, host))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{file} is damaged") from error
    return found


def without_secrets(data: bytes) -> bytes:
    for secret in _SECRETS:
        data = secret.sub(rb"\1", data)
    return data


def platform_of(records: list[Record]) -> str:
    """What the environment is for, in conda's words (linux-64); "" where all packages run everywhere."""
    return next((record.subdir for record in records if record.subdir not in ("", "noarch")), "")


def subdir(platform: str, machine: str) -> str:
    """conda's word for a platform of a bundle: ("macos", "arm64") -> osx-arm64."""
    machine = "arm64" if platform != "linux" and machine.lower() == "aarch64" else machine.lower()
    machine = "aarch64" if platform == "linux" and machine == "arm64" else machine
    return f"{_SYSTEMS.get(platform, platform)}-{_MACHINES.get(machine, machine)}"


def recipe(records: list[Record], from_pip: Mapping[str, str]) -> str:
    """The packages as `conda list --explicit` tells them: `conda create --name NAME --file FILE` makes it again."""
    lines = ["# conda create --name NAME --file THIS_FILE", f"# platform: {platform_of(records) or 'noarch'}"]
    lines += [f"# then: pip install {name}=={version}" for name, version in from_pip.items()]
    lines.append("@EXPLICIT")
    for record in records:
        url = without_secrets(record.url.encode()).decode()
        lines.append(f"{url}#{record.md5}" if record.md5 else url)
    return "\n".join(lines) + "\n"


def _record(file: Path, told: dict[str, Any], host: Host) -> Record:
    source = str((told.get("link") or {}).get("source") or told.get("extracted_package_dir") or "")
    cache = Path(source) if source and Path(source).is_dir() else None
    listed = [str(path).replace("\\", "/") for path in told.get("files") or ()]
    data = (told.get("paths_data") or {}).get("paths") or ()
    packages = next((path[: path.index("site-packages/")] for path in listed if "site-packages/" in path), "")
    scripts = "Scripts" if host.windows else "bin"
    paths: dict[str, Mapping[str, Any]] = {path: {} for path in listed}
    for each in data:
        # as it is in the package, where that holds Python alone
        path = re.sub(r"\Asite-packages/", f"{packages}site-packages/", str(each["_path"]).replace("\\", "/"))
        paths[re.sub(r"\Apython-scripts/", f"{scripts}/", path)] = each
    texts = {name: str(told.get(name) or "") for name in ("name", "version", "build", "subdir", "url", "md5")}
    return Record(file, licence=str(told.get("license") or ""), cache=cache, paths=paths, **texts)
