"""What a process prints, chunk by chunk as it comes, to its log and to the screen."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runner.errors import StateError
from runner.ground.away import says_away

_CHUNK = 1 << 18
_PIPE = 1 << 20
_PATIENCE = 30.0  # seconds for a disk that is there and does not answer
_F_SETPIPE_SZ = 1031  # fcntl.F_SETPIPE_SZ, Linux

Screen = Callable[[bytes], None]


class LogFile:
    """A log that is open for many commands, one after the other: each adds a part. Raises StateError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _open(path)
        self._size = os.fstat(self._descriptor).st_size
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes; where the next part begins, once the one before has ended."""
        with self._lock:
            return self._size

    def write(self, chunk: bytes, wanted: Callable[[], bool]) -> None:
        """Add to it, if it still is `wanted` when the turn comes: what comes too late is in nobody else's part."""
        rest = memoryview(chunk)
        with self._lock:
            begin = time.monotonic()
            while rest and wanted():
                try:
                    written = os.write(self._descriptor, rest)
                except OSError as error:
                    if not says_away(error) or (self.path.parent.is_dir() and time.monotonic() - begin > _PATIENCE):
                        raise
                    self._open_again()
                    continue
                self._size += written
                rest = rest[written:]

    def _open_again(self) -> None:
        """What was opened before its share went away is of no use once it is back."""
        time.sleep(1.0)
        with contextlib.suppress(StateError):
            again = _open(self.path, make_folder=False)
            os.close(self._descriptor)
            self._descriptor = again

    def settle(self, patience: float) -> None:
        """Wait until nobody is in the middle of a `write`, no longer than so many seconds."""
        if self._lock.acquire(timeout=patience):
            self._lock.release()

    def close(self) -> None:
        """Nobody writes any more."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class Tee:
    """A thread that reads one pipe. It closes the pipe's reading end, and the log where it `owns` that."""

    def __init__(
        self, source: int, log: LogFile, screen: Screen | None, failed: Callable[[], None], *, owns: bool
    ) -> None:
        self._source = source
        self._log = log
        self._owns = owns
        self._screen = screen
        self._failed = failed  # called once, in the thread, when the log cannot be written
        self._waiting = True  # in a read, with nothing in hand
        self._chunks = 0
        self._abandoned = False
        self.log_error: OSError | None = None
        self.screen_error: Exception | None = None
        enlarge(source)
        self._thread = threading.Thread(target=self._copy, name="tee", daemon=True)
        self._thread.start()

    def finish(self, patience: float, *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Wait for the end of the output, but no longer than `patience` seconds on somebody who only holds the pipe.

        A screen that is slow is waited for, unless `hurry` says that we were told to stop. What comes later is lost.
        """
        idle_since = time.monotonic()
        already = self._chunks
        while self._thread.is_alive():
            self._thread.join(0.05)
            now = time.monotonic()
            chatting = self._chunks - already > _PIPE // _CHUNK * 2  # more than the pipe held: somebody still writes
            if not (self._waiting or hurry() or chatting):
                idle_since = now
            if now - idle_since > patience:
                self._abandoned = True  # the thread ends with the next chunk, or with us
                self._log.settle(patience)
                return

    def _copy(self) -> None:
        source = self._source
        try:
            while not self._abandoned:
                self._waiting = True
                chunk = os.read(source, _CHUNK)
                self._waiting = False
                self._chunks += 1
                if not chunk:
                    break
                self._to_log(chunk)
                self._to_screen(chunk)
        except OSError:
            pass  # the pipe is gone
        finally:
            os.close(source)
            if self._owns:
                self._log.close()

    def _to_log(self, chunk: bytes) -> None:
        if self.log_error is not None:
            return
        try:
            self._log.write(chunk, lambda: not self._abandoned)
        except OSError as error:
            self.log_error = error
            self._failed()

    def _to_screen(self, chunk: bytes) -> None:
        if self._screen is None or self._abandoned:
            return
        try:
            self._screen(chunk)
        except (OSError, ValueError):
            self._screen = None  # what we print to was closed: the segment goes on, and so does its log
        except Exception as error:
            self.screen_error, self._screen = error, None


def _open(path: Path, *, make_folder: bool = True) -> int:
    """The log's descriptor, at its end (a second try is added to the first). Raises StateError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if sys.platform == "win32":
        flags |= os.O_BINARY | os.O_NOINHERIT
    else:
        flags |= os.O_NOFOLLOW
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o666)
    except OSError as error:
        raise log_problem(path, error) from error


def log_problem(path: Path, error: OSError) -> StateError:
    """Why a log cannot be written, and what to do."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        what, cure = "the disk (or your quota on it) is full", "Free some space there and start again"
    elif error.errno == errno.EFBIG:
        what, cure = "it has reached the largest size that a file may have here", "Make the program print less"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        what, cure = (
            "you may not write there",
            "Ask for the right to write, or choose another folder with --records DIR",
        )
    else:
        what, cure = error.strerror or str(error), "See that the folder can be reached and written, and start again"
    return StateError(f"cannot write the log {path}: {what}", f"{cure}: what was finished stays finished.")


def enlarge(pipe: int) -> None:
    """Linux: room for more than 64 KiB, so that the writer waits less often for us; where it may not be, no harm."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE)
