"""Environments of a store: made so that they can be moved, on a Python of the store; older ones are moved on."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path, PurePath

from runner.environments.site import Site
from runner.environments.store import read_store
from runner.environments.users import users_of
from runner.environments.uv.binary import find_uv_for_store
from runner.environments.uv.pythons import without_conda
from runner.environments.uv.relocate import base_python, has_fixed_launchers, mend_programs, relocating
from runner.environments.uv.settings import ask_uv, downloads_off, options, settings
from runner.environments.uv.stamp import (
    Place,
    base_is_there,
    interpreter,
    is_ours,
    is_whole,
    made_here,
    read_stamp,
    venv_settings,
)
from runner.environments.uv.variables import unwanted
from runner.errors import Busy, EnvironmentMissing, StateError
from runner.ground.disk import entries, is_folder, on_disk
from runner.model import Command
from runner.state.locks import LockFile

POOL = ".compiled"  # of all environments of this system, compiled files by content; no group's name begins with a dot
# where any would do: of uv's own it would be the newest, for which packages may have no wheels yet
OWN = "{}.{}".format(*sys.version_info)
_OF_THE_STORE = "only-managed"  # another computer may have no other
_PREFERENCES = ("UV_PYTHON_PREFERENCE", "UV_MANAGED_PYTHON", "UV_NO_MANAGED_PYTHON")


def made_to_move(folder: PurePath, python: str, site: Site) -> tuple[Command, ...]:
    """What goes before `uv sync`, which alone makes none that could be moved."""
    if site.store is None:
        return ()
    uv = find_uv_for_store(site)
    if is_whole(folder, site.host) and base_is_there(folder, site.host):
        movable = venv_settings(folder).get("relocatable", "").lower() == "true"
        return () if movable else (relocating(folder, base_python(folder, site.host), site),)
    words = ("venv", "-q", "--relocatable", "--no-project", *(("--python", python) if python else ()), str(folder))
    own = {"UV_PYTHON_PREFERENCE": _OF_THE_STORE} if _wants_own_python(python, site) else {}
    return (
        Command(
            (uv.path, *words, *options(site)),
            str(site.repo),
            {"UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1", "UV_VENV_CLEAR": "1", **own, **without_conda(site.host)},
            unset=unwanted(site.host.environ),
            stop_leader_only=True,
        ),
    )


def compiled(folder: PurePath, site: Site) -> tuple[Command, ...]:
    """What goes after `uv sync`: who may only read the share would compile anew at every start."""
    if site.store is None:
        return ()
    program = Path(__file__).with_name("compiling.py")
    words = (str(interpreter(folder, site.host)), "-I", "-S", "-B", str(program), str(site.environments / POOL))
    return (Command((*words, str(folder)), str(folder.parent), {}, unset=unwanted(site.host.environ)),)


def forget_compiled(site: Site) -> None:
    """Once environments were removed: what no other one has a name of."""
    for path in on_disk(site.environments / POOL).glob("*/*/*.pyc") if site.store else ():
        with contextlib.suppress(OSError):
            if path.stat().st_nlink == 1:
                path.unlink()


def stop_without_store(site: Site, folder: PurePath) -> None:
    """Raises EnvironmentMissing where the store is not there, cannot be used, or lies at another path elsewhere."""
    if site.store is None:
        return
    read_store(site.store.folder)
    host, pythons = site.host, site.host.path(site.store.pythons)
    home = venv_settings(folder).get("home", "")
    tail = host.path(home).parts[-2:] if home else ()
    if not tail or is_folder(host.path(home)) or not is_folder(pythons.joinpath(*tail)):
        return
    there = host.path(home).parent.parent
    raise EnvironmentMissing(
        f"the environment {folder} stands on {home}: other computers see the store's Pythons as {there}, this one as "
        f"{pythons}",
        "Mount the share at the same path everywhere (Windows: name the store by its \\\\server\\share path), or make "
        "a copy for this place: run-pipeline env clone",
    )


def with_any_python(failed: Command) -> tuple[Command, ...]:
    """Where the store has none and none can be fetched: one of this computer, which `mended` tells."""
    if failed.env.get("UV_PYTHON_PREFERENCE") != _OF_THE_STORE:
        return ()
    return (replace(failed, env={name: v for name, v in failed.env.items() if name != "UV_PYTHON_PREFERENCE"}),)


def mended(folder: PurePath, site: Site) -> None:
    """Once it is made or was moved. Raises StateError."""
    if site.store is None:
        return
    mend_programs(folder, site.host)
    python = base_python(folder, site.host)
    pythons = site.host.path(site.host.environ.get("UV_PYTHON_INSTALL_DIR") or site.store.pythons)
    if not python.is_relative_to(pythons):
        version = ".".join(venv_settings(folder).get("version_info", OWN).split(".")[:2])
        site.notes.add(  # the same for all environments on it, and so told once
            f"what is made in the store stands on {python}: another computer needs the same one there, since the store "
            f'has none. `uv python install --install-dir "{pythons}" {version}` puts one into it; what '
            "`run-pipeline env remove` removes is then made on that"
        )


def older(where: Place, site: Site) -> Place | None:
    """Made for this system before its name was in the path, where there is none yet that has it."""
    store = site.store
    if store is None or where.folder.parent.parent != store.environments or on_disk(where.folder).exists():
        return None
    found = replace(where, folder=store.environments / where.folder.name)
    stamp = read_stamp(found)
    if stamp is None or not made_here(stamp, site.host) or not is_ours(on_disk(found.folder)):
        return None
    return found if is_whole(found.folder, site.host) and base_is_there(found.folder, site.host) else None


def all_older(site: Site) -> list[str]:
    """The names of those that were made for this system before its name was in the path."""
    store = site.store
    if store is None or site.environments.parent != store.environments:
        return []
    return [one.name for one in entries(store.environments) if older(Place("", "", site.environments / one.name), site)]


def moving_on(found: Place, where: Place, site: Site) -> tuple[tuple[Command, ...], tuple[str, ...]]:
    """The commands before `uv sync` once it was moved, and the words for that."""
    fixed = has_fixed_launchers(found.folder, site.host)
    return (relocating(where.folder, base_python(found.folder, site.host), site),), ("--reinstall",) if fixed else ()


def move_on(found: Place, where: Place) -> None:
    """Under the lock of `where`, and of the older one. In use it stays as it is: another one is then made."""
    folder, to = on_disk(found.folder), on_disk(where.folder)
    try:
        with LockFile(found.lock, f"environment {folder.name}").acquire(0):
            if to.exists() or not folder.is_dir() or users_of(folder):
                return
            to.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(to)
            found.stamp.unlink(missing_ok=True)
    except (Busy, StateError, OSError):
        return  # a program of Windows, or of another computer, has it open


def _wants_own_python(python: str, site: Site) -> bool:
    """Whether one of the store is to be tried: the user does not say otherwise, and it is there or can be fetched."""
    said = site.host.environ
    if any(said.get(name) for name in _PREFERENCES) or "python-preference" in settings(site).table:
        return False
    words = ("python", "find", "--no-project", "--python-preference", _OF_THE_STORE, *([python] if python else []))
    return not downloads_off(site) or ask_uv(words, site).code == 0
