"""Questions to programs that may hang: each has a limit, none is asked twice, and a mute program only once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runner.host import Capture, Captured

LONGEST = 8.0  # seconds for one answer
CLOSING = 1.5  # seconds for ending programs that still owe an answer
RESERVE = 2.5  # seconds before a check's limit, for ending a mute program and saying so

T = TypeVar("T")


@dataclass
class _Answer:
    arrived: threading.Event = field(default_factory=threading.Event)
    captured: Captured = field(default_factory=lambda: Captured(None, b"", b"", "it did not answer"))


class Patience:
    """Shared by all checks of one examination."""

    def __init__(self, capture: Capture, longest: float = LONGEST) -> None:
        self._capture = capture
        self._longest = longest
        self._lock = threading.Lock()
        self._answers: dict[object, _Answer] = {}
        self._mute: set[tuple[str, ...]] = set()
        self._closed = False

    def until(self, deadline: float) -> Capture:
        """A `capture` for a check that ends at `deadline` (monotonic clock)."""

        def capture(argv: Sequence[str], *, timeout: float = 30.0, **how: Any) -> Captured:
            limit = min(timeout, self._longest, deadline - time.monotonic() - RESERVE)
            kind = tuple(argv[:2])
            if limit <= 0 or kind in self._mute or self._closed:
                return Captured(None, b"", b"", f"{argv[0]} did not answer in time")
            key = (tuple(argv), repr(how))
            with self._lock:
                first = key not in self._answers
                answer = self._answers.setdefault(key, _Answer())
            if first:
                began = time.monotonic()
                try:
                    answer.captured = self._capture(argv, timeout=limit, **how)
                finally:
                    if answer.captured.code is None and time.monotonic() - began >= limit:
                        self._mute.add(kind)
                    answer.arrived.set()
            elif not answer.arrived.wait(limit):
                return Captured(None, b"", b"", f"{argv[0]} did not answer in time")
            return answer.captured

        return capture

    def close(self) -> None:
        """Ask nobody any more, and end the programs that still owe an answer."""
        from runner.process.ending import end_tree
        from runner.process.identity import process_started
        from runner.process.spawn import LOCK, OURS

        self._closed = True
        with LOCK:
            pids = list(OURS)

        def end(pid: int) -> None:
            end_tree(pid, process_started(pid), "", grace=0.0)

        # side by side, and without waiting for one that not even the system can end
        threads = [threading.Thread(target=end, args=(pid,), daemon=True) for pid in pids]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + CLOSING
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def reading(read: Callable[[], T]) -> Future[T]:
    """What `read` will give, or its error. A thread that waits for a dead share does not keep us from ending."""
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(read())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=work, name="reading", daemon=True).start()
    return done
