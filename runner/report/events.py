"""The reporter for programs: one JSON object a line on stdout; a segment's own output goes to stderr."""

from __future__ import annotations

import json
import threading
from typing import IO

from runner.records.journal import Event
from runner.report.apart import Apart
from runner.report.console import Console


class EventReporter:
    """See `runner.records.journal`."""

    def __init__(self, stream: IO[str], output: Console) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._gone = False
        self._apart = Apart(output.raw, output.line)

    def on(self, event: Event) -> None:
        text = json.dumps(event.as_line(), ensure_ascii=True)
        with self._lock:
            if event.segment is not None and event.kind == "start":
                self._apart.begin(event.segment, event.name)
            elif event.segment is not None and event.kind == "end":
                self._apart.end(event.segment)
            if self._gone:
                return
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._gone = True

    def output(self, chunk: bytes, segment: int | None = None) -> None:
        self._apart.output(chunk, segment)

    def tick(self, seconds: float, segment: int | None = None) -> None:
        pass
