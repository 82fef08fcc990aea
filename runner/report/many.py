"""Segments over many items, for people: a region that changes at a terminal, a line now and then anywhere else.

What an item says takes no lock of the screen's: a terminal that stands still (Ctrl-S) holds up no item.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from runner.ground.words import time_text
from runner.records.journal import Event
from runner.report.apart import line_of
from runner.report.console import Console
from runner.report.progress import Progress, Started, shown

if TYPE_CHECKING:
    from runner.report.region import Region

MOST_TOLD = 10  # failed items of a segment that are shown one by one
MOST_ROWS = 8  # items of a segment that run, in the region
_EACH = 0.25  # seconds between two pictures
_SELDOM = 10.0  # seconds between two lines, where there is no region
_HELD = 500  # lines that wait for the next picture
_LONGEST = 500  # signs of a failed item's line


class ManyItems:
    """`screen` is held by whoever writes to `console`; `others` tells of plain segments that run beside."""

    def __init__(
        self,
        console: Console,
        screen: threading.RLock,  # type: ignore[valid-type, unused-ignore]
        clock: Callable[[], float],
        others: Callable[[], list[str]],
    ) -> None:
        self._console, self._screen, self._clock, self._others = console, screen, clock, others
        self._state = threading.Lock()  # of what items change; never held while anything is written
        self._going: dict[int, Progress] = {}
        self._told: list[str] = []  # of failed items, to be shown
        self._held: list[str] = []  # other lines, which come first
        self._wake = threading.Event()
        self._last = clock()
        self.region: Region | None = None

    @property
    def busy(self) -> bool:
        return bool(self._going)

    def begin(self, event: Event, data: Mapping[str, Any]) -> None:
        with self._state:
            self._going[event.segment or 0] = Progress(event.segment or 0, event.name, data["to_run"], self._clock)
        if self.region is None and self._console.moves:
            from runner.report.region import Region

            self.region = Region(self._console, self._clock)
            threading.Thread(target=self._draw_on, args=(self.region,), name="region", daemon=True).start()

    def end(self, number: int) -> None:
        """It has ended, or was stopped; with the last one the region goes."""
        with self._state:
            self._going.pop(number, None)
        self.refresh()

    def stop(self) -> None:
        with self._state:
            self._going.clear()
        self.refresh()

    def on_item(self, event: Event, data: Mapping[str, Any]) -> None:
        key = event.item or ""
        with self._state:
            going = self._going.get(event.segment or 0)
            if going is None:
                return
            if event.kind == "item-start":
                going.start(key, tuple(data.get("gpus") or ()))
                return
            going.end(key, data["state"])
            if data["state"] in ("failed", "timed out"):
                self._told += self._failed(key, going, data)
            told = bool(self._told)
            due = not self._console.moves and self._clock() - self._last >= _SELDOM
        if self.region is not None:
            if told:
                self._wake.set()
        elif told or due:
            with self._screen:
                self._show(due=due)

    def line(self, text: str) -> None:
        """A line of somebody else, above the region with its next picture. The screen is held."""
        self._held.append(text)
        if len(self._held) > _HELD:
            self.refresh()

    def refresh(self) -> None:
        """Everything that was told, and a new picture. The screen is held."""
        self._wake.clear()
        if self.region is None:
            self._show(due=False)
            return
        with self._state:
            told, self._told = self._held + self._told, []
            self._held = []
            over = not self._going
        if over:
            self.region.clear()
            self.region = None
            for text in told:
                self._console.line(text)
        else:
            self.region.draw(self._rows, told)

    def _show(self, *, due: bool) -> None:
        with self._state:
            told, self._told = self._told, []
            if due and self._clock() - self._last >= _SELDOM:
                self._last = self._clock()
                told += [f"   {going.title}: {', '.join(going.parts())}" for going in self._going.values()]
        for text in told:
            self._console.line(text)

    def _draw_on(self, region: Region) -> None:
        while True:
            before = time.monotonic()
            self._wake.wait(_EACH)
            if time.monotonic() - before > 2 * _EACH:
                time.sleep(_EACH)  # we were suspended: `clock` is told so by another thread, which must come first
            with self._screen:
                if self.region is not region or self._console.gone:
                    return
                self.refresh()
            time.sleep(_EACH / 5)  # however many fail

    def _failed(self, key: str, going: Progress, data: Mapping[str, Any]) -> Iterator[str]:
        style = self._console.style
        if going.failed > MOST_TOLD + 1:
            return
        if data.get("lost"):  # with its job, of which a warning told
            return
        if going.failed == MOST_TOLD + 1:
            yield style(f"   ✗ more items of {shown(going.title)} fail; the end of the run says how many", "red")
            return
        why = [shown(text) for text in data["explanation"].splitlines()] or [data["state"]]
        yield style(f"   ✗ {shown(key)} – {data['state']} after {time_text(data['seconds'])}: {why[0]}", "red")
        for text in why[1:]:
            yield style(f"     {text}", "red")
        for text in data.get("tail") or ():
            yield "     " + style("│ ", "dim") + line_of(text.encode("utf-8", "surrogateescape"))[:_LONGEST]
        yield from where_it_is(data, self._console)

    def _rows(self, columns: int, rows: int) -> list[tuple[str, int]]:
        """The picture: each line with its width."""
        from runner.report.region import fitted

        console, found = self._console, list[tuple[str, int]]()
        with self._state:
            going = [(one, list(one.longest(MOST_ROWS))) for one in self._going.values()]
        others = self._others()
        each = max(0, min(MOST_ROWS, (rows - len(others)) // max(1, len(going)) - 3))
        for progress, running in going:
            found += _head(progress, columns, console)
            found += [_item(key, one, progress, columns, console) for key, one in running[:each]]
            if (more := len(progress.running) - min(each, len(running))) > 0:
                text = fitted(f"     and {more:,} more", columns, console)
                found.append((console.style(text, "dim"), len(text)))
        for text in others:
            text = fitted(f"   {text}", columns, console)
            found.append((text, columns))
        return found[:rows]


def where_it_is(data: Mapping[str, Any], console: Console) -> Iterator[str]:
    if data.get("log"):
        yield f"     log: {shown(data['log'])}"
    if data.get("again"):
        yield f"     again: {console.style(shown(data['again']), 'bold')}"


def _head(one: Progress, columns: int, console: Console) -> list[tuple[str, int]]:
    """In one line where it fits, else in two."""
    from rich.cells import cell_len

    from runner.report.region import bar, fitted

    parts, took = list(one.parts()), time_text(round(one.seconds))
    total = max(1, one.to_run)

    def with_bar(lead: str, text: str) -> tuple[str, int]:
        width = min(30, columns - cell_len(lead) - cell_len(text) - 3)
        if width < 3:
            text = fitted(f"   {text}", columns, console)
            return text, cell_len(text)
        drawn = bar(one.good / total, (one.failed + one.not_run) / total, width, console)
        return f"{console.style(lead, 'bold')}  {drawn} {text}", cell_len(lead) + 3 + width + cell_len(text)

    mark = " · " if console.unicode else ", "
    title, text = console.plain(f"   {shown(one.title)}"), mark.join([*parts, took])
    if cell_len(title) + cell_len(text) + 14 <= columns:
        return [with_bar(title, text)]
    first = fitted(title, columns - len(took) - 2, console)
    lines = [(console.style(first, "bold") + "  " + took, cell_len(first) + 2 + len(took))]
    while len(parts) > 1 and len(mark.join(parts)) + 12 > columns:
        del parts[-2 if len(parts) > 2 else -1]
    return [*lines, with_bar("  ", mark.join(parts))]


def _item(key: str, started: Started, progress: Progress, columns: int, console: Console) -> tuple[str, int]:
    from rich.cells import cell_len

    from runner.report.region import fitted

    took = time_text(round(progress.so_far(started)))
    gpus = f"  GPU {', '.join(started.gpus)}" if started.gpus else ""
    rest = fitted(f"  {took}{gpus}", columns // 2, console)
    name = fitted(shown(key), columns - 5 - cell_len(rest), console, end=True)
    return f"     {name}{console.style(rest, 'dim')}", 5 + cell_len(name) + cell_len(rest)
