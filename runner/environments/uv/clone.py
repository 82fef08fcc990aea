"""A store brought to another share: copied, made right there, each environment verified by running it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.environments.site import Site
from runner.environments.store import LINKS, NAME, platform_folder, read_store, store_at
from runner.environments.uv.copying import Copier, distinct_bytes
from runner.environments.uv.relocate import base_python, has_fixed_launchers, relocated
from runner.environments.uv.stamp import OWN, interpreter, made_here, venv_settings
from runner.environments.uv.verified import SMALL, starts, verify
from runner.errors import RunnerError, StateError, UsageError
from runner.ground.away import Shares
from runner.ground.disk import entries, free_space, on_disk
from runner.ground.files import replace_whole, state_error, write_atomic
from runner.ground.told import read_json, write_json
from runner.ground.words import size_text
from runner.state.locks import LockFile

_PART = ".cloning-"  # what is not whole yet
_NOT_CACHED = ("interpreter-", "environments-", "builds-", ".")  # of uv's cache: what is of one computer, locks
_OF_ITS_PLACE = ("bin/*", "lib/pkgconfig/*.pc", "lib/python*/_sysconfigdata*.py", "lib/python*/config-*/Makefile")
_EACH = 10.0  # seconds between two words of how far it is


@dataclass(frozen=True)
class Cloned:
    """What became of an environment."""

    name: str  # linux-x86_64/segment_er-py3.11
    size: int  # bytes of its distinct files
    state: str
    good: bool = True


@dataclass(frozen=True)
class _Environment:
    """One in the source."""

    name: str  # its folder, below `environments`
    folder: Path
    runs_here: bool  # it is of this system

    @property
    def stamp(self) -> Path:
        return _stamp_of(self.folder)

    @property
    def lock(self) -> LockFile:
        return LockFile(self.folder.with_name(f"{self.folder.name}.lock"), f"environment {self.name}")


class Clone:
    """`tell` hears what is done, line by line."""

    def __init__(self, source: Path, target: Path, site: Site, tell: Callable[[str], None]) -> None:
        """Raises UsageError, EnvironmentMissing where there is no store."""
        given, source, target = source, Path(os.path.realpath(source)), Path(os.path.realpath(target))
        self._about = {name: value for name, value in read_store(source).items() if name != LINKS}  # of its own disk
        if source == target or source in target.parents or target in source.parents:
            raise UsageError(f"{source} and {target} lie one in the other", "Name a folder that is apart.")
        self._site, self._tell = site, tell
        self._source, self._target = source, target
        old, new = store_at(source), store_at(target)
        self._old_pythons, self._new_pythons = Path(old.pythons), Path(new.pythons)
        self._old_environments, self._new_environments = Path(old.environments), Path(new.environments)
        self._copier = Copier(target, self._progress, {source, given.absolute()})
        self._shares = Shares((source, target), tell)
        self._bytes, self._all, self._told = 0, 0, time.monotonic()

    @property
    def environments(self) -> tuple[Path, Path]:
        """The folders of both."""
        return self._old_environments, self._new_environments

    def run(self, *, cache: bool) -> list[Cloned]:
        """What became of each environment. Raises StateError, Busy."""
        try:
            self._target.mkdir(parents=True, exist_ok=True)
            with LockFile(self._target / ".clone.lock", f"a clone in {self._target}").acquire(0):
                self._shares.gone()  # from now on both are there
                return self._shares.patiently(lambda: self._run(cache=cache))  # it goes on where it was
        except OSError as error:
            raise state_error("write", Path(error.filename or self._target), error) from error

    def _run(self, *, cache: bool) -> list[Cloned]:
        environments = list(self._environments())
        for one in environments:
            self._python_of(one)  # so that all places are known that the store had
        self._has_room(environments, cache=cache)
        for path in entries(self._old_pythons):
            self._python(on_disk(path))
        done = []
        for number, one in enumerate(environments, 1):
            self._tell(f"{number} of {len(environments)}: {one.name}")
            done.append(self._environment(one))
        for folder in self._old_environments.glob("*/.kernels/*"):  # what Jupyter needs, beside the environments
            self._tree(folder, self._new_environments / folder.relative_to(self._old_environments))
        if cache:
            self._cache()
        if not (self._target / NAME).exists():
            write_json(self._target / NAME, self._about)
        return done

    def _environments(self) -> Iterator[_Environment]:
        """Sorted by name; also those that older versions put beside the folders of the systems."""
        root, own = self._old_environments, platform_folder(self._site.host)
        for folder in sorted({*root.glob("*"), *root.glob("*/*"), *root.glob("*/.scripts/*")}):
            if folder.name.startswith(".") or folder.is_symlink() or not folder.is_dir():
                continue
            name, told = folder.relative_to(root), read_json(_stamp_of(folder)) or {}
            if told.get("group") or told.get("script") or (folder / OWN).is_file():
                here = made_here(told, self._site.host) if "platform" in told else name.parts[0] == own
                yield _Environment(name.as_posix(), folder, here)

    def _has_room(self, environments: list[_Environment], *, cache: bool) -> None:
        missing = [one.folder for one in environments if not self._is_done(one)]
        missing += [on_disk(p) for p in entries(self._old_pythons) if not (self._new_pythons / p.name).exists()]
        missing += [self._source / "cache"] if cache else []
        self._all, free = distinct_bytes(missing), free_space(self._target)
        if free is not None and free < self._all:
            raise StateError(
                f"{self._target} has {size_text(free)} free, and the clone takes {size_text(self._all)}",
                "Free some space there, or remove environments that nobody needs: run-pipeline env remove --unused.",
            )
        self._tell(f"{size_text(self._all)} to copy")

    def _progress(self, size: int) -> None:
        self._bytes += size
        if time.monotonic() - self._told > _EACH:
            self._told = time.monotonic()
            self._tell(f"   {size_text(self._bytes)} of {size_text(self._all)}")

    # interpreters

    def _python(self, path: Path) -> None:
        """An interpreter, or uv's link from a minor version to one."""
        if not path.name.startswith("."):
            self._tree(path, self._new_pythons / path.name, self._say_new_place)

    def _say_new_place(self, part: Path) -> None:
        """What an interpreter says of where it is, for those who build packages with it."""
        for path in (path for pattern in _OF_ITS_PLACE for path in part.glob(pattern)):
            if not path.is_file() or path.stat().st_size > SMALL or not path.resolve().is_relative_to(part.resolve()):
                continue  # through a link, it is not ours to write
            text = before = path.read_bytes()
            for place in () if b"\0" in text else self._copier.sources:
                text = text.replace(os.fsencode(place / "pythons"), os.fsencode(self._new_pythons))
            if text != before:
                replace_whole(path, text, durable=False)

    def _python_of(self, one: _Environment) -> Path:
        """That in the target which stands for the one that it was made from; what is not of the store stays."""
        base = on_disk(base_python(one.folder, self._site.host))
        for place in range(len(base.parts) - 2, 0, -1):
            if base.parts[place] == "pythons" and os.path.lexists(self._old_pythons / base.parts[place + 1]):
                self._copier.sources.add(Path(*base.parts[:place]))
                return self._new_pythons.joinpath(*base.parts[place + 1 :])
        return base

    # environments

    def _environment(self, one: _Environment) -> Cloned:
        to = self._new_environments / one.name
        to.parent.mkdir(parents=True, exist_ok=True)
        with LockFile(to.with_name(f"{to.name}.lock"), f"environment {one.name}").acquire(None, self._waits):
            if self._is_done(one):
                self._copier.known(one.folder, to)
                return Cloned(one.name, distinct_bytes([to]), "was there already")
            try:
                if os.path.lexists(to):
                    raise StateError(f"{to} is another environment")
                return self._made(one, to)
            except RunnerError as error:
                if self._shares.gone():
                    raise
                shutil.rmtree(_part(to), ignore_errors=True)
                return Cloned(one.name, 0, f"left out: {error.message}", good=False)

    def _made(self, one: _Environment, to: Path) -> Cloned:
        part, stamp = self._copied(one, to)
        size, old = distinct_bytes([part]), {str(place) for place in self._copier.sources}
        if one.runs_here:
            python = self._python_of(one)
            if not python.exists():
                raise StateError(f"its Python {python} is not there")
            if has_fixed_launchers(one.folder, self._site.host):
                raise StateError("its programs (.exe) hold the place where they were made; make it anew there")
            relocated(part, python, self._site)
            verify(part, old, self._target, self._site)
        write_atomic(_stamp_of(to), self._as_there(stamp, to, one))
        self._whole(part, to)
        if not one.runs_here:
            return Cloned(one.name, size, "copied, not tested: it is of another system")
        try:
            starts(to, old, self._target, self._site)
        except StateError:
            _stamp_of(to).unlink()
            to.rename(part)
            raise
        of = "" if python.is_relative_to(self._new_pythons) else f", with {python} of this computer"
        return Cloned(one.name, size, f"runs{of}")

    def _copied(self, one: _Environment, to: Path) -> tuple[Path, bytes]:
        """With its stamp, as it is while nobody changes it. Raises StateError where it is none that is whole."""
        while True:
            told = None
            while (holder := one.lock.held()) is not None:
                if holder != told:
                    self._waits(holder)
                told = holder
                time.sleep(1.0)
            about = read_json(one.stamp) or {}
            if not (about.get("fingerprint") or about.get("python")):
                raise StateError("it was not made to its end")
            if not venv_settings(one.folder).get("home"):
                raise StateError("it has no good pyvenv.cfg")
            part, stamp = _fresh(to), one.stamp.read_bytes()
            try:
                self._copier.tree(one.folder, part)
                if one.stamp.read_bytes() == stamp and one.lock.held() is None:
                    return part, stamp
            except FileNotFoundError:  # it is being changed, or removed
                if self._shares.gone():
                    raise
                if not one.folder.is_dir():
                    raise StateError("it was removed meanwhile") from None

    def _as_there(self, stamp: bytes, to: Path, one: _Environment) -> bytes:
        """That of a script tells where its Python is."""
        told = json.loads(stamp)
        if "script" not in told or not one.runs_here:
            return stamp
        return json.dumps({**told, "python": str(interpreter(to, self._site.host))}, indent=1).encode()

    def _is_done(self, one: _Environment) -> bool:
        to = self._new_environments / one.name
        made, there = read_json(one.stamp), read_json(_stamp_of(to))
        if not made or not there or not to.is_dir():
            return False
        return {**made, "python": ""} == {**there, "python": ""}

    def _waits(self, holder: object) -> None:
        self._tell(f"   waiting: {holder} is preparing it")

    # whole or not at all

    def _tree(self, path: Path, to: Path, then: Callable[[Path], None] = lambda part: None) -> None:
        """What is there already stays as it is."""
        if os.path.lexists(to):
            return
        to.parent.mkdir(parents=True, exist_ok=True)
        part = _fresh(to)
        self._copier.tree(path, part)
        if not part.is_symlink():
            then(part)
        self._whole(part, to)

    def _whole(self, part: Path, to: Path) -> None:
        part.rename(to)
        self._copier.renamed(to)

    def _cache(self) -> None:
        self._tell("uv's cache")
        for bucket in entries(self._source / "cache"):
            if bucket.name.startswith(_NOT_CACHED) or not on_disk(bucket).is_dir():
                continue
            for path in entries(bucket):
                self._tree(on_disk(path), self._target / "cache" / bucket.name / path.name)


def _stamp_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _part(to: Path) -> Path:
    return to.with_name(f"{_PART}{to.name}")


def _fresh(to: Path) -> Path:
    """Where something is put together; what a clone that was killed left there is of no use."""
    part = _part(to)
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)
    return part
