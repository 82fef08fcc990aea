"""Writing so that a reader sees the old text or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

from runner.errors import InTheWay, StateError
from runner.ground.plain import NotPlain, beside, create

# Windows: an editor, a virus scanner or a sync client may hold the old file for a moment
REPLACE_PATIENCE = 3.0
_WINDOWS = os.name == "nt"
# https://learn.microsoft.com/windows/win32/debug/system-error-codes: sharing and lock violation; two kinds of full
_IN_USE = (32, 33)
_FULL = (39, 1295)


class Syncer:
    """Brings files that were written to the disk itself, in a thread: a segment need not wait for it to start.

    A killed runner loses nothing by that; only a power cut within the next moment could.
    """

    # an open file cannot be replaced on Windows, so there each write waits for the disk
    WORKS = not _WINDOWS

    def __init__(self) -> None:
        self._paths: SimpleQueue[Path | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def later(self, path: Path) -> None:
        """Sync `path` soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sync files", daemon=True)
            self._thread.start()
        self._paths.put(path)

    def finish(self) -> None:
        """Wait until all of it is on the disk."""
        if self._thread is not None:
            self._paths.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while True:
            waiting = [self._paths.get()]
            with contextlib.suppress(Empty):
                while True:
                    waiting.append(self._paths.get_nowait())
            for path in dict.fromkeys(waiting):
                if path is not None:
                    _sync(path)
            if None in waiting:
                return


def _sync(path: Path) -> None:
    """A file that was replaced meanwhile, or a disk that is gone, is no concern here: the next write tells."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_atomic(
    path: Path,
    data: bytes | bytearray,
    *,
    durable: bool = True,
    syncer: Syncer | None = None,
    through_link: bool = False,
) -> None:
    """Put `data` at `path` by write-then-rename; on any failure the old file is as it was.

    With a `syncer` the write does not wait for the disk. A link at `path` is replaced, or with `through_link` the
    file that it leads to. Raises StateError with what to do for a full disk, a read-only folder and the like.
    """
    if not (durable and Syncer.WORKS):
        syncer = None
    with state_errors("write", path):
        replace_whole(path, data, durable=durable and syncer is None, through_link=through_link)
    if syncer is not None:
        syncer.later(path)


def replace_whole(path: Path, data: bytes | bytearray, *, durable: bool = True, through_link: bool = False) -> None:
    """As `write_atomic`; raises OSError. The file keeps its mode and, where we may, its group."""
    target = Path(os.path.realpath(path)) if through_link else path
    temporary = beside(target, ".tmp")
    descriptor = create(temporary)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _as_before(descriptor, target)
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(descriptor)
        _replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _as_before(descriptor: int, target: Path) -> None:
    """Windows has no such mode: there a file inherits its rights from the folder."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        before, now = target.lstat(), os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return
        if before.st_gid != now.st_gid:
            os.fchown(descriptor, -1, before.st_gid)
        if before.st_mode != now.st_mode:
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _replace(source: Path, target: Path) -> None:
    deadline = time.monotonic() + REPLACE_PATIENCE
    while True:
        try:
            source.replace(target)
            return
        except PermissionError as error:
            if not _WINDOWS or target.is_dir():
                raise
            if time.monotonic() > deadline:
                # the new file beside it could be written: it is not the folder that forbids it
                raise _in_use("write", target) from error
            time.sleep(0.05)


def _in_use(verb: str, path: Path) -> StateError:
    return StateError(
        f"cannot {verb} {path}: another program has it open, or it is write-protected",
        "Close it there (an editor, Excel, a sync or backup program), or take off its write protection; start again.",
    )


def write_whole(descriptor: int, data: bytes | bytearray) -> None:
    """One write. Raises OSError where the data got there in part only."""
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def state_errors(verb: str, path: Path) -> Iterator[None]:
    """What is done to the file at `path` within raises StateError instead of OSError."""
    try:
        yield
    except OSError as error:
        raise state_error(verb, path, error) from error


def is_full(error: OSError) -> bool:
    """Whether the disk is, or the user's share of it."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return error.errno in full or getattr(error, "winerror", None) in _FULL


def state_error(verb: str, path: Path, error: OSError) -> StateError:
    """`error` in plain words, with its cure."""
    if isinstance(error, NotPlain) or error.errno == errno.ELOOP:
        what = error.strerror if isinstance(error, NotPlain) else "it is a link that leads back to itself"
        return InTheWay(f"cannot {verb} {path}: {what}", "Look what it is, move or remove it, and start again.")
    code = getattr(error, "winerror", None)
    if code in _IN_USE:
        return _in_use(verb, path)
    if is_full(error):
        return StateError(
            f"cannot {verb} {path}: the disk (or your quota on it) is full",
            "Free some space there and start again: what was finished stays finished.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StateError(
            f"cannot {verb} {path}: no permission to write in {path.parent}",
            "Copy the pipeline file to a folder that you may write to, or ask for the right to write there.",
        )
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST) or (error.errno is None and path.is_dir()):
        return StateError(f"cannot {verb} {path}: there is a folder of that name", "Rename or remove that folder.")
    return StateError(
        f"cannot {verb} {path}: {error.strerror or error}", "Check that the disk or network share is there."
    )
