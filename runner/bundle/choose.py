"""Which files an environment consists of on the target: from its lock, by the target's markers and tags."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from runner.bundle.target import Target
from runner.environments import Locked
from runner.errors import EnvironmentMissing

if TYPE_CHECKING:
    from packaging.pylock import (
        Package,
        PackageArchive,
        PackageDirectory,
        PackageSdist,
        PackageVcs,
        PackageWheel,
        Pylock,
    )

    Artifact = PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist

_LAST_PATCH = 99
_UNSUITABLE = re.compile(r"for package '(?P<name>[^']+)'")


@dataclass(frozen=True)
class Wheel:
    """A file that is taken as it is."""

    name: str  # of the package
    version: str
    file: str
    url: str  # "" where `place` is
    place: Path | None
    hashes: tuple[tuple[str, str], ...]
    size: int = 0  # 0: the lock does not say

    @property
    def shown(self) -> str:
        return f"{self.name} {self.version}".rstrip()

    @property
    def away(self) -> bool:
        """Whether it has to be fetched."""
        return self.place is None


@dataclass(frozen=True)
class Source:
    """What a wheel has to be built from; pip's word for it."""

    name: str
    version: str  # "" where only its build tells
    requirement: str
    kind: str  # for the user: its source distribution, its git repository, the folder ...
    hashes: tuple[tuple[str, str], ...] = ()
    place: Path | None = None  # where it is on this computer

    @property
    def away(self) -> bool:
        """Whether it has to be fetched."""
        return self.place is None

    @property
    def fetched(self) -> bool:
        """Whether pip brings it here, and compares the hash."""
        return self.place is None and bool(self.hashes)

    @property
    def shown(self) -> str:
        return f"{self.name} {self.version}".rstrip()


Part = Wheel | Source


@dataclass(frozen=True)
class Stored:
    """A wheel as it lies in the bundle."""

    name: str  # there: wheels/...
    file: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Chosen:
    """An environment's lock, and of each package that the target needs what it is made from."""

    title: str  # for the user
    python: str
    pylock: Pylock
    parts: tuple[tuple[Package, Part], ...]

    def text(self, stored: Mapping[tuple[Part, str], Stored], below: int) -> str:
        """A pylock.toml that lies `below` folders deep, whose packages lie in the bundle."""
        import tomlkit
        from packaging.pylock import PackageWheel

        packages = []
        for package, part in self.parts:
            one = stored[part, self.python]
            path = "../" * below + one.name
            wheel = PackageWheel(path=path, size=one.size, hashes={"sha256": one.sha256}, name=None)
            bare = replace(package, index=None, vcs=None, directory=None, archive=None, sdist=None, wheels=[wheel])
            packages.append(bare)
        return tomlkit.dumps(replace(self.pylock, packages=packages).to_dict())


def choose(locked: Locked, target: Target, python: str, title: str) -> Chosen:
    """For each patch of `python` that there may be (3.11.0 to 3.11.99). Raises EnvironmentMissing."""
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    try:
        pylock = Pylock.from_dict(tomllib.loads(locked.pylock))
    except (ValueError, PylockValidationError, PylockUnsupportedVersionError) as error:
        raise EnvironmentMissing(f"{title}: its lock is not understood: {error}", "Lock it again.") from error
    found: dict[int, tuple[Package, Part]] = {}
    patches = [python] if python.count(".") == 2 else [f"{python}.{_LAST_PATCH}", f"{python}.0"]
    for number, version in enumerate(patches):
        for package, artifact in _selected(pylock, target, version, title, first=number == 0):
            found.setdefault(id(package), (package, _part(package, artifact, locked.folder, target, version, title)))
    order = {id(package): place for place, package in enumerate(pylock.packages)}
    parts = tuple(found[key] for key in sorted(found, key=lambda key: order[key]))
    return Chosen(title, python, pylock, parts)


def _selected(
    pylock: Pylock, target: Target, version: str, title: str, *, first: bool
) -> Sequence[tuple[Package, Artifact]]:
    from packaging.pylock import PylockSelectError

    try:
        return list(pylock.select(environment=target.markers(version), tags=target.tags(version)))
    except PylockSelectError as error:
        if not first:  # the first patch of a version may be too old for the lock
            return []
        raise _unsuitable(pylock, target, version, title, str(error)) from error


def _unsuitable(pylock: Pylock, target: Target, version: str, title: str, said: str) -> EnvironmentMissing:
    """With what there is of the package, where that is what is wrong."""
    found = _UNSUITABLE.search(said)
    where = f"{target.words}, Python {version.removesuffix(f'.{_LAST_PATCH}')}"
    if not found:
        cure = "Choose another --python."
        if "environments" in said:
            cure = "Name that system under `environments` of [tool.uv] in pyproject.toml, and lock again."
        return EnvironmentMissing(f"{title} cannot be had for {where}: {said[:1].lower()}{said[1:]}", cure)
    packages = [one for one in pylock.packages if one.name == found["name"]]
    names = sorted({wheel.filename for one in packages for wheel in one.wheels or ()})
    shown = "".join(f"\n  {name}" for name in names[-8:]) or " none"
    return EnvironmentMissing(
        f"{title}: of {found['name']} {packages[0].version or ''} there is no wheel for {where}",
        "Choose another --python or --platform (Linux: --glibc), or another version of it. The lock has these"
        f"{' and more' if len(names) > 8 else ''}:{shown}",
    )


def _part(package: Package, artifact: Artifact, folder: Path, target: Target, python: str, title: str) -> Part:
    from packaging.pylock import PackageDirectory, PackageVcs

    version = str(package.version or "")
    if isinstance(artifact, PackageDirectory):
        path = _place(artifact.path, folder)
        path = _below(path, artifact.subdirectory)
        return Source(package.name, version, _requirement(package.name, path), f"the folder {path}", place=path)
    if isinstance(artifact, PackageVcs):
        where = artifact.url or _place(artifact.path or "", folder).as_uri()
        inside = f"#subdirectory={artifact.subdirectory}" if artifact.subdirectory else ""
        word = f"{package.name} @ {artifact.type}+{where}@{artifact.commit_id}{inside}"
        return Source(package.name, version, word, f"its {artifact.type} repository")
    url, place = artifact.url or "", _place(artifact.path, folder) if artifact.path else None
    if url.startswith("file:"):
        url, place = "", Path(url2pathname(urlsplit(url).path))
    file = place.name if place else unquote(urlsplit(url).path.rpartition("/")[2])
    hashes = tuple(sorted(artifact.hashes.items()))
    if not file.endswith(".whl"):
        within = getattr(artifact, "subdirectory", None)
        word = f"{package.name} @ {url}{f'#subdirectory={within}' if within else ''}"
        word = _requirement(package.name, place) if place else word
        return Source(package.name, version, word, "its source distribution", hashes, place)
    _check_tags(file, target, python, title)
    return Wheel(package.name, version or file.split("-")[1], file, url, place, hashes, artifact.size or 0)


def _check_tags(file: str, target: Target, python: str, title: str) -> None:
    """Of a wheel that is named by itself; others were chosen so."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        fits = not parse_wheel_filename(file)[3].isdisjoint(target.tags(python))
    except InvalidWheelFilename:
        fits = False
    if not fits:
        raise EnvironmentMissing(f"{title}: {file} is no wheel for {target.words}", "Name another one for that system.")


def _requirement(name: str, place: Path) -> str:
    return f"{name} @ {place.as_uri()}"


def _place(path: str, folder: Path) -> Path:
    return (folder / path).resolve()


def _below(path: Path, subdirectory: str | None) -> Path:
    return path / subdirectory if subdirectory else path
