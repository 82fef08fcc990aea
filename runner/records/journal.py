"""What happens in a run, told once: written down as a line of events.jsonl, and handed to what shows it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from runner.frozen import frozen
from runner.ground.away import says_away
from runner.ground.files import state_errors
from runner.ground.plain import NO_LINK
from runner.model import Segment

NAME = "events.jsonl"
_MOST_KEPT = 1 << 20  # bytes


def now_text() -> str:
    """Local time with its offset, to the millisecond."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


@frozen
class Event:
    """One thing that happened.

    Kinds: begin, skip, control, preparing, prepared, start, end, warning, note, summary; of segments that go over many
    items also items, item-start, item-end, forecast.
    """

    kind: str
    time: str
    segment: int | None = None
    name: str = ""  # of the segment
    item: str | None = None  # its key
    data: Mapping[str, Any] = field(default_factory=dict)

    def as_line(self) -> dict[str, Any]:
        who = {} if self.segment is None else {"segment": self.segment, "name": self.name}
        item = {} if self.item is None else {"item": self.item}
        return {"event": self.kind, "time": self.time, **who, **item, **self.data}


class Reporter(Protocol):
    """Shows what happens. It never raises for a closed screen, and may be called from any thread.

    `segment`: whose output it is, and whose time; None: of what is done between segments.
    """

    def on(self, event: Event) -> None: ...
    def output(self, chunk: bytes, segment: int | None = None) -> None: ...
    def tick(self, seconds: float, segment: int | None = None) -> None: ...


class Journal:
    """Tells the reporter, and once a run is open its record; safe between threads."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self._lock = Lock()
        self._file: int | None = None
        self._path = Path()
        self._kept: list[bytes] = []  # what could not be written, as the share was away
        self._torn = False  # the last line is not whole: the disk is full

    def open(self, folder: Path) -> None:
        """Raises StateError."""
        self._path = folder / NAME
        with state_errors("write", self._path):
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK, 0o666)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
            self._file = None

    def say(self, kind: str, segment: Segment | None = None, item: str | None = None, **data: Any) -> None:
        number, name = (segment.number, segment.name) if segment is not None else (None, "")
        event = Event(kind, now_text(), number, name, item, data)
        if self._file is not None:
            self._write(event)
        self.reporter.on(event)

    def _write(self, event: Event) -> None:
        """One that cannot be written is left out: whether a run can go on is told by its receipts."""
        line = json.dumps(event.as_line(), ensure_ascii=True).encode("ascii") + b"\n"
        with self._lock:
            if self._file is None:
                return
            line = b"\n" * self._torn + b"".join(self._kept) + line
            try:
                self._torn = os.write(self._file, line) != len(line)
                self._kept.clear()
            except OSError as error:
                self._torn = True
                if says_away(error):
                    self._open_again(line.lstrip(b"\n"))

    def _open_again(self, line: bytes) -> None:
        """What was opened before its share went away is of no use once it is back; what is told meanwhile is kept."""
        self._kept = [line] if len(line) < _MOST_KEPT else []
        with suppress(OSError):
            again = os.open(self._path, os.O_WRONLY | os.O_APPEND | NO_LINK)
            if self._file is not None:
                os.close(self._file)
            self._file = again

    def warn(self, text: str) -> None:
        self.say("warning", text=text)

    def note(self, text: str) -> None:
        self.say("note", text=text)
