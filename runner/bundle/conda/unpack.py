"""Unpacks a conda environment of a bundle below the folder of our environments: whole, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.bundle.conda.pack import FORMAT
from runner.bundle.conda.prefix import Way, replaced, startable
from runner.environments.conda.packed import FOLDER, MARK, note_of, told
from runner.environments.conda.program import python_of
from runner.environments.users import in_use, users_of
from runner.errors import EnvironmentMissing, InTheWay
from runner.ground.disk import on_disk
from runner.ground.files import state_errors, write_atomic
from runner.ground.text import decoded
from runner.host import Host
from runner.state.locks import LockFile

_SCRIPTS = ("bin/", "scripts/")
_SHORTEST = 259  # signs of a path on Windows, where long ones are not switched on


@dataclass(frozen=True)
class Index:
    """What NAME.json of a bundle says of an environment."""

    name: str
    text: str
    platform: str
    archives: tuple[str, ...]
    room: int
    size: int  # bytes, unpacked
    longest: str
    replace: tuple[tuple[str, Way, tuple[str, ...]], ...]
    digest: str  # changes with anything that is in it


def read_index(file: Path) -> Index:
    """Raises EnvironmentMissing where it is damaged."""
    try:
        data = file.read_bytes()
        found: dict[str, Any] = json.loads(data)
        if found["format"] != FORMAT:
            raise ValueError("another version")
        replace = tuple((str(path), Way(way), tuple(map(str, old))) for path, way, old in found["replace"])
        archives = tuple(map(str, found["archives"]))
        digest = hashlib.sha256(data).hexdigest()
        texts = {name: str(found[name]) for name in ("text", "platform", "longest")}
        return Index(
            file.stem,
            archives=archives,
            room=int(found["room"]),
            size=int(found["size"]),
            replace=replace,
            digest=digest,
            **texts,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentMissing(f"{file} is damaged, or of another version", "Unpack the bundle again.") from error


def place_of(index: Index, environments: Path) -> Path:
    """Where it is unpacked to."""
    return environments / FOLDER / index.name


def does_not_fit(index: Index, environments: Path, host: Host, *, long_paths: bool = True) -> str:
    """Why it cannot be unpacked there, in words; "" where it can. Asks nothing and writes nothing."""
    folder = str(place_of(index, environments))
    if 0 < index.room < len(folder.encode()):
        size = len(folder.encode())
        return f"the folder of {index.text} would have {size} bytes, and programs of it have room for {index.room}"
    longest = len(f"{folder}.part/{index.longest}")  # where it is unpacked first
    if host.windows and not long_paths and longest > _SHORTEST:
        return f"a path of {index.text} would have {longest} signs, and Windows takes {_SHORTEST} here: {index.longest}"
    return ""


def unpack(conda: Path, name: str, environments: Path, host: Host) -> Path:
    """Unpacks `name` of the folder `conda` of a bundle; gives the environment's folder.

    One that is there from the same bundle stays. Raises EnvironmentMissing, StateError (a full disk), InTheWay.
    """
    index = read_index(conda / f"{name}.json")
    target = place_of(index, environments)
    if why := does_not_fit(index, environments, host):
        raise EnvironmentMissing(why, "Unbundle to a folder with a shorter path.")
    with state_errors("write", target):
        target.parent.mkdir(parents=True, exist_ok=True)
    lock = LockFile(target.with_name(f"{target.name}.lock"), f"conda environment {name}")
    with lock.acquire():
        if _stands(target, index):
            return target
        part = target.with_name(f"{target.name}.part")
        try:
            with state_errors("write", part):
                _removed(part)
                _extract(conda, index, part)
                for path, way, old in index.replace:
                    _written(part / path, way, old, str(target), path, host)
                (part / MARK).touch()
            _put(part, target, index, host)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    return target


def _stands(target: Path, index: Index) -> bool:
    note = told(target)
    return note.get("whole") is True and note.get("digest") == index.digest and note.get("prefix") == str(target)


def _extract(conda: Path, index: Index, part: Path) -> None:
    part.mkdir()
    for name in index.archives:
        try:
            with tarfile.open(conda / name, "r:gz") as archive:
                archive.extractall(part, filter=_as_packed)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, FileNotFoundError) as error:
            raise EnvironmentMissing(f"{conda / name} is damaged: {error}", "Unpack the bundle again.") from error


def _as_packed(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """Nothing may lie outside; links may lead there, as they did in the environment."""
    return tarfile.tar_filter(member, folder)


def _written(file: Path, way: Way, old: Sequence[str], folder: str, path: str, host: Host) -> None:
    info = file.stat()
    data = file.read_bytes()
    changed = replaced(data, way, old, folder, windows=host.windows)
    if way in (Way.TEXT, Way.FOLDER) and path.lower().startswith(_SCRIPTS):
        changed = startable(changed, folder, windows=host.windows)
    if changed == data:
        return
    file.write_bytes(changed)
    os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))
    if host.platform == "darwin" and way is Way.BINARY:
        # Apple's processors start nothing whose signature is not right
        host.capture(["/usr/bin/codesign", "-s", "-", "-f", str(file)], timeout=60.0)


def _put(part: Path, target: Path, index: Index, host: Host) -> None:
    """`part` becomes `target`, if its Python starts there; what stood there must be ours, and not in use."""
    old, before = target.with_name(f"{target.name}.old"), dict(told(target))
    if target.exists():
        if not before:
            raise InTheWay(f"{target} is there, and is no environment of a bundle", "Move it away.")
        if users := users_of(target):
            raise in_use(f"the conda environment {target}", users)
    note: dict[str, object] = {"text": index.text, "prefix": str(target), "digest": index.digest}
    with state_errors("write", target):
        _removed(old)
        _note(target, {**note, "whole": False})
        if target.exists():
            target.rename(old)
        part.rename(target)
        try:
            _start(target, host)
        except EnvironmentMissing:
            _removed(target)
            if old.exists():
                old.rename(target)
                _note(target, before)
            else:
                on_disk(note_of(target)).unlink()
            raise
        _note(target, {**note, "whole": True})
        _removed(old)


def _removed(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _start(target: Path, host: Host) -> None:
    """Its Python starts, where it has one."""
    python = python_of(target, host)
    if not Path(python).exists():
        return
    got = host.capture([str(python), "-I", "-c", "import sys; print(sys.prefix)"], timeout=120.0)
    if got.code != 0:
        said = got.error or decoded(got.stderr).strip()[-500:]
        cure = "It was made for another machine, or its bundle is damaged. Make it anew where it came from."
        raise EnvironmentMissing(f"the Python of the conda environment {target} does not start: {said}", cure)


def _note(target: Path, note: Mapping[str, object]) -> None:
    write_atomic(on_disk(note_of(target)), json.dumps(note, indent=1, ensure_ascii=False).encode())
