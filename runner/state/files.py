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
        except PermissionError:
            if os.name != "nt" or target.is_dir() or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def state_error(verb: str, path: Path, error: OSError) -> StateError:
    """`error` in plain words, with its cure."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
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
