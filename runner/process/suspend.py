"""Ctrl-Z: all that was started sleeps with the runner and wakes with it; the sleep counts in no time limit."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from runner.process.ending import signal_entry
from runner.process.entry import Entry
from runner.process.snapshot import snapshot, with_descendants

_slept = 0.0
_began: float | None = None  # since when we sleep


def awake() -> float:
    """Like time.monotonic(), but it stood still while we were suspended.

    All threads are continued at once, and one may ask before the sleep is counted.
    """
    now = time.monotonic()  # first: what follows may be a sleep later
    began = _began
    return (now if began is None else min(now, began)) - _slept


def suspend() -> None:
    """In the handler of SIGTSTP. Our children have sessions of their own, so the terminal stops us alone."""
    global _slept, _began
    if sys.platform == "win32":
        return
    _began = began = time.monotonic()
    try:
        stopped = _stop_all()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)  # comes back when we are continued
        signal.signal(signal.SIGTSTP, handler)
    finally:
        _slept += time.monotonic() - began
        _began = None
    for entry in reversed(stopped.values()):
        signal_entry(entry, signal.SIGCONT)


def _stop_all() -> dict[int, Entry]:
    """Stop what lives below us, until nothing new is found; SIGTSTP would not reach a session without a terminal."""
    stopped: dict[int, Entry] = {}
    if sys.platform != "win32":
        for _ in range(10):
            entries = snapshot()
            below = with_descendants({os.getpid()}, entries) - {os.getpid()}
            new = {pid: entries[pid] for pid in sorted(below - stopped.keys()) if not entries[pid].dead}
            if not new:
                break
            for entry in new.values():
                signal_entry(entry, signal.SIGSTOP)
            stopped |= new
    return stopped
