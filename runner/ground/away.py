"""A disk or share that is away for a while: told from a file that is missing, and waited for.

A file that is not there is no sign. A share is away where the system says so, or where a folder that was there when we
began is gone together with what is around it, is empty (the place where it was mounted is left), or lies on no mount
any more.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from runner.errors import Interrupted, RunnerError
from runner.ground.words import time_text

T = TypeVar("T")
AGAIN = 60.0  # seconds between two messages
_LOOK = 1.0  # seconds between two looks
_MOST = 24  # folders that are looked at
_WATCH = 5.0  # seconds between two looks while nobody waits
_NAMES = (
    *("ESTALE", "EIO", "ENOTCONN", "ENODEV", "ENXIO", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH"),
    *("ETIMEDOUT", "EREMOTEIO", "ESHUTDOWN", "ECONNABORTED", "ECONNRESET", "ENOLINK"),
)
_CODES = frozenset(getattr(errno, name) for name in _NAMES if hasattr(errno, name))
# https://learn.microsoft.com/windows/win32/debug/system-error-codes: no such network path, its name is deleted, no
# answer in time, not ready, not connected…
_WINDOWS = frozenset((21, 51, 53, 55, 59, 64, 67, 121, 1167, 1231, 1232, 1236, 2250))


def says_away(error: BaseException | None) -> bool:
    """Whether `error`, or what it came from, is the system's word for a disk that does not answer."""
    while error is not None:
        if isinstance(error, OSError):
            code = getattr(error, "winerror", None)
            return code in _WINDOWS if code else error.errno in _CODES
        error = error.__cause__
    return False


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Shares:
    """The folders that a run needs. `tell` hears of one that is away, at once and each minute; `wait` sleeps, and says
    whether to leave off. One that is not there at first counts from when it was seen."""

    def __init__(
        self,
        folders: Iterable[Path] = (),
        tell: Callable[[str], None] = lambda text: None,
        wait: Callable[[float], bool] = _sleep,
    ) -> None:
        self._folders = list(dict.fromkeys(folders))
        self._tell, self._wait = tell, wait
        self._mounts: dict[Path, Path | None] = {}  # of those that were seen
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = 0.0
        self._waiting = 0  # threads
        self.gone()

    def expect(self, folder: Path) -> None:
        """This one is needed, too, and is there."""
        if len(self._folders) < _MOST and folder not in self._folders:
            self._folders.append(folder)

    def gone(self) -> Path | None:
        """The first that was there and is away."""
        for folder in tuple(self._folders):
            mount = self._mounts.get(folder)
            if folder in self._mounts:
                if _is_away(folder) or (mount is not None and not os.path.ismount(mount)):
                    return folder
            elif _holds_something(folder):
                self._mounts[folder] = _mount_of(folder)
        return None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A thread tells of one that is away meanwhile, also while nothing here needs it."""
        end = threading.Event()

        def look() -> None:
            while not end.wait(_WATCH):
                folder = self.gone()
                if folder is not None:
                    self._announce(folder)
                elif not self._waiting:
                    self._back()

        thread = threading.Thread(target=look, name="watch the shares", daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()  # not joined: a file server that does not answer may hold it up

    def settle(self, wait: Callable[[float], bool] | None = None) -> bool:
        """Wait until all are there; whether one was away. `wait`: in place of that of all. Raises Interrupted."""
        was_away = False
        while (folder := self.gone()) is not None:
            was_away = True
            self._pause(folder, wait or self._wait)
        self._back()
        return was_away

    def wait_for(self, file: Path, wait: Callable[[float], bool]) -> None:
        """Until a file is there that nobody but us removes. Raises Interrupted."""
        while not os.path.lexists(file):
            self._pause(file.parent, wait)
        self._back()

    def patiently(self, action: Callable[[], T], wait: Callable[[float], bool] | None = None) -> T:
        """What `action` gives, once its failure is no longer that of a share which is away.

        Raises what it raises otherwise, and Interrupted.
        """
        while True:
            try:
                given = action()
            except (OSError, RunnerError) as error:
                folder = self.gone()
                if folder is None and not says_away(error):
                    raise
                self._pause(folder or _named(error), wait or self._wait)
                continue
            self._back()
            return given

    def _pause(self, folder: Path, wait: Callable[[float], bool]) -> None:
        self._announce(folder)
        with self._lock:
            self._waiting += 1
        leave = wait(_LOOK)
        with self._lock:
            self._waiting -= 1
        if leave:
            raise Interrupted(f"stopped while {folder} could not be reached", "Start again to go on once it is back.")

    def _announce(self, folder: Path) -> None:
        now = time.time()
        with self._lock:
            first = self._since is None
            since = self._since = now if self._since is None else self._since
            is_due = first or now - self._told >= AGAIN
            self._told = now if is_due else self._told
        at = datetime.fromtimestamp(since).strftime("%H:%M:%S")
        if first:
            self._tell(f"{folder} cannot be reached since {at}: its disk or share is away; it is waited for")
        elif is_due:
            self._tell(f"still waiting for {folder}, away since {at} ({time_text(now - since)})")

    def _back(self) -> None:
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
        if since is not None:
            self._tell(f"it is back after {time_text(time.time() - since)}; going on")


def _is_away(folder: Path) -> bool:
    """One that somebody deleted or renamed is not: there, what was around it is left."""
    try:
        with os.scandir(folder) as inside:
            return next(inside, None) is None
    except PermissionError:
        return False
    except (FileNotFoundError, NotADirectoryError):
        return folder == folder.parent or not _holds_something(folder.parent)
    except OSError:
        return True


def _holds_something(folder: Path) -> bool:
    try:
        with os.scandir(folder) as inside:
            return next(inside, None) is not None
    except OSError:
        return False


def _mount_of(folder: Path) -> Path | None:
    """Where what it lies on is mounted; None for the disk of the system."""
    try:
        real = Path(os.path.realpath(folder))
        mount = next((one for one in (real, *real.parents) if os.path.ismount(one)), None)
    except OSError:
        return None
    return mount if mount is not None and mount != mount.parent else None


def _named(error: BaseException | None) -> Path:
    while error is not None:
        if isinstance(error, OSError) and error.filename:
            return Path(os.fsdecode(error.filename))
        error = error.__cause__
    return Path("a file")
