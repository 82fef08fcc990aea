"""`run-pipeline env --store DIR`: makes a store, tries what its disk can do, and says how to use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.common import ENVIRONMENTS_VARIABLE
from runner.environments import Site
from runner.environments.store import LINKS, NAME, Store, note_store, platform_folder, read_store
from runner.environments.store_look import (
    disk_of,
    why_no_environments,
    why_no_locks,
    why_not_linked,
    why_not_written,
)
from runner.environments.uv.binary import BROKEN_ON_A_SHARE, OLDEST, find_uv_for_store
from runner.environments.uv.files import personal_files
from runner.environments.uv.workspace import load_toml
from runner.errors import EnvironmentMissing, UsageError
from runner.ground.disk import free_space, on_disk
from runner.ground.files import state_errors, write_atomic
from runner.ground.told import read_json
from runner.ground.words import size_text
from runner.site_file import NAME as SITE_FILE
from runner.site_file import site_file_of

if TYPE_CHECKING:
    from tomlkit.items import String

# what may lie in a folder that is to be a store: of its disk or of a system, and its own
_NOTHING = frozenset(("lost+found", "$RECYCLE.BIN", "System Volume Information", "desktop.ini", "Thumbs.db"))
_PARTS = ("cache", "pythons", "environments")
_VARIABLES = ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_LINK_MODE")
_WIDTH = 14


def usable_folder(folder: Path) -> Path:
    """Raises UsageError where it cannot be a store."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "Name a folder for the store.")
    if (folder / NAME).exists():
        return folder
    if not folder.parent.is_dir():
        raise UsageError(f"there is no folder {folder.parent}", "Check that the share is mounted, or make that folder.")
    with state_errors("read", folder):
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if others := [name for name in there if name not in {*_PARTS, *_NOTHING} and not name.startswith(".")]:
        raise UsageError(
            f"{folder} holds other things: {', '.join(others[:3])}{' …' if len(others) > 3 else ''}",
            f"Give the store a folder of its own, such as {folder / 'run-pipeline'}",
        )
    return folder


def show_store(site: Site, asked: Mapping[str, str], *, save: bool) -> int:
    """`asked`: the caller's own variables."""
    store = site.store
    assert store is not None
    told = _told(store)
    version = _uv(site)
    host = site.host
    asked_for = [host.path(host.environ[name]) for name in ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR")]
    parts = [on_disk(part) for part in (store.cache, store.pythons, site.environments, *asked_for)]
    refused = why_not_written(on_disk(store.folder)) if told else ""
    if not refused:
        for part in (on_disk(store.folder), *parts):
            with state_errors("write", part):
                part.mkdir(parents=True, exist_ok=True)
    print(f"Store in {store.folder}{'' if told else ': made now'}")
    for head, text in _found(site, store, refused, version, asked):
        print(f"  {head.ljust(_WIDTH)}{text}")
    for line in _counts_more(site, asked):
        print(f"note: {line}")
    _how_to_use(site, store, save=save)
    return 0


def _told(store: Store) -> bool:
    """Whether it is one already. Raises UsageError where it is none that we can use."""
    if not on_disk(store.folder / NAME).exists():
        return False
    try:
        read_store(store.folder)
    except EnvironmentMissing as error:
        raise UsageError(error.message, error.cure) from error
    return True


def _uv(site: Site) -> str:
    uv = find_uv_for_store(site)
    oldest, broken = ".".join(map(str, OLDEST)), " or ".join(BROKEN_ON_A_SHARE)
    return f"{uv.version}, {uv.path}; needed: {oldest} or newer, but not {broken}"


def _found(site: Site, store: Store, refused: str, uv: str, asked: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    folder, environments = on_disk(store.folder), on_disk(site.environments)
    disk = disk_of(folder)
    free = free_space(folder)
    yield "file system", disk.shown + ("" if free is None else f", {size_text(free)} free")
    cache = on_disk(site.host.path(site.host.environ["UV_CACHE_DIR"]))
    yield "cache", str(cache)
    yield "Pythons", site.host.environ["UV_PYTHON_INSTALL_DIR"]
    yield "environments", str(environments)
    if refused:
        yield "writing", f"not here ({refused}): what is there runs, nothing can be made or changed"
    else:
        yield "writing", "you may"
        why = why_not_linked(cache, environments)
        _note(store, site, links=not why)
        yield "files", _linked(asked.get("UV_LINK_MODE", ""), why)
        if why := why_no_environments(environments, disk_of(environments)):
            raise UsageError(
                f"no environment can lie in {environments}: {why}",
                f"Name a folder on another disk in {SITE_FILE}: [uv] environments = ...",
            )
        why = why_no_locks(cache, disk_of(cache))
        own = "; environments have a lock of their own that needs none of these"
        yield "locks", f"uv's do not hold there: {why}{own}" if why else "uv's hold there (tried)"
    yield "uv", uv


def _note(store: Store, site: Site, *, links: bool) -> None:
    """Raises StateError."""
    known = (read_json(on_disk(store.folder / NAME)) or {}).get(LINKS)
    own = {platform_folder(site.host): links}
    note_store(store.folder, **{LINKS: {**(known if isinstance(known, dict) else {}), **own}})


def _linked(asked: str, why: str) -> str:
    """`asked`: what the caller's UV_LINK_MODE says."""
    if asked == "symlink":
        return "symbolic links, as UV_LINK_MODE says: cleaning the cache breaks every environment; take it away"
    if asked == "copy" and not why:
        return "copies, as UV_LINK_MODE says, though hard links work (tried): take it away"
    if why:
        return (
            f"copies, since hard links from the cache do not work ({why}): each environment takes its full size, and "
            "making one takes about ten times as long. Cache and environments on one file system would mend it"
        )
    return "hard links from the cache (tried): what environments share takes its space once"


def _counts_more(site: Site, asked: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name}={asked[name]} is set in your shell, and counts more" for name in _VARIABLES if name in asked)
    if folder := asked.get(ENVIRONMENTS_VARIABLE) or site.dotenv.get(ENVIRONMENTS_VARIABLE):
        yield f"{ENVIRONMENTS_VARIABLE}={folder} is set; take it away, or runs have their environments there"
    for path in personal_files(site):
        table = load_toml(path, "") if path.is_file() else {}
        keys = [key for key in ("cache-dir", "link-mode") if key in table]
        if keys:
            yield f"{' and '.join(keys)} of {path} do not count where a store is used"


def _how_to_use(site: Site, store: Store, *, save: bool) -> None:
    path = on_disk(site.repo) / SITE_FILE
    said = site_file_of(site)
    text = str(store.folder)
    if said.uv.store and on_disk(site.repo / said.uv.store) == on_disk(store.folder):
        print(f"{' and '.join(map(str, said.files))}: it is used already")
        return
    if not save:
        print(
            f"\nTo use it in each run, write into {path} (--save does):\n\n[uv]\nstore = {_as_toml(text).as_string()}"
        )
        return
    write_atomic(path, with_store(path.read_text(encoding="utf-8-sig") if path.exists() else "", text).encode())
    print(f"Written into {path}: every run of this repository uses it.")
    if others := [file for file in said.files if file != path]:
        print(f"note: {others[-1]} counts more, where it names one")


def with_store(text: str, folder: str) -> str:
    """run-pipeline.toml with that store; all else stays as it is."""
    import tomlkit

    document = tomlkit.parse(text)
    table = document.setdefault("uv", tomlkit.table())
    table["store"] = _as_toml(folder)
    return tomlkit.dumps(document)


def _as_toml(text: str) -> String:
    import tomlkit

    return tomlkit.string(text, literal="\\" in text and "'" not in text)
