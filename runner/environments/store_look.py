"""What the disk of a store can do: looked up, and tried with a file, since a file system's name tells too little."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.frozen import frozen
from runner.ground.plain import beside, create

# options of a mount with which a lock is known to one computer alone: NFS, CIFS, Lustre
_ALONE = ("nolock", "local_lock=flock", "local_lock=posix", "local_lock=all", "nobrl", "localflock")


@frozen
class Disk:
    """A mounted file system."""

    kind: str  # ext4, nfs4, NTFS
    source: str = ""
    options: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.kind} ({self.source})" if self.source else self.kind


def disk_of(folder: Path) -> Disk:
    """That which `folder` lies on."""
    import psutil

    place = os.path.normcase(os.path.realpath(folder))
    if place.startswith("\\\\"):
        return Disk("a network share", "\\".join(place.split("\\")[:4]))
    found = [part for part in psutil.disk_partitions(all=True) if _holds(os.path.normcase(part.mountpoint), place)]
    if not found:
        return Disk("of an unknown kind")
    best = max(reversed(found), key=lambda part: len(part.mountpoint))  # of two at one place the later is seen
    return Disk(
        best.fstype, best.device if best.device not in (best.fstype, "none") else "", tuple(best.opts.split(","))
    )


def _holds(mount: str, place: str) -> bool:
    return place == mount or place.startswith(mount.rstrip(os.sep) + os.sep)


def why_not_written(folder: Path) -> str:
    """Why nothing can be written there, "" where it can."""
    try:
        with _scratch(folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def why_not_linked(cache: Path, environments: Path, link: Callable[[Path, Path], None] = os.link) -> str:
    """Why a file of the cache cannot have a second name in an environment, "" where it can."""
    to = beside(environments / "try", ".tmp")
    try:
        with _scratch(cache) as file:
            link(file, to)
            return "" if to.stat().st_nlink > 1 else "a link there is a copy"
    except OSError as error:
        return error.strerror or str(error)
    finally:
        with contextlib.suppress(OSError):
            to.unlink()


def why_no_environments(folder: Path, disk: Disk, symlink: Callable[[str, Path], None] = os.symlink) -> str:
    """Why no environment can lie there, "" where one can."""
    if "noexec" in disk.options:
        return "its programs could not be started (noexec)"
    if sys.platform == "win32":
        return ""
    link = beside(folder / "try", ".tmp")
    try:
        symlink("python", link)
        link.unlink()
    except OSError as error:
        return f"it has no symbolic links ({error.strerror or error})"
    return ""


def alone(disk: Disk) -> list[str]:
    """The options with which it is mounted that keep locks from other computers."""
    return [option for option in disk.options if option in _ALONE]


def why_no_locks(folder: Path, disk: Disk) -> str:
    """Why locks of uv do not hold there, "" where they do."""
    if options := alone(disk):
        return f"it is mounted with {', '.join(options)}: a lock is known to one computer alone"
    try:
        with _scratch(folder) as file, file.open("r+b") as one, file.open("r+b") as other:
            if not _locked(one.fileno()):
                return "it grants none"
            return "it grants the same one twice" if _locked(other.fileno()) else ""
    except OSError as error:
        return error.strerror or str(error)


def _locked(descriptor: int) -> bool:
    """Whether a lock was granted that nobody else may have. Raises OSError where there are none."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A file there, for a moment."""
    path = beside(folder / "try", ".tmp")
    descriptor = create(path)
    try:
        try:
            os.write(descriptor, b"x" * 4096)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
