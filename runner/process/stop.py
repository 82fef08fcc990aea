"""The wish to stop, as a value that signals, time-outs and the console set and running segments heed."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

# a terminal that closes, a shutdown, a scheduler: all of them kill us soon
SHORT_GRACE = 4.0
# `uv run` hands on a Ctrl-C that the terminal gave us already: one press, two signals
ONE_PRESS = 0.2
# seconds; who shares our window is told of its end at the same time, and may be gone before we hear of it
TOLD_LATER = 1.0
# how programs end with their window on Windows: most; at a log-off; a DLL that starts too late; a log-off again; what
# was computed with Intel's Fortran (numpy, scipy); Java
_WITH_ITS_WINDOW = frozenset({0xC000013A, 0x40010004, 0xC0000142, 0xC000026B, 200, 143})
# a signal wakes no waiting thread on Windows, and elsewhere not the one that counts if another thread got it
LONGEST_WAIT = 0.2


class StopRequest:
    """Thread-safe, and may be set from a signal handler: it takes no lock that the handler could wait for."""

    def __init__(self) -> None:
        self.reason = ""  # "Ctrl-C", "SIGTERM", ...
        self.signal: int = signal.SIGTERM  # what the kind stop sends
        self.grace: float | None = None  # seconds between kind and force, if shorter than the segment's own
        self.requested = False
        self.immediate = False
        self.shared = False  # a scheduler's: whoever ends us ends all that we started at the same moment
        self._listeners: tuple[SimpleQueue[Any], ...] = ()
        self._lock = threading.Lock()

    def kind(self, reason: str = "", *, number: int = signal.SIGTERM, grace: float | None = None) -> None:
        """Ask to stop. The first request names the reason and the signal; a later one may shorten the grace."""
        if not self.requested:
            self.reason, self.signal = reason, number
        if grace is not None:
            self.grace = grace if self.grace is None else min(self.grace, grace)
        self.requested = True
        self._wake()

    def now(self, reason: str = "") -> None:
        """Stop at once: no grace any more."""
        if not self.requested:
            self.reason = reason
        self.requested = self.immediate = True
        self._wake()

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than until a stop is asked for; whether it was."""
        deadline = time.monotonic() + seconds
        with self.listening() as queue:
            while not self.requested and (left := deadline - time.monotonic()) > 0:
                next_event(queue, left)
        return self.requested

    @contextmanager
    def listening(self, queue: SimpleQueue[Any] | None = None) -> Iterator[SimpleQueue[Any]]:
        """A queue that gets an entry whenever something changes here."""
        queue = queue or SimpleQueue()
        with self._lock:
            self._listeners = (*self._listeners, queue)
        try:
            yield queue
        finally:
            with self._lock:
                self._listeners = tuple(q for q in self._listeners if q is not queue)

    def _wake(self) -> None:
        for queue in self._listeners:
            queue.put("stop")


def next_event(queue: SimpleQueue[Any], seconds: float | None) -> Any:
    """The next entry, or None when `seconds` are over; Ctrl-C is heeded meanwhile on every platform."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        left = LONGEST_WAIT if deadline is None else deadline - time.monotonic()
        try:
            return queue.get(timeout=max(0.0, min(left, LONGEST_WAIT)))
        except Empty:
            if deadline is not None and time.monotonic() >= deadline:
                return None


def closed_with_us(code: int | None, stop: StopRequest, platform: str) -> bool:
    """Whether a segment ended because the window was closed (Windows), or the job that we are in was ended: that is no
    failure of its own. `code` is None or below zero where a signal ended it."""
    if stop.shared and code != 0:
        by_signal = code is None or code < 0 or code > 128
        return stop.wait(TOLD_LATER if by_signal else LONGEST_WAIT)
    ended_so = platform == "win32" and code is not None and code & 0xFFFFFFFF in _WITH_ITS_WINDOW
    return ended_so and stop.wait(TOLD_LATER)


@contextmanager
def install_signal_handlers(stop: StopRequest) -> Iterator[None]:
    """Turn Ctrl-C (twice: at once), TERM, HUP and a closing console into `stop`; the old handlers come back.

    Ctrl-Z suspends all that was started, with us.

    Only in the main thread. What was ignored when we were started (`nohup`, `&` in a script) stays ignored.
    """
    last_press = float("-inf")

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal last_press
        pressed, last_press = last_press, time.monotonic()
        if not stop.requested:
            stop.kind("Ctrl-C", number=signal.SIGINT)
        elif last_press - pressed > ONE_PRESS:
            stop.now("Ctrl-C")

    def told(number: int, frame: FrameType | None) -> None:
        stop.kind(signal.Signals(number).name, grace=SHORT_GRACE)

    wanted: dict[int, Callable[[int, FrameType | None], None]] = {signal.SIGINT: interrupted, signal.SIGTERM: told}
    if sys.platform == "win32":
        wanted[signal.SIGBREAK] = told
    else:
        wanted[signal.SIGHUP] = told
        wanted[signal.SIGTSTP] = _suspended
    old: dict[int, Any] = {}
    try:
        for number, handler in wanted.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                old[number] = signal.signal(number, handler)
        with _closing_console(stop):
            yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _suspended(number: int, frame: FrameType | None) -> None:
    from runner.process.suspend import suspend

    suspend()


@contextmanager
def _closing_console(stop: StopRequest) -> Iterator[None]:
    """Windows: a closed window, a log-off and a shutdown end us as soon as their handler returns, so it waits."""
    if sys.platform != "win32":
        yield
        return
    import ctypes

    ended = threading.Event()

    def closing(event: int) -> int:
        names = {2: "the window was closed", 5: "log-off", 6: "shutdown"}
        if event not in names:
            return 0
        stop.kind(names[event], grace=SHORT_GRACE - 1)
        ended.wait(SHORT_GRACE + 0.5)
        return 1

    kernel32 = ctypes.WinDLL("kernel32")
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)(closing)
    kernel32.SetConsoleCtrlHandler(handler, 1)
    try:
        yield
    finally:
        ended.set()
        kernel32.SetConsoleCtrlHandler(handler, 0)
