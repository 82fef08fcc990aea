"""`python lab.bundle DIR`, and `run-pipeline unbundle`: a bundle becomes a folder that needs no network.

Python 3.8 and its standard library: see form.py. First everything is checked; then each file is written beside its
place and renamed; then the runner's own environment is made (own.py), and that runner makes the others.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from runner.bundle.fits import System, check_paths, check_space, check_system
from runner.bundle.form import KEPT, MANIFEST, Manifest, Unusable, place_of, to_bytes
from runner.bundle.opened import CHUNK, Opened, opened
from runner.bundle.own import NotMade, make_runner, make_the_rest
from runner.bundle.place import (
    BESIDE,
    LOCK,
    UNDER_WAY,
    Plan,
    known_files,
    make_plan,
)

_PART = "part"  # in KEPT: what is being written
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_WINDOWS_FULL = (39, 112, 1295)


def start(words: Sequence[str]) -> int:
    """`python lab.bundle WORDS`"""
    bundle = Path(sys.argv[0]).absolute()
    parser = argparse.ArgumentParser(prog=f"python {bundle.name}", description="Unpack this bundle without a network.")
    parser.add_argument("folder", metavar="DIR", help="a new folder, or one that an older bundle was unpacked to")
    parser.add_argument("--canary", action="store_true", help="run one item of each pipeline (or all of it) at the end")
    parser.add_argument("--no-check", action="store_true", help="do not check the pipelines at the end")
    asked = parser.parse_args(list(words))
    return unbundle(bundle, Path(asked.folder), canary=asked.canary, check=not asked.no_check)


def unbundle(bundle: Path, folder: Path, *, canary: bool = False, check: bool = True) -> int:
    """The exit code: 0 done, 2 refused and nothing changed, 3 something could not be made, 130 interrupted."""
    folder = folder.expanduser().absolute()
    try:
        with unpacked(bundle, folder, System.this()) as manifest:
            python = make_runner(folder, manifest, say)
            return make_the_rest(folder, python, canary=canary, check=check)
    except Unusable as error:
        return _fail(2, f"{bundle.name} is not unpacked: {error}")
    except NotMade as error:
        return _fail(3, str(error))
    except OSError as error:
        return _fail(3, _explained(error, folder))
    except KeyboardInterrupt:
        say("interrupted: start it again, and it goes on")
        return 130


@contextlib.contextmanager
def unpacked(bundle: Path, folder: Path, system: System) -> Iterator[Manifest]:
    """All files of `bundle` in `folder`, which nobody else unpacks to meanwhile. Raises Unusable, OSError."""
    with opened(bundle) as content:
        check_system(content.manifest, system)
        check_paths(content, folder, system)
        total = sum(packed.size for packed in content.manifest.files.values())
        with _progress(f"checking {bundle.name}", total) as told:
            content.check_contents(told)
        check_space(content, make_plan(content.manifest, folder), folder)
        (folder / KEPT).mkdir(parents=True, exist_ok=True)
        with _lock(folder / KEPT / LOCK, folder):
            plan = make_plan(content.manifest, folder)  # another one may have written meanwhile
            _unpack(content, plan, folder)
            yield content.manifest


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _unpack(bundle: Opened, plan: Plan, folder: Path) -> None:
    manifest, kept = bundle.manifest, folder / KEPT
    known = known_files(folder)
    for name, packed in (*manifest.files.items(), *manifest.base_files.items()):
        known.setdefault(place_of(name), set()).add(packed.sha256)
    told_of = json.dumps({place: sorted(sums) for place, sums in known.items()}).encode()
    if plan.write or plan.remove:
        _write(folder, kept / UNDER_WAY, [told_of])
    with _progress(f"unpacking to {folder}", plan.size) as told:
        for name, place in plan.write:
            with bundle.reading(name) as stream:
                chunks = iter(partial(stream.read, CHUNK), b"")
                _write(folder, folder / place, chunks, told, executable=manifest.files[name].executable)
    for place in plan.remove:
        (folder / place).unlink()
        with contextlib.suppress(OSError):  # where others lie
            (folder / place).parent.rmdir()
    whole = manifest._replace(files={**manifest.base_files, **manifest.files}, base="", base_files={})
    _write(folder, kept / MANIFEST, [to_bytes(whole)])
    with contextlib.suppress(FileNotFoundError):
        (kept / UNDER_WAY).unlink()
    for place in plan.kept:
        say(f"{folder / place} is yours and stays; the bundle's is beside it: {Path(place).name}{BESIDE}")


def _write(
    folder: Path,
    path: Path,
    chunks: Iterable[bytes],
    told: Callable[[int], None] = lambda size: None,
    *,
    executable: bool = False,
) -> None:
    """Whole or not at all."""
    part = folder / KEPT / _PART
    with part.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
            told(len(chunk))
    if executable:
        part.chmod(0o755)
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 3.0
    while True:
        try:
            part.replace(path)
            return
        except PermissionError:  # Windows: a virus scanner looks at it
            if os.name != "nt" or time.monotonic() > end:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def _lock(path: Path, folder: Path) -> Iterator[None]:
    """Held until all is made: programs that are started meanwhile hold it too, and outlive a kill of this one."""
    descriptor = os.open(str(path), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        waits = False
        while not _taken(descriptor):
            if not waits:
                say(f"another start unpacks to {folder}: waiting for its end")
            waits = True
            time.sleep(0.2)
        os.set_inheritable(descriptor, True)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Where a disk has no such locks (some of clusters), nobody can be held apart."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A line that counts, at a terminal; else one line."""
    live, done, shown, guard = sys.stderr.isatty(), 0, 0.0, threading.Lock()
    say(f"{what} ({total / 1e6:.1f} MB)")

    def told(size: int) -> None:
        nonlocal done, shown
        with guard:
            done += size
            if live and total and time.monotonic() - shown > 0.2:
                shown = time.monotonic()
                print(f"\r  {100 * done // total:3d} %", end="", file=sys.stderr, flush=True)

    try:
        yield told
    finally:
        if live:
            print("\r       \r", end="", file=sys.stderr, flush=True)


def _explained(error: OSError, folder: Path) -> str:
    where = f": {error.filename}" if error.filename else ""
    if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
        return f"the disk of {folder} (or your quota on it) is full. Free some space and start it again: it goes on"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"no permission{where}. Name a folder that you may write to"
    return f"{error.strerror or error}{where}"


def _fail(code: int, text: str) -> int:
    say(f"error: {text}")
    return code
