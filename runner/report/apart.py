"""What segments print that run at the same time: whole lines, each with its segment's name. A lone one's bytes pass."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from runner.ground.text import decoded

_LONGEST = 1 << 16  # bytes of a line that does not end
# what moves the cursor, or asks the terminal for something; colours stay
_MOVES = re.compile(
    r"\x1b\[[0-9;?>=!]*[ -/]*[@-ln-~]"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b[^\[]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)


def line_of(data: bytes) -> str:
    """A line as a terminal shows it in the end: what a progress bar wrote before is overwritten."""
    drawn = [part for part in data.rstrip(b"\r\n").split(b"\r") if part]
    text = _MOVES.sub("", decoded(drawn[-1])) if drawn else ""
    return text + "\x1b[0m" if "\x1b[" in text else text


class Apart:
    """`raw` takes bytes of the only one, `line` a line of one of several. Safe between threads."""

    def __init__(self, raw: Callable[[bytes], None], line: Callable[[str], None]) -> None:
        self._raw, self._line = raw, line
        self._lock = threading.RLock()
        self._names: dict[int, str] = {}  # of those that run
        self._half: dict[int | None, bytes] = {}  # of a line that has not ended

    def begin(self, segment: int, name: str) -> None:
        with self._lock:
            self._names[segment] = f"{segment}. {name}".rstrip(". ")

    def end(self, segment: int) -> None:
        with self._lock:
            if rest := self._half.pop(segment, b""):
                self._say(rest, segment)
            self._names.pop(segment, None)

    def output(self, chunk: bytes, segment: int | None, *, lines: bool = False) -> None:
        """`lines`: also of a lone one, since something else is on the screen that must stay whole."""
        with self._lock:
            data = self._half.pop(segment, b"") + chunk
            if not lines and (len(self._names) < 2 or segment is None):
                self._raw(data)
                return
            *whole, rest = data.split(b"\n")
            for one in whole:
                self._say(one, segment)
            if len(rest) > _LONGEST and b"\r" in rest:
                rest = rest[rest.rstrip(b"\r").rfind(b"\r") + 1 :]
            if len(rest) > _LONGEST:
                self._say(rest, segment)
            elif rest:
                self._half[segment] = rest

    def _say(self, line: bytes, segment: int | None) -> None:
        text = line_of(line)
        name = self._names.get(segment) if segment is not None else None
        self._line(f"{name} │ {text}" if name else text)
