"""The environments of uv groups that are on disk: which, how large, in step or not, in use or not."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from runner.environments import Site
from runner.environments.users import in_use, noted_in, users_of
from runner.environments.uv.groups import read_project
from runner.environments.uv.stamp import Place, State, condition, is_ours, read_stamp, whose
from runner.errors import EnvironmentMissing, StateError
from runner.ground.disk import entries, on_disk
from runner.ground.files import write_atomic
from runner.state.holder import Holder
from runner.state.locks import LockFile

_NAME = re.compile(r"(?P<group>.+?)(?:-py(?P<python>[0-9A-Za-z.-]+))?")
_DOOMED = ".removing-"  # what was to be removed, and is no environment any more


@dataclass(frozen=True)
class Environment:
    """One of ours, in `Site.environments`."""

    place: Place
    in_step: bool
    why: str  # it is not in step, "" otherwise
    unused: bool  # no pipeline can ask for it: its group is gone from pyproject.toml
    used: float | None  # seconds since the epoch, None when not known
    preparing: Holder | None  # who prepares it now
    users: list[str]  # on other computers, and jobs that need it

    @property
    def name(self) -> str:
        return self.place.folder.name


def our_environments(site: Site) -> list[Environment]:
    """Sorted by name. Writes nothing."""
    try:
        groups: Collection[str] | None = read_project(on_disk(site.repo)).groups.keys()
    except EnvironmentMissing:
        groups = None
    folder = on_disk(site.environments)
    return [_look(path.name, site, groups) for path in entries(folder) if _is_shown(on_disk(path))]


def left_by_go(site: Site) -> list[Path]:
    """The folders `.venv_GROUP` that the Go runner made; ours to mention and not to touch."""
    return [path for p in entries(site.repo) if p.name.startswith(".venv_") and (path := on_disk(p)).is_dir()]


def size_of(folder: Path) -> int:
    """Bytes on disk of all files below; one with several names (uv links from its cache) counts once."""
    total, seen = 0, set()
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                info = os.lstat(os.path.join(root, name))  # noqa: PTH118  (a hundred thousand files)
                if info.st_nlink == 1 or (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    total += info.st_size
    return total


def remove(environment: Environment, site: Site) -> None:
    """Remove an environment with its stamp. Raises Busy while it is prepared or used, StateError where it cannot."""
    place = environment.place
    folder = on_disk(place.folder)
    with LockFile(place.lock, f"environment {environment.name}").acquire(0):
        if users := users_of(folder):
            raise in_use(f"environment {environment.name}", users)
        if not is_ours(folder):
            raise StateError(f"{folder} is not ours to remove: it changed meanwhile", "Look what it is.")
        doomed = folder.with_name(f"{_DOOMED}{folder.name}")
        note = doomed.with_name(f"{doomed.name}.json")
        try:
            if os.path.lexists(doomed):
                if not is_ours(doomed):
                    raise StateError(f"{doomed} is in the way: the runner did not put it there", "Move it away.")
                shutil.rmtree(doomed)
            write_atomic(note, whose(place), durable=False)
            place.stamp.unlink(missing_ok=True)
            # first out of the way in one step: half an environment must never be found under its name
            folder.rename(doomed)
            shutil.rmtree(doomed)
            note.unlink()
        except OSError as error:
            raise StateError(
                f"{folder} cannot be removed: {error.strerror or error}",
                "End the programs that use it and check that you may write there, then try again.",
            ) from error


def _is_shown(folder: Path) -> bool:
    """Nothing else that somebody put there is shown, or removed; nor what is being removed."""
    return folder.is_dir() and not folder.name.startswith(_DOOMED) and is_ours(folder)


def _look(name: str, site: Site, groups: Collection[str] | None) -> Environment:
    folder = site.environments / name
    found = _NAME.fullmatch(name)
    assert found
    place = Place(found["group"], found["python"] or "", folder)
    stamp = read_stamp(place)
    if stamp is not None:
        place = Place(str(stamp["group"]), str(stamp["python"]), folder)
    unused = groups is not None and place.group not in groups
    in_step, why = False, "its group is no longer in pyproject.toml"
    if not unused:
        try:
            now = condition(place, site)
            in_step, why = now.state in (State.IN_STEP, State.RECHECK), now.reason
            why = "" if in_step else why
        except EnvironmentMissing as error:
            why = error.message
    used = None
    with contextlib.suppress(OSError):
        used = place.stamp.stat().st_mtime
    preparing = LockFile(place.lock, "").held() if place.lock.exists() else None
    users: list[str] = []
    with contextlib.suppress(StateError):
        users = noted_in(on_disk(folder))
    return Environment(place, in_step, why, unused, used, preparing, users)
