"""Files from the cluster: whole or not at all, and never over what somebody made or changed here."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.ground.files import is_full, state_error
from runner.login import agent, names
from runner.login.line import Remote
from runner.login.sent import Known, same_time

_ASKED = 500  # small files asked for in one message
SHUT = -2  # in the place of a size: it may not be read; -1: it is gone
SKIP = (".git", ".venvs", ".venv", "__pycache__")


@dataclass(frozen=True)
class There:
    """A file of the cluster."""

    path: str  # below the lab's folder, with slashes
    size: int
    changed: int
    mode: int


@dataclass
class Brought:
    """What came back."""

    files: int = 0
    bytes: int = 0
    kept: list[str] = field(default_factory=list)  # "ours -> where the cluster's is"
    refused: list[str] = field(default_factory=list)  # names that cannot be here, with why


def listed(
    remote: Remote, base: str, globs: Sequence[str], shut: Callable[[str], None] = lambda folder: None
) -> list[There]:
    """Files that the patterns mean, those of a matched folder too; `shut` is told folders that may not be read.

    Raises Lost, Refusal.
    """
    if not globs:
        return []
    call = remote.open({"op": "walk", "base": base, "globs": list(globs), "skip": SKIP})
    found = [There(*row) for header, _ in call.parts() for row in header["rows"]]
    for folder in call.answer["shut"]:
        shut(folder)
    return found


class Download:
    """Brings files to where `here` says.

    `known`: how what came earlier was then. `theirs`: nobody else writes there.
    """

    def __init__(
        self,
        remote: Remote,
        base: str,
        roots: Sequence[Path],
        here: Callable[[str], Path | None],
        known: Known,
        *,
        platform: str = sys.platform,
        theirs: bool = False,
    ) -> None:
        self.remote, self.base, self.known, self.platform, self.theirs = remote, base, known, platform, theirs
        self._roots = [root.resolve() for root in roots]
        self._here = here
        self._made: set[Path] = set()
        self._inside: dict[Path, bool] = {}
        self.done = Brought()

    def bring(self, files: Sequence[There]) -> Brought:
        """Raises Lost, Refusal, StateError; what came by then stays."""
        twins = names.twins((one.path for one in files), self.platform)
        todo: list[tuple[There, Path]] = []
        for one in files:
            why = names.problem(one.path, self.platform)
            if one.path in twins:
                why = f"for this computer it has the name of {twins[one.path]}"
            target = None if why else self._target(one)
            if why:
                self.done.refused.append(f"{one.path}: {why}")
            elif target:
                todo.append((one, target))
        try:
            small = [pair for pair in todo if pair[0].size <= agent.CHUNK]
            for at in range(0, len(small), _ASKED):
                self._small(small[at : at + _ASKED])
            for one, target in todo:
                if one.size > agent.CHUNK:
                    with self._or_told(one, target):
                        self._large(one, target)
        finally:
            self.known.save()
        return self.done

    def _target(self, one: There) -> Path | None:
        """Where it goes; None where it is there already, or has no place here."""
        own = self._here(one.path)
        if own is None or self._leads_out(own):
            self.done.refused.append(f"{one.path}: it leads out of the folder")
            return None
        beside = self.known.beside(one.path)
        target = own.with_name(beside) if beside else own
        found = _facts(target)
        if found is None:
            return own if _facts(own) is None else target
        if found == (one.size, one.changed) or (found[0] == one.size and same_time(found[1], one.changed)):
            return None
        if self.theirs or self.known.is_ours(one.path, *found):
            return target
        if found[0] == one.size and self._same_content(one, target):
            self.known.note(one.path, *found, beside)
            return None
        other = self._free(own)
        self.done.kept.append(f"{own} differs from the cluster's, which is now {other.name}")
        return other

    def _is_as_listed(self, one: There, told: Sequence[int]) -> bool:
        """A log may grow meanwhile; an output that is another one by now comes with the next look, if it is whole."""
        return self.theirs or (told[1], told[2]) == (one.size, one.changed)

    def _leads_out(self, path: Path) -> bool:
        if path.parent not in self._inside:
            folder = path.parent.resolve()
            self._inside[path.parent] = any(folder == root or root in folder.parents for root in self._roots)
        return not self._inside[path.parent]

    def _same_content(self, one: There, target: Path) -> bool:
        asked = {"op": "hash", "base": self.base, "paths": [[one.path, None]]}
        return bool(self.remote.call(asked)["found"][0] == agent.digest(os.fsencode(target)))

    def _free(self, path: Path) -> Path:
        """`cells (hpc).csv`, `cells (hpc 2).csv`."""
        number = 1
        while True:
            more = f" {number}" if number > 1 else ""
            other = path.with_name(f"{path.stem} ({self.remote.cluster.name}{more}){path.suffix}")
            if _facts(other) is None:
                return other
            number += 1

    def _small(self, pairs: Sequence[tuple[There, Path]]) -> None:
        for number, told, data in _frames(self.remote, self.base, [[one.path, 0] for one, _ in pairs]):
            one, target = pairs[number]
            if told[1] < 0:
                if told[1] == SHUT:
                    self.done.refused.append(f"{one.path}: it may not be read there")
                continue
            with self._or_told(one, target):
                if told[1] != len(data):  # it grew since we looked, and is a large one by now
                    self._large(one, target)
                    continue
                if not self._is_as_listed(one, told):
                    continue
                part = self._part(target, f"{os.getpid():x}")
                with part.open("wb") as stream:
                    stream.write(data)
                self._finish(one, part, target, told)

    def _large(self, one: There, target: Path) -> None:
        """In chunks; goes on with what an earlier try left, if that is the beginning of the file."""
        part = self._part(target, f"{one.size:x}-{one.changed:x}")
        if self.theirs and not part.exists() and target.is_file():  # most likely a log that grew
            shutil.copyfile(target, part)
        have = part.stat().st_size if part.exists() else 0
        if have:
            asked = {"op": "hash", "base": self.base, "paths": [[one.path, have]]}
            if self.remote.call(asked)["found"][0] != agent.digest(os.fsencode(part)):
                have = 0
        told: list[int] = []
        with part.open("ab" if have else "wb") as stream:
            for row, data in _chunks(self.remote, self.base, one.path, have):
                told = row
                stream.write(data)
            size = stream.tell()
        if not told or told[1] != size or not self._is_as_listed(one, told):
            part.unlink()  # it was replaced there while it came; the next look brings it
            return
        self._finish(one, part, target, told)

    @contextlib.contextmanager
    def _or_told(self, one: There, target: Path) -> Iterator[None]:
        """A file that another program has open, or in a folder that is shut, keeps no other away; a full disk does."""
        try:
            yield
        except OSError as error:
            told = state_error("write", target, error)
            if is_full(error):
                raise told from error
            self.done.refused.append(f"{one.path}: {told.message}")

    def _part(self, target: Path, mark: str) -> Path:
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        return target.with_name(f".{target.name[:100]}.{mark}.part~")

    def _finish(self, one: There, part: Path, target: Path, told: Sequence[int]) -> None:
        _, size, changed, mode = told[:4]
        os.utime(part, ns=(changed, changed))
        if sys.platform != "win32" and mode & 0o100:
            part.chmod(stat.S_IMODE(part.stat().st_mode) | 0o111)
        part.replace(target)
        own = self._here(one.path)
        found = _facts(target)
        if found:
            self.known.note(one.path, *found, target.name if own and target.name != own.name else "")
        self.done.files += 1
        self.done.bytes += size


def _facts(path: Path) -> tuple[int, int] | None:
    """Size and time; of what is no regular file, a size that no file has. None where nothing is."""
    try:
        info = path.lstat()
    except OSError:
        return None
    return (info.st_size if stat.S_ISREG(info.st_mode) else -1), info.st_mtime_ns


def _frames(remote: Remote, base: str, paths: list[list[Any]]) -> Iterator[tuple[int, list[int], bytes]]:
    """(which, [which, size, time, mode], content) of small files; of one that grew a part of it."""
    for header, body in remote.open({"op": "get", "base": base, "paths": paths}).parts():
        if "of" in header:
            if not header["end"]:
                continue
            yield header["of"][0], header["of"], b""
            continue
        at = 0
        for row in header["files"]:
            yield row[0], row, body[at : at + row[4]]
            at += row[4]


def _chunks(remote: Remote, base: str, path: str, have: int) -> Iterator[tuple[list[int], bytes]]:
    for header, body in remote.open({"op": "get", "base": base, "paths": [[path, have]]}).parts():
        if "of" in header:
            yield header["of"], body
        elif header["files"][0][1] >= 0:
            row = header["files"][0]
            yield row, body
