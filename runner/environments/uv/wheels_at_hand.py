"""Files of packages on this machine's own disks: folders of wheels (UV_FIND_LINKS) and indexes that are folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from runner.environments.site import Once, Site
from runner.environments.uv.settings import INDEXES, personal_tables
from runner.environments.uv.uncached import Package
from runner.ground.disk import on_disk, read_text

_FIND_LINKS = "UV_FIND_LINKS"
_NAMED = re.compile(r"[\w.-]+=")
_LINK = re.compile(r"""href=["']([^"'#]+)""", re.IGNORECASE)

Table = Mapping[str, Any]


@Once
def folders_of_wheels(site: Site) -> tuple[Path, ...]:
    """The folders that UV_FIND_LINKS and the user's uv.toml files name."""
    found = site.host.environ.get(_FIND_LINKS, "").split(",")
    repo = on_disk(site.repo)
    places = [(repo, text.strip()) for text in found]
    for path, table in personal_tables(site):
        links = table.get("find-links", [])
        places += [(path.parent, str(text)) for text in ([links] if isinstance(links, str) else links)]
    return tuple(dict.fromkeys(_folders(places)))


@Once
def index_folders(site: Site) -> tuple[Path, ...]:
    """The user's own package indexes that are folders of this machine."""
    repo = on_disk(site.repo)
    words = [word for name in INDEXES for word in site.host.environ.get(name, "").split()]
    places = [(repo, _NAMED.sub("", word, count=1) if _NAMED.match(word) else word) for word in words]
    for path, table in personal_tables(site):
        urls = [table.get("index-url"), *_list(table.get("extra-index-url"))]
        urls += [one.get("url") for one in _list(table.get("index")) if isinstance(one, dict)]
        places += [(path.parent, url) for url in urls if isinstance(url, str)]
    return tuple(dict.fromkeys(_folders(places)))


def at_hand(wanted: Iterable[Package], locked: Sequence[Table], python: tuple[int, int], site: Site) -> list[Package]:
    """Those of `wanted` that have a file there which the lock names and which fits this system and `python`."""
    tables = {(table["name"], str(table.get("version", ""))): table for table in locked}
    folders = (*folders_of_wheels(site), *index_folders(site))
    if not folders:
        return []
    fits = _Fitting(python)
    return [
        one
        for one in wanted
        if not one.address
        and (table := tables.get((one.name, one.version)))
        and any(fits(name) and _is_there(name, size, one.name, folders) for name, size, _ in files_of(table))
    ]


def files_of(table: Table) -> Iterator[tuple[str, int, str]]:
    """Name, size (0: not told) and hash of each file that uv.lock has of a package."""
    source = table.get("sdist")
    for one in (*table.get("wheels", ()), *([source] if isinstance(source, dict) else [])):
        place = one.get("url") or one.get("path") or one.get("filename") or ""
        name = unquote(urlsplit(place).path).rpartition("/")[2]
        yield name, one.get("size", 0), one.get("hash", "")


def is_local(table: Table) -> bool:
    """Whether uv.lock takes the package from this machine's disks."""
    source = table.get("source", {})
    registry = source.get("registry")
    if registry is not None:
        return not str(registry).startswith(("http://", "https://"))
    return not {"git", "url"} & source.keys()


class _Fitting:
    """Whether a file can be installed on this system with that Python."""

    def __init__(self, python: tuple[int, int]) -> None:
        from packaging.tags import compatible_tags, cpython_tags

        self._tags = {*cpython_tags(python), *compatible_tags(python)}

    def __call__(self, name: str) -> bool:
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        if not name.endswith(".whl"):
            return True
        try:
            return not self._tags.isdisjoint(parse_wheel_filename(name)[3])
        except InvalidWheelFilename:
            return False


def _is_there(name: str, size: int, package: str, folders: Iterable[Path]) -> bool:
    """A file that is cut short is none."""
    for folder in folders:
        for path in (folder / name, folder / package / name, *_linked(folder / package, name)):
            if path.is_file() and (not size or path.stat().st_size == size):
                return True
    return False


def _linked(folder: Path, name: str) -> Iterator[Path]:
    """The file of that name to which a page of an index leads."""
    for link in _LINK.findall(read_text(folder / "index.html")):
        if unquote(link).rpartition("/")[2] == name and "://" not in link:
            yield folder / unquote(link)


def _folders(places: Iterable[tuple[Path, str]]) -> Iterator[Path]:
    for base, text in places:
        if text.lower().startswith("file:"):
            text = url2pathname(urlsplit(text).path)
        if text and "://" not in text and (folder := base / text).is_dir():
            yield folder


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
