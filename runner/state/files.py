"""Writing so that a reader sees the old text or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from runner.errors import StateError

# Windows: an editor, a virus scanner or a sync client may hold the old file for a moment
REPLACE_PATIENCE = 3.0
_WINDOWS = os.name == "nt"
# https://learn.microsoft.com/windows/win32/debug/system-error-codes: sharing and lock violation; two kinds of full
_IN_USE = (32, 33)
_FULL = (39, 1295)


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path` by write-then-rename; on any failure the old file is as it was.

    Raises StateError with what to do for a full disk, a read-only folder and the like.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as stream:  # noqa: PTH123
                stream.write(data)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            _replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise state_error("write", path, error) from error


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


def state_error(verb: str, path: Path, error: OSError) -> StateError:
    """`error` in plain words, with its cure."""
    code = getattr(error, "winerror", None)
    if code in _IN_USE:
        return _in_use(verb, path)
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)) or code in _FULL:
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
