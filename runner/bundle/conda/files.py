"""What a conda environment consists of, file by file, as it is: held against what its packages brought."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from runner.bundle.conda.prefix import Way, hint, plain, undone
from runner.bundle.conda.records import Record, without_secrets
from runner.environments.conda.packed import MARK
from runner.host import Host

# of a base installation: what is no part of its own environment
_NOT_OURS = frozenset({"pkgs", "envs", "conda-bld", ".conda_lock", "conda-recipes", ".index", ".nonadmin"})
# how this machine gets its packages, with passwords at times; nothing there needs it
_SETTINGS = (".condarc", "condarc", "pip.conf", "pip.ini", "conda-meta/.condarc")
_DEPTH = 3  # parts of a path
_SCRIPT = re.compile(rb"\A#!\s*(?:/bin/sh\n'''exec' \")?(/[^\0\n\"]*?)/bin/(python[\w.]*)")


@dataclass(frozen=True)
class Member:
    """A file, a link or an empty folder of the environment."""

    path: str  # below the environment, with slashes
    source: Path
    package: str = ""  # whose it is, unchanged, so that each environment with it has the same; else ""
    digest: str = ""  # where it has a package
    content: Callable[[bytes], bytes] | None = None  # what becomes of the source's bytes
    link: str = ""
    way: Way | None = None  # the folder stands in it: to be replaced there
    old: tuple[str, ...] = ()


@dataclass
class Survey:
    """All of it, and in words what is not as the packages brought it."""

    folders: tuple[str, ...]  # how the environment's folder is written in its files
    members: list[Member] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)  # from the package cache
    damaged: list[str] = field(default_factory=list)  # and the package cache has none
    fixed: list[str] = field(
        default_factory=list
    )  # programs that name the folder, and no package tells how to replace it
    variables: list[str] = field(default_factory=list)  # of `conda env config vars set`
    left: list[str] = field(default_factory=list)  # settings of conda and pip, which stay here
    outside: list[str] = field(default_factory=list)  # links that lead out of it


def survey(prefix: Path, records: Sequence[Record], host: Host) -> Survey:
    """Raises OSError where a folder cannot be read."""
    found = Survey(folders(prefix))
    pattern = hint(found.folders, windows=host.windows)
    spelled = str.lower if host.windows else str
    owned = {spelled(path): (record, entry) for record in records for path, entry in record.paths.items()}
    there = set()
    for path, file in _walk(prefix, prefix):
        there.add(spelled(path))
        if path == MARK:
            continue
        if file.is_symlink():
            _link(path, file, owned, found)
        elif file.is_dir():
            found.members.append(Member(path, file))
        elif path.startswith("conda-meta/") and path.endswith(".json"):
            found.members.append(Member(path, file, content=without_cache))
        elif path == "conda-meta/history":
            member = _file(path, file, None, pattern, found, host)
            found.members.append(replace(member, content=without_secrets))
        elif path == "conda-meta/state":
            found.members.append(_file(path, file, None, pattern, found, host))
            found.variables += _variables(file)
        elif path.lower() in _SETTINGS:
            found.left.append(path)
        elif stat.S_ISREG(file.stat().st_mode):
            found.members.append(_file(path, file, owned.get(spelled(path)), pattern, found, host))
    passing = (".pyc", ".nonadmin")
    found.gone += [path for path in owned if path not in there and not path.endswith(passing)]
    found.members = [member for member in found.members if member.path not in found.damaged]
    return found


def folders(prefix: Path) -> tuple[str, ...]:
    """Every way in which this folder is written in it: by the way of a link, or as it was before it was moved."""
    found = [str(prefix), os.path.realpath(prefix)]
    for script in sorted((prefix / "bin").glob("*")):
        try:
            with script.open("rb") as stream:
                named = _SCRIPT.match(stream.read(1024))
        except OSError:
            continue
        if not named or not (prefix / "bin" / os.fsdecode(named[2])).exists():
            continue
        other = Path(os.fsdecode(named[1]))
        # one that is gone must look like an environment's: /opt would be replaced wherever it stands
        if other.samefile(prefix) if other.exists() else len(other.parts) > _DEPTH:
            found.append(str(other))
    return tuple(dict.fromkeys(found))


def without_cache(data: bytes) -> bytes:
    """A record of conda-meta without the folders of the machine's package cache, and without passwords in addresses."""
    try:
        told = json.loads(without_secrets(data))
    except ValueError:
        return without_secrets(data)
    told |= {name: "" for name in ("extracted_package_dir", "package_tarball_full_path") if name in told}
    if isinstance(told.get("link"), dict):
        told["link"]["source"] = ""
    return json.dumps(told, indent=2, sort_keys=True).encode()


def _variables(state: Path) -> list[str]:
    try:
        return sorted(json.loads(state.read_bytes())["env_vars"])
    except (ValueError, KeyError, TypeError):
        return []


def _walk(folder: Path, prefix: Path) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as listed:
        found = sorted(listed, key=lambda entry: entry.name)
    if not found and folder != prefix:
        yield folder.relative_to(prefix).as_posix(), folder
    for entry in found:
        if folder == prefix and entry.name in _NOT_OURS:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), prefix)
        else:
            yield Path(entry.path).relative_to(prefix).as_posix(), Path(entry.path)


def _link(path: str, file: Path, owned: Mapping[str, tuple[Record, Any]], found: Survey) -> None:
    target = str(file.readlink())
    inside = next((one for one in found.folders if f"{target}/".startswith(f"{one}/")), None)
    if inside is not None:
        # one within the environment needs no folder
        target = os.path.relpath(target.replace(inside, found.folders[0], 1), file.parent)
    if Path(target).is_absolute() or os.path.normpath(f"{path}/../{target}").startswith(".."):
        found.outside.append(f"{path} -> {target}")
    record, _ = owned.get(path, (None, None))
    found.members.append(Member(path, file, record.called if record else "", link=target))


def _file(
    path: str,
    file: Path,
    owned: tuple[Record, Mapping[str, Any]] | None,
    pattern: re.Pattern[bytes],
    found: Survey,
    host: Host,
) -> Member:
    record, entry = owned or (None, {})
    wanted, placeholder = entry.get("sha256"), entry.get("prefix_placeholder")
    if record is None or not wanted or entry.get("path_type") == "softlink":
        return _searched(path, file, pattern, found, host)
    way = Way.BINARY if entry.get("file_mode") == "binary" else Way.TEXT
    way = Way.LAUNCHER if way is Way.BINARY and host.windows else way
    stands = (way, (str(placeholder),)) if placeholder else (None, ())
    try:
        digest = "" if _is_empty(file, entry) else sha256(file)
    except OSError:
        digest = ""
    if digest == wanted:
        return Member(path, file, record.called, wanted, None, "", *stands)
    for folder in found.folders if placeholder and digest else ():
        content = partial(undone, way=way, placeholder=str(placeholder), folder=folder, windows=host.windows)
        for each in (content, lambda data, content=content: content(plain(data))):
            if hashlib.sha256(each(file.read_bytes())).hexdigest() == wanted:
                return Member(path, file, record.called, wanted, each, "", *stands)
    unchanged = digest and digest == entry.get("sha256_in_prefix")
    if unchanged or not digest:
        cached = _in_cache(record, path, str(entry.get("_path") or path), wanted)
        if cached:
            found.mended += [path] if not digest else []
            return Member(path, cached, record.called, wanted, None, "", *stands)
    if not digest:
        found.damaged.append(path)
        return Member(path, file)
    if not unchanged and not path.endswith(".pyc"):
        found.changed.append(path)
    if placeholder and way is Way.BINARY:
        # unchanged, but signed after it was written (macOS), say: room is there for a folder as long as this one
        return Member(path, file, way=way, old=found.folders)
    return _searched(path, file, pattern, found, host)


def _searched(path: str, file: Path, pattern: re.Pattern[bytes], found: Survey, host: Host) -> Member:
    """A file that no package tells of: in a text the folder is replaced, wherever it stands."""
    with file.open("rb") as stream:
        if not os.fstat(stream.fileno()).st_size:
            return Member(path, file)
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            named, binary = pattern.search(data) is not None, data.find(b"\0") >= 0
    if not named:
        return Member(path, file)
    if not binary:
        return Member(path, file, way=Way.FOLDER, old=found.folders)
    if host.windows and path.lower().endswith(".exe"):
        return Member(path, file, way=Way.LAUNCHER, old=found.folders)
    if not path.endswith(".pyc"):  # Python corrects it when it reads one
        found.fixed.append(path)
    return Member(path, file)


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_empty(file: Path, entry: Mapping[str, Any]) -> bool:
    """Nothing of what it should hold is there: cut off at its beginning, or full of NUL bytes after a power failure."""
    if not entry.get("size_in_bytes"):
        return False
    with file.open("rb") as stream:
        start = stream.read(4096)
        return not start.strip(b"\0") and all(not part.strip(b"\0") for part in iter(lambda: stream.read(1 << 20), b""))


def _in_cache(record: Record, path: str, in_package: str, wanted: str) -> Path | None:
    for name in (in_package, path) if record.cache else ():
        assert record.cache is not None
        file = record.cache / name
        try:
            if sha256(file) == wanted:
                return file
        except OSError:
            continue
    return None
