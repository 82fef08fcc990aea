"""Threads of this process, each carrying out one start at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from runner.frozen import frozen
from runner.schedule import Start

Work = Callable[[int], Any]  # given the worker's number; what it returns is handed back


@frozen
class Finished:
    """What came of a start: what its work returned, or raised."""

    start: Start
    worker: int
    result: Any = None
    error: BaseException | None = None


class LocalExecutor:
    """How many run at once is for the schedule to say; a thread that has nothing to do waits for the next start."""

    def __init__(self, events: SimpleQueue[Any]) -> None:
        self._events = events
        self._idle: list[int] = []
        self._inboxes: list[SimpleQueue[tuple[Start, Work] | None]] = []
        self._threads: list[threading.Thread] = []

    def start(self, start: Start, work: Work) -> int:
        """Its worker's number. To be told of every Finished by `ended`."""
        if self._idle:
            number = self._idle.pop()
        else:
            number = len(self._threads)
            self._inboxes.append(SimpleQueue())
            thread = threading.Thread(target=self._serve, args=(number,), name=f"worker {number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._inboxes[number].put((start, work))
        return number

    def ended(self, finished: Finished) -> None:
        self._idle.append(finished.worker)

    def close(self) -> None:
        """Once nothing runs any more."""
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self, number: int) -> None:
        inbox = self._inboxes[number]
        while (given := inbox.get()) is not None:
            start, work = given
            try:
                finished = Finished(start, number, work(number))
            except BaseException as error:
                finished = Finished(start, number, error=error)
            self._events.put(finished)
