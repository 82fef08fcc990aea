"""Regular files only: a pipe would keep us waiting for ever, and a link may lead to what belongs to somebody else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 64 << 20  # bytes of any file that is read whole

_BINARY: int = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
NO_LINK: int = getattr(os, "O_NOFOLLOW", 0) | _BINARY
_NO_WAIT: int = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_JUNCTION = 0xA0000003  # https://learn.microsoft.com/windows/win32/fileio/reparse-point-tags


class NotPlain(OSError):
    """There is something at a path, but no regular file, or one beyond all measure."""


def is_link(path: Path) -> bool:
    """Whether `path` is a link (on Windows also a junction), wherever it leads."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) == _JUNCTION


def read_plain(path: Path, *, follow: bool = True, largest: int = LARGEST) -> bytes:
    """The content of a regular file. Raises OSError, NotPlain where there is something else."""
    return look_at(path, follow=follow, largest=largest)[0]


def look_at(path: Path, *, follow: bool = True, largest: int = LARGEST) -> tuple[bytes, os.stat_result]:
    """The content of a regular file, and what the system says of that very file."""
    try:
        return _look_at(path, follow, largest)
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        return _look_at(path, follow, largest)  # NFS: another computer replaced it just now


def _look_at(path: Path, follow: bool, largest: int) -> tuple[bytes, os.stat_result]:
    if not follow and is_link(path):
        raise NotPlain(errno.ELOOP, "it is a link")
    _refuse(path.stat(), largest)
    flags = os.O_RDONLY | (_BINARY if follow else NO_LINK)
    try:
        descriptor = os.open(path, flags | _NO_WAIT)
    except BlockingIOError:  # a file server of this computer has lent it to another one
        descriptor = os.open(path, flags)
    try:
        info = os.fstat(descriptor)
        _refuse(info, largest)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(largest + 1), info
    finally:
        os.close(descriptor)


def _refuse(info: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(info.st_mode):
        raise NotPlain(errno.EINVAL, "it is a pipe or a device, and no file")
    if info.st_size > largest:
        raise NotPlain(errno.EFBIG, f"it is larger than {max(1, largest >> 20)} MiB")


def create(path: Path, mode: int = 0o666) -> int:
    """A descriptor to write to a file that nobody had before; where there is anything, FileExistsError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, mode)


def beside(path: Path, ending: str) -> Path:
    """A name beside `path` that nobody can guess."""
    return path.with_name(f"{path.name[:200]}.{os.urandom(8).hex()}{ending}")
