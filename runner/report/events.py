"""The reporter for programs: one JSON object a line on stdout; a segment's own output goes to stderr."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import IO

from runner.records.journal import Event


class EventReporter:
    """See `runner.records.journal`."""

    def __init__(self, stream: IO[str], output: Callable[[bytes], None]) -> None:
        self.output = output
        self._stream = stream
        self._lock = threading.Lock()
        self._gone = False

    def on(self, event: Event) -> None:
        text = json.dumps(event.as_line(), ensure_ascii=True)
        with self._lock:
            if self._gone:
                return
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._gone = True

    def tick(self, seconds: float) -> None:
        pass
