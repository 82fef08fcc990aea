"""Packs a conda environment so that it works in another folder, on a machine without conda.

Of each package an archive, as it came from its channel, so that environments share them and a newer bundle need not
bring them again; one more of what is the environment's own: files that were changed, and what pip installed. conda-pack
takes the package cache's file for one that was changed here, and changes /envs/cellpose in the files of /envs/cell.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runner.bundle.conda.editable import outside_packages
from runner.bundle.conda.files import Member, Survey, sha256, survey
from runner.bundle.conda.prefix import Way
from runner.bundle.conda.records import Record, platform_of, read_records, recipe, subdir
from runner.environments.conda.packages import packages
from runner.environments.conda.packed import folder_name
from runner.host import Host

FORMAT = 1
PACKAGES = "packages"
_LEVEL = 6  # of compression
_TIME = 946684800  # the year 2000; ZIP files, which some programs write, know no time before 1980


@dataclass(frozen=True)
class Licence:
    """What a package says of its licence, and its texts in the package cache."""

    package: str
    version: str
    licence: str
    texts: tuple[Path, ...]


@dataclass(frozen=True)
class PackedConda:
    """An environment in the bundle, or why it is not."""

    name: str
    files: tuple[str, ...]  # below the folder that it was packed into, with slashes; those of others may be among them
    missing: tuple[str, ...]  # in words: it is not there, or not all of it
    notes: tuple[str, ...] = ()  # in words: what is not as the packages brought it, and is packed as it is
    licences: tuple[Licence, ...] = ()

    @property
    def packed(self) -> bool:
        return f"{self.name}.json" in self.files


def pack(
    text: str,
    prefix: Path | None,
    out: Path,
    host: Host,
    platform: str = "",
    machine: str = "",
    go_on: Callable[[], None] = lambda: None,
) -> PackedConda:
    """Packs the environment that segments call `text` into `out`: NAME.json, NAME.txt, NAME.tar.gz, packages/....

    `platform` and `machine` are the bundle's (none: this machine's). `go_on` is called before each file, and raises
    where that is to end.
    Raises OSError where `out` cannot be written.
    """
    name = folder_name(text)
    if prefix is None or not (prefix / "conda-meta").is_dir():
        return PackedConda(name, (), (f"the conda environment {text}: there is none on this machine",))
    out.mkdir(parents=True, exist_ok=True)
    try:
        records = read_records(prefix, host)
        described, licences = f"{name}.txt", tuple(map(_licence, records))
        (out / described).write_text(recipe(records, _from_pip(prefix, host)), encoding="utf-8", newline="\n")
        if not any(record.url for record in records):
            described = ""
        if why := _elsewhere(records, platform, machine):
            return PackedConda(name, _listed(described), (_not_packed(text, why, described),), (), licences)
        found = survey(prefix, records, host)
    except (ValueError, OSError) as error:
        return PackedConda(name, (), (f"the conda environment {text}: it cannot be read: {error}",))
    archives = _archives(found.members, name, out, go_on)
    _write_index(out / f"{name}.json", text, prefix, found, archives, platform_of(records))
    files = (f"{name}.json", *_listed(described), *archives)
    missing = _missing(text, found, outside_packages(prefix, found.folders, host))
    return PackedConda(name, files, missing, _notes(text, found), licences)


def _elsewhere(records: Sequence[Record], platform: str, machine: str) -> str:
    here, there = platform_of(list(records)), subdir(platform, machine) if platform else ""
    return f"it is one of {here}, and the bundle is for {there}" if here and there and here != there else ""


def _not_packed(text: str, why: str, described: str) -> str:
    cure = f"Make it there; its packages: .bundle/conda/{described}" if described else "Make it there."
    return f"the conda environment {text}: {why}. {cure}"


def _listed(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _from_pip(prefix: Path, host: Host) -> Mapping[str, str]:
    found = packages(prefix, host)["pip"]
    assert isinstance(found, dict)
    return found


def _archives(members: Sequence[Member], name: str, out: Path, go_on: Callable[[], None]) -> tuple[str, ...]:
    """Writes an archive for each package and one for the rest; their names."""
    groups: dict[str, list[Member]] = {"": []}
    for member in members:
        groups.setdefault(member.package, []).append(member)
    (out / PACKAGES).mkdir(exist_ok=True)
    named = {_archive_of(package, group) if package else f"{name}.tar.gz": group for package, group in groups.items()}
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done in [pool.submit(_write_archive, out / file, group, go_on) for file, group in named.items()]:
            done.result()
    return tuple(named)


def _archive_of(package: str, group: Sequence[Member]) -> str:
    """By its content: environments that have the same of a package share its archive."""
    told = [(one.path, one.digest, one.link, *_kind(one)) for one in group]
    digest = hashlib.sha256(json.dumps(told).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{PACKAGES}/{re.sub(r'[^A-Za-z0-9._+-]', '_', package)}-{digest}.tar.gz"


def _kind(member: Member) -> tuple[int, int]:
    """Mode, and the time that Python compares with its compiled files; not that at which conda wrote the folder in."""
    info = member.source.lstat()
    written = member.link or (member.package and member.way)
    return (0o755 if info.st_mode & 0o100 else 0o644), _TIME if written else int(info.st_mtime)


def _write_archive(file: Path, group: Sequence[Member], go_on: Callable[[], None]) -> None:
    if file.parent.name == PACKAGES and file.exists():
        return
    part = file.with_name(file.name + ".part")
    # without a time and a name, so that the same content has the same bytes
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member in group:
            go_on()
            _add(archive, member)
    part.replace(file)


def _add(archive: tarfile.TarFile, member: Member) -> None:
    entry = tarfile.TarInfo(member.path)
    entry.mode, entry.mtime = _kind(member)
    if member.link:
        entry.type, entry.linkname = tarfile.SYMTYPE, member.link
        archive.addfile(entry)
    elif member.source.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    elif member.content is None:
        with member.source.open("rb") as stream:
            entry.size = os.fstat(stream.fileno()).st_size
            archive.addfile(entry, stream)
    else:
        data = member.content(member.source.read_bytes())
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))


def _write_index(file: Path, text: str, prefix: Path, found: Survey, archives: Sequence[str], platform: str) -> None:
    replace = [(one.path, one.way.value, one.old) for one in found.members if one.way]
    room = [
        len(old.encode("utf-8", "surrogateescape")) for one in found.members if one.way is Way.BINARY for old in one.old
    ]
    told = {
        "format": FORMAT,
        "text": text,
        "from": str(prefix),
        "platform": platform,
        "archives": archives,
        "own": sha256(file.with_name(f"{file.stem}.tar.gz")),  # all others have theirs in their names
        "room": min(room, default=0),  # bytes that the folder may have; 0: as many as it likes
        "longest": max((one.path for one in found.members), key=len, default=""),
        "size": sum(one.source.lstat().st_size for one in found.members),  # bytes, unpacked
        "replace": replace,
    }
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8", newline="\n")


def _licence(record: Record) -> Licence:
    texts = sorted((record.cache / "info" / "licenses").rglob("*")) if record.cache else []
    return Licence(record.name, record.version, record.licence, tuple(text for text in texts if text.is_file()))


def _missing(text: str, found: Survey, outside: Sequence[str]) -> tuple[str, ...]:
    told = [f"of the conda environment {text}: {one}" for one in outside]
    if found.damaged:
        cure = "Install its package anew (conda install --force-reinstall), and make the bundle again."
        told.append(
            f"of the conda environment {text}: damaged, and not in the package cache: {_some(found.damaged)}. {cure}"
        )
    return tuple(told)


def _notes(text: str, found: Survey) -> tuple[str, ...]:
    words = {
        "changed after they were installed, and packed as they are": found.changed,
        "brought by packages and not there; packed without": found.gone,
        "damaged; taken from the package cache": found.mended,
        "settings of conda and pip, which may hold passwords; they stay here": found.left,
        "variables that `conda env config vars` set; they go along with their values": found.variables,
        "programs that hold the folder of the environment where no package tells how to replace it": found.fixed,
        "links that lead out of the environment, to what must be on the other machine as well": found.outside,
    }
    return tuple(f"conda environment {text}: {what}: {_some(files)}" for what, files in words.items() if files)


def _some(files: Sequence[str], most: int = 5) -> str:
    more = f" and {len(files) - most} more" if len(files) > most else ""
    return ", ".join(files[:most]) + more
