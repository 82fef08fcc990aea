"""Lock files that hold between the hosts of a share, and that a dead process cannot keep.

A lock is a file made with O_EXCL. Whoever removes one, its holder or a taker, must first hold the claim for it: a
second lock file named after the first one's token. So no two processes remove the same lock, and nobody removes a
lock that was made after the one that was looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from runner.errors import Busy, Interrupted
from runner.ground.files import state_errors, write_whole
from runner.ground.plain import NO_LINK, NotPlain, beside, create, look_at
from runner.state.holder import Holder, is_this_process, proven_dead, read_holder, this_process

T = TypeVar("T")
_ours: set[str] = set()  # tokens of locks that this process holds, or is about to
HEARTBEAT = 15.0  # seconds
EXPIRY = 300.0  # seconds without a heartbeat after which another host's lock counts as left behind
TORN = 10.0  # seconds after which a lock file without readable content counts as left behind
_SETTLE = 2.0  # seconds that one take-over may last while others wait to see who gets the lock
_LARGEST = 1 << 16  # bytes of a lock file
_PATIENCE = 3.0  # Windows: a deleted file stays until a virus scanner lets go of it


class Lock:
    """A lock that we hold; a context manager. `lost` is set when another host took it over (we seemed dead).

    `taken_from` is the dead holder that it was taken from.
    """

    def __init__(
        self, path: Path, holder: Holder, expiry: float, heartbeat: float, taken_from: Holder | None = None
    ) -> None:
        self.path = path
        self.holder = holder
        self.taken_from = taken_from
        self.lost = False
        self._expiry = expiry
        self._heartbeat = heartbeat
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {path.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def is_ours(self) -> bool:
        """Whether it still is, as the disk tells at this moment."""
        try:
            return _token(self.path) == self.holder.token
        except OSError:
            return False

    def release(self) -> None:
        """Let go; only a lock that is still ours is removed. A share that is gone keeps it until it expires."""
        if self._end.is_set():
            return
        self._end.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            try:
                _remove(self.path, self.holder.token, self._expiry)
            except OSError:  # a full disk holds no claim
                if _token(self.path) == self.holder.token:
                    _unlink(self.path)
        _ours.discard(self.holder.token)

    def _beat(self) -> None:
        """Written, not touched: then the file server's clock counts and not this machine's."""
        while not self._end.wait(self._heartbeat):
            try:
                if (token := _token(self.path)) != self.holder.token:
                    if not token:  # not there: the share is away, and may come back with it
                        continue
                    self.lost = True
                    return
                descriptor = os.open(self.path, os.O_WRONLY | NO_LINK)
                try:
                    os.write(descriptor, b"{")  # what stands there already, in any holder's file
                finally:
                    os.close(descriptor)
            except OSError:
                continue  # the share may come back


class LockFile:
    """The lock at `path`; `what` is told to those who find it held ("pipeline x.yaml")."""

    def __init__(self, path: Path, what: str, *, expiry: float = EXPIRY, heartbeat: float = HEARTBEAT) -> None:
        self.path = path
        self.what = what
        self.expiry = expiry
        self.heartbeat = heartbeat

    @classmethod
    def of_run(cls, status: Path, what: str) -> LockFile:
        """That of a pipeline, beside its status file."""
        return cls(status.with_name(status.name + ".lock"), what)

    def acquire(
        self,
        wait: float | None = None,
        on_wait: Callable[[Holder], None] = lambda holder: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Lock:
        """Take the lock, waiting up to `wait` seconds (None: for ever) for a living holder.

        `on_wait` is called once for each holder that is waited for. Raises Busy, StateError (full disk, read-only
        folder), and Interrupted once `cancelled` says so.
        """
        deadline = None if wait is None else time.monotonic() + wait
        told, pause = "", 0.02
        while True:
            with state_errors("write", self.path):
                lock = self._try()
            if lock is not None:
                return lock
            holder = self.holder()
            late = 0.0 if deadline is None else time.monotonic() - deadline
            if holder is not None and deadline is not None and late >= 0 and (late > _SETTLE or self.held()):
                raise self._busy(holder)
            if holder is not None and told != holder.token:
                told = holder.token
                on_wait(holder)
            if cancelled():
                raise Interrupted(f"stopped while waiting for {self.what}")
            time.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def holder(self) -> Holder | None:
        """Who holds it, dead or alive; None when nobody does or the file is torn. Raises StateError."""
        with state_errors("read", self.path):
            look = _look(self.path)
        return read_holder(look.data) if look else None

    def held(self) -> Holder | None:
        """Its holder, unless that process is proven dead; asks without taking anything over."""
        holder = self.holder()
        if holder is None or _is_dead(holder, self._silence_by_own_clock, self.expiry):
            return None
        return holder

    def is_free(self) -> bool:
        """Whether nobody alive holds it, by the clock of the file server; what a dead one left is removed.

        Raises StateError.
        """
        with state_errors("read", self.path):
            return _removed_dead(self.path, self.expiry)

    def _try(self) -> Lock | None:
        """One attempt, with a take-over where the holder is dead."""
        mine, dead = _create(self.path, self.what), None
        if mine is None:
            holder = self.holder()
            dead = holder if holder and _is_dead(holder, self._silence_by_own_clock, self.expiry) else None
            if _removed_dead(self.path, self.expiry):
                mine = _create(self.path, self.what)
        return None if mine is None else Lock(self.path, mine, self.expiry, self.heartbeat, dead)

    def _silence_by_own_clock(self) -> float:
        try:
            return abs(time.time() - self.path.stat().st_mtime)
        except OSError:
            return 0.0

    def _busy(self, holder: Holder) -> Busy:
        return Busy(
            f"{self.what} is in use by {holder}",
            "Wait until that has ended, or end it there. If that machine is gone for good, it is free again "
            f"{self.expiry / 60:.0f} minutes after its last sign of life, or as soon as you delete {self.path}",
        )


def _create(path: Path, what: str) -> Holder | None:
    """Make the lock file; None when there is one. Raises OSError."""
    try:
        descriptor = _patiently(lambda: create(path))
    except FileExistsError:
        return None
    mine = this_process(what)
    _ours.add(mine.token)
    try:
        try:
            write_whole(descriptor, mine.to_bytes())
        finally:
            os.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        _ours.discard(mine.token)
        raise
    # held up for so long between the two that it counted as torn and was taken away: then it is not ours
    return mine if _token(path) == mine.token else None


def _removed_dead(path: Path, expiry: float) -> bool:
    """Remove the lock at `path` if its holder is dead; whether it is gone."""
    look = _look(path)
    if look is None:
        return not path.exists()
    holder = read_holder(look.data)
    if holder is None and look.is_foreign:
        raise NotPlain(errno.EEXIST, "it is no lock that the runner made")

    def silence() -> float:
        # a file from the future: the clock was set back since, so that no heartbeat can have touched it
        return abs(_clock_of(path) - look.changed_ns / 1e9)

    dead = silence() > TORN if holder is None else _is_dead(holder, silence, expiry)
    return dead and _remove(path, look.token, expiry)


def _remove(path: Path, token: str, expiry: float) -> bool:
    """Remove the lock at `path` if it still is that of `token`; False when another process is about to."""
    claim = path.with_name(f"{path.name}.{token}")
    mine = _create(claim, "removing a lock")
    if mine is None:
        # one that died in these few lines is removed in the same way
        return _removed_dead(claim, expiry) and _remove(path, token, expiry)
    try:
        if _token(path) == token:
            _unlink(path)
        return True
    finally:
        _unlink(claim)
        _ours.discard(mine.token)


def _is_dead(holder: Holder, silence: Callable[[], float], expiry: float) -> bool:
    """One that we let go of counts as dead, too: while its share was away, its file could not be removed."""
    return (is_this_process(holder) and holder.token not in _ours) or proven_dead(holder, silence, expiry)


def _unlink(path: Path) -> None:
    _patiently(lambda: path.unlink(missing_ok=True))


def _patiently(action: Callable[[], T]) -> T:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return action()
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@dataclass(frozen=True)
class _Look:
    """A lock file's content and time, both of the same file."""

    data: bytes
    changed_ns: int

    @property
    def token(self) -> str:
        holder = read_holder(self.data)
        return holder.token if holder else f"torn-{self.changed_ns:x}-{len(self.data)}"

    @property
    def is_foreign(self) -> bool:
        """Not even the beginning of a lock of ours; zeros are what a crash may leave of one."""
        return self.data.strip(b"\0")[:1] not in (b"", b"{")


def _look(path: Path) -> _Look | None:
    """What is at `path` now; None when there is nothing, or nothing that can be read at the moment."""
    try:
        data, info = look_at(path, follow=False, largest=_LARGEST)
        return _Look(data, info.st_mtime_ns)
    except FileNotFoundError:
        return None
    except PermissionError:
        if os.name == "nt":  # about to be deleted
            return None
        raise
    except OSError as error:
        if error.errno == errno.ESTALE:  # NFS: another computer has just removed it
            return None
        raise


def _token(path: Path) -> str:
    look = _look(path)
    return look.token if look else ""


def look_anew(path: Path) -> None:
    """NFS remembers what is not there, for up to a minute; a change of our own beside `path` makes it ask again."""
    with contextlib.suppress(OSError):
        _clock_of(path)


def _clock_of(path: Path) -> float:
    """The time on the machine that keeps the file: that of a file just made there (seconds since the epoch)."""
    scratch = beside(path, ".now")
    descriptor = create(scratch)
    try:
        os.write(descriptor, b"now")
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            scratch.unlink()
