"""What an installed conda environment really holds: conda-meta joined with the metadata of its Python packages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from runner.environments.spec import normalised_group as normalised
from runner.errors import UsageError
from runner.ground.told import read_json

_METADATA = re.compile(r"site-packages/(?P<folder>[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info))$")
_SUBDIRS = {"win": "win32", "linux": "linux", "osx": "darwin"}
# of every environment: what installs is no part of what is installed
_INSTALLERS = frozenset({"pip", "setuptools", "wheel"})


@dataclass(frozen=True)
class Dist:
    """A Python package as its own metadata names it."""

    name: str
    version: str
    url: str = ""  # where pip fetched it from, when not from an index: with the commit
    editable: bool = False

    @property
    def key(self) -> str:
        return normalised(self.name)


@dataclass(frozen=True)
class CondaPackage:
    """A record of conda-meta."""

    name: str
    version: str
    subdir: str
    python: bool  # it has files below site-packages
    empty: bool = False  # a metapackage: it only names others
    depends: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()  # of its Python packages, relative to the prefix


@dataclass(frozen=True)
class Installed:
    """An environment on the disk."""

    prefix: Path
    python: str  # version, or ""
    packages: Mapping[str, CondaPackage]
    dists: Mapping[str, Dist]  # by normalised name
    owners: Mapping[str, str] = field(default_factory=dict)  # conda name -> key of its dist

    @property
    def platform(self) -> str:
        """As sys.platform has it; "" when the records do not tell."""
        for package in self.packages.values():
            if found := _SUBDIRS.get(package.subdir.partition("-")[0]):
                return found
        return ""

    def dist_of(self, conda_name: str) -> Dist | None:
        """The Python package that conda's package is, or bundles; None when it is none."""
        if key := self.owners.get(conda_name):
            return self.dists.get(key)
        package = self.packages.get(conda_name)
        for needed in package.depends if package else ():
            # matplotlib -> matplotlib-base, dask -> dask-core: the one that carries the name
            if self.owners.get(needed) == normalised(conda_name):
                return self.dists.get(normalised(conda_name))
        if package is None or not package.python:
            return self.dists.get(normalised(conda_name))
        return None

    def brought_along(self, keys: set[str]) -> list[Dist]:
        """All other Python packages of the environment, by name."""
        others = (dist for key, dist in self.dists.items() if key not in keys and key not in _INSTALLERS)
        return sorted(others, key=lambda dist: dist.key)


def read_installed(prefix: Path) -> Installed:
    """The environment at `prefix`. Raises UsageError when there is none."""
    meta = prefix / "conda-meta"
    if not meta.is_dir():
        raise UsageError(
            f"{prefix} is no installed conda environment: it has no folder conda-meta",
            "Give --prefix an environment's name or its folder, as `conda env list` shows them.",
        )
    packages = {package.name: package for path in sorted(meta.glob("*.json")) if (package := _record(path))}
    dists: dict[str, Dist] = {}
    for folder in _site_packages(prefix):
        for info in sorted([*folder.glob("*.dist-info"), *folder.glob("*.egg-info")]):
            if dist := _dist(info):
                dists[dist.key] = dist
    owners = {}
    for package in packages.values():
        files = [prefix / name for name in package.metadata]
        infos = [file if file.name.endswith(".egg-info") else file.parent for file in files]
        own = [dist.key for info in infos if (dist := _dist(info))]
        if own:
            owners[package.name] = normalised(package.name) if normalised(package.name) in own else own[0]
    python = packages["python"].version if "python" in packages else ""
    return Installed(prefix, python, packages, dists, owners)


def _record(path: Path) -> CondaPackage | None:
    data = read_json(path)
    if data is None or "name" not in data:
        return None  # half-written by a conda that was killed
    files = [str(name).replace("\\", "/") for name in data.get("files", [])]
    return CondaPackage(
        name=str(data["name"]).lower(),
        version=str(data.get("version", "")),
        subdir=str(data.get("subdir", "")),
        python=any("site-packages/" in name for name in files),
        empty=not files,
        depends=tuple(str(need).split()[0].lower() for need in data.get("depends", []) if str(need).split()),
        metadata=tuple(name for name in files if _METADATA.search(name)),
    )


def _dist(info: Path) -> Dist | None:
    """Name and version as METADATA has them: conda's own may be others."""
    file = next((path for path in (info / "METADATA", info / "PKG-INFO", info) if path.is_file()), None)
    if file is None:
        return None
    fields: dict[str, str] = {}
    with file.open(encoding="utf-8", errors="replace") as stream:
        for line in takewhile(str.strip, stream):  # what follows the first empty line is the description
            key, colon, value = line.partition(":")
            if colon and not key.startswith((" ", "\t")):
                fields.setdefault(key.strip().lower(), value.strip())
    if "name" not in fields or "version" not in fields:
        return None
    return Dist(fields["name"], fields["version"], *_source_url(read_json(info / "direct_url.json") or {}))


def _source_url(direct: dict[str, Any]) -> tuple[str, bool]:
    """PEP 610: a git commit as pip writes it, or a file's address. conda's own build folders are none."""
    url = str(direct.get("url", ""))
    if vcs := direct.get("vcs_info"):
        commit = vcs.get("commit_id", "")
        return f"{vcs.get('vcs', 'git')}+{url}" + (f"@{commit}" if commit else ""), False
    if "archive_info" in direct:
        return ("", False) if url.startswith("file:") else (url, False)
    return "", bool(direct.get("dir_info", {}).get("editable"))


def _site_packages(prefix: Path) -> list[Path]:
    folders = [prefix / "Lib" / "site-packages", *sorted((prefix / "lib").glob("python3*/site-packages"))]
    found: dict[tuple[int, int], Path] = {}
    for folder in folders:
        if folder.is_dir():
            info = folder.stat()
            found.setdefault((info.st_dev, info.st_ino), folder)  # Lib and lib are one on Windows
    return list(found.values())
