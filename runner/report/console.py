"""The terminal: colour, characters that it can show, and one line that changes (elapsed time)."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TextIO

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
# for consoles without UTF-8
ASCII = {"─": "-", "│": "|", "✓": "ok", "✗": "x", "→": "->", "…": "...", "·": "-", "–": "-", "⏸": "||", "µ": "u"}


def wants_colour(environ: Mapping[str, str], terminal: bool) -> bool:
    """NO_COLOR (any value but empty) wins, then FORCE_COLOR, then whether it is a terminal that can."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return terminal and environ.get("TERM") != "dumb"


@dataclass
class Console:
    """Text goes through `line`, a segment's bytes through `raw`; both to the same place, in order.

    A screen that is gone (a closed pipe) is noted once and written to no more: a run goes on without it.
    """

    stream: TextIO
    colour: bool = False
    terminal: bool = False
    unicode: bool = True
    # a segment's bytes are text here: Windows' console takes bytes for its OEM code page, and a stream of another
    # encoding would hold two of them
    decodes: bool = False
    moves: bool = False  # a terminal whose cursor can be sent to another line
    gone: bool = False
    _at_line_start: bool = field(default=True, repr=False)
    _live: int = field(default=0, repr=False)
    _decoder: codecs.IncrementalDecoder | None = field(default=None, repr=False)

    def style(self, text: str, *names: str) -> str:
        if not self.colour or not text:
            return text
        return "".join(f"\x1b[{CODES[name]}m" for name in names) + text + "\x1b[0m"

    def plain(self, text: str) -> str:
        """`text` with what this console cannot show replaced."""
        if self.unicode:
            return text.encode("utf-8", "backslashreplace").decode("utf-8")
        for char, stand_in in ASCII.items():
            text = text.replace(char, stand_in)
        return self._writable(text)

    def line(self, text: str = "", *styles: str) -> None:
        self.write(self.start_of_line() + self.plain(self.style(text, *styles)) + "\n")

    def start_of_line(self) -> str:
        """What must be written before a line of ours."""
        self.clear_live()
        self._finish_decoding()
        lead = "" if self._at_line_start else "\n"
        self._at_line_start = True
        return lead

    def raw(self, chunk: bytes) -> None:
        """Bytes of a segment, untouched (a progress bar's `\\r` too)."""
        if self.gone or not chunk:
            return
        self.clear_live()
        self._at_line_start = chunk.endswith(b"\n")
        try:
            self.stream.flush()
            descriptor = -1 if self.decodes else self.stream.fileno()
        except (OSError, ValueError):
            descriptor = -1
        if descriptor < 0:
            self._write_decoded(chunk)
            return
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError:
            self.gone = True

    def _write_decoded(self, chunk: bytes, *, final: bool = False) -> None:
        if self._decoder is None:
            from runner.ground.text import decoder

            self._decoder = decoder()
        # the stream makes its own line ends
        self.write(self._writable(self._decoder.decode(chunk, final).replace("\r\n", "\n")))

    def _finish_decoding(self) -> None:
        """Half a character at a segment's end."""
        if self._decoder is not None:
            self._write_decoded(b"", final=True)
            self._decoder = None

    def _writable(self, text: str) -> str:
        encoding = self.stream.encoding or "ascii"
        return text.encode(encoding, "backslashreplace").decode(encoding)

    def live(self, text: str) -> None:
        """A line that the next output replaces; only on a terminal, and never inside a line of the segment's."""
        if not self.terminal or not self._at_line_start:
            return
        self.clear_live()
        text = self.plain(text)[: self.size()[0] - 1]
        self._live = len(text)  # first: Ctrl-C may come any moment
        self.write("\r" + self.style(text, "dim"))

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal as it is now."""
        columns = lines = 0
        with contextlib.suppress(OSError, ValueError):
            columns, lines = os.get_terminal_size(self.stream.fileno())
        return columns or 80, lines or 24  # some say that they have none

    def clear_live(self) -> None:
        if self._live:
            self.write("\r" + " " * self._live + "\r")
            self._live = 0

    def write(self, text: str) -> None:
        if self.gone:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            self.gone = True


def open_console(stream: TextIO | None, environ: Mapping[str, str], platform: str = sys.platform) -> Console:
    """A console on `stream`; on Windows colorama makes old consoles understand colour."""
    if stream is None:  # pythonw, a service
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    terminal = False
    with contextlib.suppress(OSError, ValueError):
        terminal = stream.isatty()
    colour = wants_colour(environ, terminal)
    if (colour or terminal) and sys.platform == "win32":
        import colorama

        own = {id(sys.stdout): "stdout", id(sys.stderr): "stderr"}.get(id(stream))
        colorama.just_fix_windows_console()
        stream = getattr(sys, own) if own else stream  # in old consoles it translates what goes through it
    encoding = (stream.encoding or "").lower().replace("-", "")
    unicode = encoding in ("utf8", "utf16", "utf16le") or encoding.startswith("utf")
    decodes = not unicode or (terminal and platform == "win32")
    return Console(stream, colour, terminal, unicode, decodes, moves=terminal and environ.get("TERM") != "dumb")
