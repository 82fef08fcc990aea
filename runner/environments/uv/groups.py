"""The dependency groups of pyproject.toml, and each group's part of uv.lock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.environments.spec import normalised_group
from runner.environments.uv.workspace import load_toml, workspace_root
from runner.errors import EnvironmentMissing

# of a package in a folder of the repository: what decides whether uv builds it again
BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
# of [tool.uv]: what changes an installation although uv.lock stays the same
INSTALL_SETTINGS = (
    "config-settings", "config-settings-package", "extra-build-dependencies", "extra-build-variables", "no-binary",
    "no-binary-package", "no-build", "no-build-package", "no-build-isolation", "no-build-isolation-package",
)  # fmt: skip

_BROKEN_LOCK = (
    "Take it from the repository's history (`git checkout -- uv.lock`), or remove it and run `run-pipeline env "
    "lock`, which chooses all versions anew."
)
_MERGED_LOCK = (
    "It holds the marks of a merge (`<<<<<<<`), and uv cannot read it: take one side whole (`git checkout --ours "
    "uv.lock`, or `--theirs`), then run `run-pipeline env lock`."
)

Table = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """What the runner needs of pyproject.toml; group names normalised."""

    groups: Mapping[str, str]  # normalised -> as written
    requires_python: Mapping[str, str]  # of a group in [tool.uv.dependency-groups], where it has one
    settings: Table = field(default_factory=dict)


@dataclass(frozen=True)
class GroupLock:
    """A group's part of uv.lock."""

    fingerprint: str  # sha256 over packages, versions, sources and hashes
    folders: tuple[Path, ...]  # packages that lie in folders of their own


def read_project(repo: Path) -> Project:
    """pyproject.toml of `repo`. Raises EnvironmentMissing when it is not there or cannot be read."""
    try:
        data = load_toml(repo / "pyproject.toml", "Correct that line of pyproject.toml.")
    except EnvironmentMissing as error:
        if isinstance(error.__cause__, FileNotFoundError):
            error.cure = "uv groups stand in the pyproject.toml of the repository: give the repository with --repo."
        raise
    uv = data.get("tool", {}).get("uv", {})
    own = uv.get("dependency-groups", {})
    groups = {normalised_group(name): name for name in data.get("dependency-groups", {})}
    if "dev-dependencies" in uv:  # uv's older way of writing the group `dev`
        groups.setdefault("dev", "dev")
    requires = {
        normalised_group(name): str(settings["requires-python"])
        for name, settings in own.items()
        if isinstance(settings, dict) and "requires-python" in settings
    }
    return Project(groups, requires, {name: uv[name] for name in INSTALL_SETTINGS if name in uv})


def python_bounds(group: str, repo: Path) -> str:
    """Which Pythons the project and the group allow, as one text; "" where neither says."""
    project = read_project(repo)
    own = load_toml(repo / "pyproject.toml", "").get("project", {}).get("requires-python", "")
    return ",".join(str(bounds) for bounds in (own, project.requires_python.get(group, "")) if bounds)


def lock_file(repo: Path) -> Path:
    """uv.lock, which need not be there. Raises EnvironmentMissing when a pyproject.toml cannot be read."""
    return workspace_root(repo) / "uv.lock"


def no_lock(repo: Path) -> EnvironmentMissing:
    """The error for a uv.lock that is not there."""
    root = workspace_root(repo)
    of = "" if root == repo else f", the workspace that {repo} belongs to ([tool.uv.workspace] of its pyproject.toml)"
    return EnvironmentMissing(f"there is no uv.lock in {root}{of}", "Run `run-pipeline env lock`.")


def digest(path: Path) -> str:
    """sha256 of a file; "" when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def group_lock(repo: Path, group: str, project: Project) -> GroupLock | None:
    """The part of uv.lock that `group` installs; None when uv.lock does not know the group (it is out of date)."""
    found = _wanted_and_packages(repo, group, project)
    if found is None:
        return None
    wanted, parts = found
    root = workspace_root(repo)
    places = [root / place for p in parts for key in ("directory", "editable") if (place := _source(p).get(key))]
    folders = tuple(place for place in places if place != repo)
    content = [wanted, sorted(parts, key=_key), project.requires_python.get(group, ""), project.settings]
    text = json.dumps(content, sort_keys=True, default=str)
    return GroupLock(hashlib.sha256(text.encode()).hexdigest(), folders)


def group_packages(repo: Path, group: str, project: Project) -> list[Table]:
    """The [[package]] tables of uv.lock that `group` installs, for all platforms of the lock.

    Empty when uv.lock does not know the group. Raises EnvironmentMissing when it cannot be read.
    """
    found = _wanted_and_packages(repo, group, project)
    return [] if found is None else found[1]


def _wanted_and_packages(repo: Path, group: str, project: Project) -> tuple[list[Table], list[Table]] | None:
    path = lock_file(repo)
    try:
        lock = load_toml(path, _BROKEN_LOCK)
    except EnvironmentMissing as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise no_lock(repo) from error
        if error.cure is _BROKEN_LOCK and b"\n<<<<<<< " in b"\n" + path.read_bytes():
            error.cure = _MERGED_LOCK
        raise
    packages: list[Table] = lock.get("package", [])
    own = "." if path.parent == repo else repo.relative_to(path.parent).as_posix()
    root = next((p for p in packages if own in (_source(p).get("virtual"), _source(p).get("editable"))), None)
    if root is None:
        return None
    groups = {normalised_group(name): wanted for name, wanted in root.get("dev-dependencies", {}).items()}
    # a group without packages may be left out of the lock
    wanted = groups.get(group, [] if group in project.groups else None)
    if wanted is None:
        return None
    return wanted, list(_closure(packages, wanted))


def _closure(packages: list[Table], wanted: list[Table]) -> Iterator[Table]:
    """Every package that `wanted` needs, with the extras asked for; for all Pythons and platforms of the lock."""
    by_name: dict[str, list[Table]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    seen: set[tuple[str, str]] = set()
    given: set[str] = set()
    waiting = list(wanted)
    while waiting:
        need = waiting.pop()
        for package in by_name.get(need["name"], []):
            if not _is_meant(need, package):
                continue
            if _key(package) not in given:
                given.add(_key(package))
                yield package
            for extra in ["", *need.get("extra", [])]:
                if (_key(package), extra) in seen:
                    continue
                seen.add((_key(package), extra))
                waiting += (
                    package.get("optional-dependencies", {}).get(extra, [])
                    if extra
                    else package.get("dependencies", [])
                )


def _is_meant(need: Table, package: Table) -> bool:
    """A need names version and source only where the lock holds several packages of that name."""
    return ("version" not in need or need["version"] == package.get("version")) and (
        "source" not in need or need["source"] == package.get("source")
    )


def _source(package: Table) -> Table:
    source = package.get("source", {})
    return source if isinstance(source, dict) else {}


def _key(package: Table) -> str:
    return f"{package['name']} {package.get('version', '')} {sorted(_source(package).items())}"
