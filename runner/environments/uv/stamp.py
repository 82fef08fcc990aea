"""Whether an environment of a uv group is in step with pyproject.toml and uv.lock: the stamp beside it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from runner.environments import Site
from runner.environments.store import machine
from runner.environments.uv.groups import BUILD_FILES, GroupLock, Project, digest, group_lock, lock_file, read_project
from runner.errors import EnvironmentMissing
from runner.ground.disk import is_file, is_folder, on_disk, read_text
from runner.ground.files import write_atomic
from runner.ground.plain import is_link
from runner.ground.told import is_texts, read_json
from runner.host import Host

FORMAT = 1
OWN = "run-pipeline.json"  # inside an environment: the runner made it, whatever became of its stamp
_OF_AN_ENVIRONMENT = frozenset(
    ("bin", "lib", "lib64", "include", "share", "etc", "man", "Scripts", "Lib", "Include")  # folders
) | {"pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock", OWN}


class State(Enum):
    MISSING = "not made yet"
    BEHIND = "out of step"
    MOVED = "made, with a Python that is not there: it was brought here, or that Python went"
    RECHECK = "pyproject.toml or uv.lock changed, but not this group's part"
    IN_STEP = "in step"


@dataclass(frozen=True)
class Place:
    """The environment of one group and Python version."""

    group: str  # normalised
    python: str  # the version asked for, "" for the one that the group's requires-python allows
    folder: PurePath

    @property
    def stamp(self) -> Path:
        """Beside the environment, so that stamping does not touch it."""
        return on_disk(self.folder.with_name(f"{self.folder.name}.json"))

    @property
    def lock(self) -> Path:
        return on_disk(self.folder.with_name(f"{self.folder.name}.lock"))


@dataclass(frozen=True)
class Condition:
    """How an environment stands; `stamp` is what to write once it is in step."""

    state: State
    reason: str
    stamp: Mapping[str, Any] = field(default_factory=dict)


def condition(place: Place, site: Site) -> Condition:
    """Looks at the stamp first: when both files are as they were, nothing is parsed.

    Raises EnvironmentMissing when pyproject.toml or uv.lock is not there or cannot be read.
    """
    old = read_stamp(place)
    if is_whole(place.folder, site.host) and base_is_there(place.folder, site.host):
        return _stamped(old, place, site)
    found = _stamped(old, place, site)
    if found.state in (State.IN_STEP, State.RECHECK) and _lacks_only_its_base(place.folder, site.host):
        return Condition(State.MOVED, State.MOVED.value, found.stamp)
    return _fresh(State.MISSING, "it was not made yet", place, site)


def _stamped(old: Mapping[str, Any] | None, place: Place, site: Site) -> Condition:
    """By the stamp, of an environment that is there."""
    repo = on_disk(site.repo)
    if old is None:
        return _fresh(State.BEHIND, "it was not made to its end", place, site)
    if not made_here(old, site.host):
        return _fresh(State.BEHIND, f"it was made for {old['platform']}", place, site)
    if old["python"] != place.python:
        return _fresh(State.BEHIND, f"it was made for Python {old['python'] or 'of any version'}", place, site)
    if all(digest(repo / name) == known for name, known in old["files"].items()):
        return Condition(State.IN_STEP, "", old)
    fresh = _fresh(State.BEHIND, "the group's part of uv.lock changed", place, site)
    if fresh.stamp["fingerprint"] != old["fingerprint"] or _builds(fresh.stamp) != _builds(old):
        return fresh
    return Condition(State.RECHECK, State.RECHECK.value, fresh.stamp)


def read_stamp(place: Place) -> dict[str, Any] | None:
    """None when there is none, or none of this format."""
    stamp = read_json(place.stamp) or {}
    texts = all(isinstance(stamp.get(name), str) for name in ("group", "platform", "python", "fingerprint"))
    return stamp if stamp.get("format") == FORMAT and texts and is_texts(stamp.get("files")) else None


def is_ours(folder: Path) -> bool:
    """Whether the runner made the environment in `folder`: its stamp says so, or what it left inside."""
    return not is_link(folder) and _made_by_us(folder)


def _made_by_us(folder: Path) -> bool:
    told = (read_json(note) or {} for note in (folder.with_name(f"{folder.name}.json"), folder / OWN))
    return any(one.get("format") == FORMAT and isinstance(one.get("group"), str) for one in told)


def begin(place: Place, host: Host) -> None:
    """Before uv makes or changes it. Raises EnvironmentMissing where uv would empty what the runner did not make.

    What then stands in the stamp's place says whose the environment is, and not that it is in step.
    """
    folder = on_disk(place.folder)
    if is_whole(place.folder, host) and not _made_by_us(folder):  # behind a link, too: a lab may keep them elsewhere
        raise _in_the_way(folder)
    clear_torn(place.folder, host, ours=is_ours(folder))
    write_atomic(place.stamp, whose(place), durable=False)


def write_stamp(place: Place, stamp: Mapping[str, Any]) -> None:
    """Raises StateError."""
    made = datetime.now().astimezone().isoformat(timespec="seconds")
    own = on_disk(place.folder) / OWN
    if not own.exists():  # an environment that is in step is not touched
        write_atomic(own, whose(place), durable=False)
    write_atomic(place.stamp, json.dumps({**stamp, "made": made}, indent=1).encode())


def whose(place: Place) -> bytes:
    """A note that says that the runner made an environment, and for which group."""
    return json.dumps({"format": FORMAT, "group": place.group}).encode()


def note_use(place: Place) -> None:
    """The stamp's time tells when an environment was last used; on a read-only share nobody is told."""
    with contextlib.suppress(OSError):
        os.utime(place.stamp)


def interpreter(folder: PurePath, host: Host) -> PurePath:
    """Where a virtual environment has its Python."""
    return folder / "Scripts" / "python.exe" if host.windows else folder / "bin" / "python"


def venv_settings(folder: PurePath) -> dict[str, str]:
    """pyvenv.cfg as names and values."""
    pairs = (line.partition("=") for line in read_text(folder / "pyvenv.cfg").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def is_whole(folder: PurePath, host: Host) -> bool:
    """Whether `folder` is a virtual environment of its own: with a Python and a pyvenv.cfg that names its base."""
    return is_file(interpreter(folder, host)) and bool(venv_settings(folder).get("home"))


def _lacks_only_its_base(folder: PurePath, host: Host) -> bool:
    """Whether all is there but the Python that it was made from, to which its own is a link or a door."""
    there = os.path.lexists(on_disk(interpreter(folder, host)))
    return there and bool(venv_settings(folder).get("home")) and not is_link(on_disk(folder))


def clear_torn(folder: PurePath, host: Host, *, ours: bool) -> None:
    """Remove what is left of an environment of ours that is not whole, before uv sees it.

    Without a good pyvenv.cfg, `bin/python` is the Python that it was made from, and `uv sync` would take the
    packages out of that one (tried). Raises EnvironmentMissing when the folder holds something else.
    """
    path = on_disk(folder)
    if is_whole(folder, host) or not os.path.lexists(path):
        return
    try:
        if is_link(path) or not path.is_dir():
            raise _in_the_way(path)
        inside = {p.name for p in path.iterdir()}
        if inside and not (ours and inside <= _OF_AN_ENVIRONMENT):
            raise _in_the_way(path)
        import shutil

        shutil.rmtree(path)
    except OSError as error:
        raise EnvironmentMissing(
            f"the broken environment {folder} cannot be removed: {error.strerror or error}",
            "End the programs that use it, check that you may write there, or remove the folder yourself.",
        ) from error


def _in_the_way(folder: Path) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"{folder} is in the way: it is no environment that the runner made", "Move or remove it, then start again."
    )


def base_is_there(folder: PurePath, host: Host) -> bool:
    """Windows' python.exe in an environment is only a door to the Python that it was made from."""
    home = venv_settings(folder).get("home", "")
    return not home or is_folder(host.path(home))


def _fresh(state: State, reason: str, place: Place, site: Site) -> Condition:
    """With the stamp for the files as they are now."""
    repo = on_disk(site.repo)
    # hashed before they are parsed: an edit in between must not be taken for done
    files = {_from_repo(path, repo): digest(path) for path in (repo / "pyproject.toml", lock_file(repo))}
    project = read_project(repo)
    part = group_lock(repo, place.group, project) or GroupLock("", ())
    for folder in part.folders:
        for name in BUILD_FILES:
            path = folder / name
            files[_from_repo(path, repo)] = digest(path)
    stamp = {
        "format": FORMAT,
        "group": place.group,
        "python": place.python,
        "platform": _platform(site.host),
        "fingerprint": part.fingerprint,
        "files": files,
    }
    return Condition(state, reason, stamp)


def _builds(stamp: Mapping[str, Any]) -> dict[str, str]:
    return {n: known for n, known in stamp["files"].items() if n != "pyproject.toml" and not n.endswith("uv.lock")}


def _from_repo(path: Path, repo: Path) -> str:
    try:
        return path.relative_to(repo).as_posix()
    except ValueError:
        return str(path)


def made_here(stamp: Mapping[str, Any], host: Host) -> bool:
    """Whether an environment was made for this system and processor."""
    return bool(stamp["platform"] == _platform(host))


def _platform(host: Host) -> str:
    return f"{host.platform} {machine(host)}"


def python_asked(group: str, version: str, project: Project | None, site: Site) -> str:
    """The version in the YAML, else none where the group has its own rule, else the default that Go had."""
    if version:
        return version
    if project is not None and group in project.requires_python:
        return ""
    return site.host.environ.get("UV_DEFAULT_PYTHON") or site.dotenv.get("UV_DEFAULT_PYTHON") or "3.11"
