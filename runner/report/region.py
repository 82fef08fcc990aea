"""The lines at the bottom of a terminal that change, below all that stays.

rich knows how wide a text is; where it stands is our own affair: rich's live region is torn when a window gets
narrower, and after Ctrl-Z. The cursor stands below the region and is never hidden: whatever ends us leaves it right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.cells import cell_len, set_cell_size

from runner.report.console import Console

_NARROWEST = 10


def fitted(text: str, width: int, console: Console, *, end: bool = False) -> str:
    """`text` in `width` columns at most; `end`: its end is what tells it from others, as of a path."""
    text = console.plain(text)
    if cell_len(text) <= width:
        return text
    dots = "…" if console.unicode else "~"
    if not end:
        return set_cell_size(text, max(width - 1, 0)).rstrip() + dots
    text = text[-width:]
    while cell_len(text) >= width:
        text = text[1:]
    return dots + text


def bar(good: float, bad: float, width: int, console: Console) -> str:
    """Shares of one that are done well and not."""
    red = min(width, max(1, round(bad * width))) if bad else 0
    green = min(width - red, int(good * width + 1e-9))
    rest = width - green - red
    if not console.unicode:
        return "#" * green + "x" * red + "-" * rest
    style = console.style
    return style("━" * green, "green") + style("━" * red, "red") + style("─" * rest, "dim")


class Region:
    """Used under the lock of the screen."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console, self._clock = console, clock
        self._widths: list[int] = []  # of the lines that stand there
        self._asleep = self._slept()
        self.size = self._measured()

    def _slept(self) -> float:
        """Seconds for which we were suspended: `clock` stood still, and a shell has written below the region since."""
        return time.monotonic() - self._clock()

    def _measured(self) -> tuple[int, int]:
        """Columns that may be used (the last one makes some terminals go on in the next line), and lines."""
        columns, lines = self._console.size()
        return max(_NARROWEST, columns - 1), lines

    def _back(self) -> str:
        """To the first line of the region, and away with all below."""
        self.size = columns, rows = self._measured()
        slept = self._slept()
        if slept - self._asleep > 0.05:
            self._asleep, self._widths = slept, []
        # a window that was made narrower has broken them in two
        up = min(sum(max(1, -(-width // (columns + 1))) for width in self._widths), rows - 1)
        self._widths = []
        return f"\x1b[{up}A\r\x1b[J" if up else ""

    def draw(self, lines: Callable[[int, int], Sequence[tuple[str, int]]], above: Sequence[str] = ()) -> None:
        """`lines`: for so many columns and rows, each with its width. `above`: what stays, over it."""
        console = self._console
        text = self._back() + console.start_of_line()
        text += "".join(console.plain(line) + "\n" for line in above)
        drawn = lines(self.size[0], self.size[1] - 1)
        self._widths = [width for _, width in drawn]
        console.write(text + "".join(console.plain(line) + "\n" for line, _ in drawn))

    def clear(self) -> None:
        if self._widths:
            self._console.write(self._back())
