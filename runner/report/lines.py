"""The reporter for people: a header per segment, its output as it comes, a summary at the end."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.ground.words import size_text, time_text
from runner.records.journal import Event
from runner.report.apart import Apart
from runner.report.console import Console

if TYPE_CHECKING:
    from runner.report.many import ManyItems

Data = Mapping[str, Any]  # of an event

MOST_SKIPPED = 20  # finished segments that are listed one by one before a run
_STATE_STYLE = {"succeeded": "green", "accepted": "green", "failed": "red", "timed out": "red", "stopped": "yellow"}
_COUNTS = {"done": "done", "failed": "failed", "not_run": "not run", "stopped": "stopped", "skipped": "done before"}
_STATE_MARK = {"succeeded": "✓", "accepted": "✓", "failed": "✗", "timed out": "✗", "stopped": "✗", "skipped": "·"}


def command_text(argv: Sequence[str], *, windows: bool) -> str:
    """`argv` as one would type it."""
    if windows:
        import subprocess

        return subprocess.list2cmdline(argv)
    return shlex.join(argv)


def _below(path: str, folder: str) -> str:
    """`path` from `folder` on, where it lies in it: the summary names the folder once."""
    return path[len(folder) :].lstrip("/\\") if folder and path.startswith(folder) else path


@dataclass
class _Running:
    title: str
    expected: float | None
    seconds: float = 0.0

    @property
    def text(self) -> str:
        last = f" (last time {time_text(self.expected)})" if self.expected else ""
        return f"{self.title}: {time_text(self.seconds)}{last}"


class LineReporter:
    """`clock`: stands still while the runner is suspended."""

    def __init__(
        self,
        console: Console,
        *,
        windows: bool = False,
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._windows = windows
        self._verbose = verbose
        self._lock = threading.RLock()
        self._list_skipped = True
        self._announced: set[str] = set()
        self._running: dict[int, _Running] = {}
        self._apart = Apart(console.raw, self._line)
        self._clock = clock
        self._many: ManyItems | None = None  # from the first segment over many items on
        self._failed = 0  # items of the whole run
        self._pipeline = ""

    def on(self, event: Event) -> None:
        if event.item is not None:
            if self._many is not None:
                self._many.on_item(event, event.data)
            return
        show = getattr(self, "_on_" + event.kind.replace("-", "_"), None)
        if show is not None:
            with self._lock:
                show(event, event.data)
                if self._many is not None:
                    self._many.refresh()

    @property
    def _live(self) -> bool:
        return self._many is not None and self._many.region is not None

    def _line(self, text: str = "") -> None:
        if self._many is not None and self._live:
            self._many.line(text)
        else:
            self._console.line(text)

    def _on_begin(self, event: Event, data: Data) -> None:
        count, to_run = data["segments"], data["to_run"]
        self._pipeline = data["pipeline"]
        done = count - to_run
        text = f"{data['pipeline']}: {count} segment{'s' if count != 1 else ''}"
        if to_run == 0:
            text += ", all done" if count else ", nothing to do"
        elif done:
            text += f", {done} done, {to_run} to run"
        self._list_skipped = done <= MOST_SKIPPED
        self._console.line(text)

    def _on_skip(self, event: Event, data: Data) -> None:
        if self._list_skipped:
            self._say(f"· {event.segment}. {event.name or '(no name)'} – {data['reason']}", "dim")

    def _on_control(self, event: Event, data: Data) -> None:
        name = f" ({event.name})" if event.name else ""
        if self._many is not None and data["action"] == "pause":
            self._many.stop()  # a question is asked below
        self._say(f"── {event.segment}. {data['action']}{name}: {data['text']}".rstrip(": "), "cyan")

    def _on_preparing(self, event: Event, data: Data) -> None:
        if not data["ahead"] and data["title"] not in self._announced:  # several items may wait for it
            self._announced.add(data["title"])
            self._say(f"   preparing {data['title']} …", "dim")

    def _on_prepared(self, event: Event, data: Data) -> None:
        # made ahead: a word of it would stand in the middle of a segment's progress bar
        if data["title"] in self._announced:
            self._announced.discard(data["title"])
            self._say(f"   {data['title']} is ready ({time_text(data['seconds'])})", "dim")

    def _on_start(self, event: Event, data: Data) -> None:
        expected = data["expected"]
        hint = f" · last time {time_text(expected)}" if expected else ""
        where = f" · {data['environment']}" if data["environment"] else ""
        number = event.segment or 0
        title = f"{number}/{data['total']} {event.name}"
        self._running[number] = _Running(title, expected)
        self._apart.begin(number, event.name)
        self._head(title if event.name else title + "(no name)", f"{where}{hint}")
        if self._verbose:
            self._say(f"   in {data['cwd']}: {command_text(data['argv'], windows=self._windows)}", "dim")

    def _head(self, title: str, rest: str) -> None:
        console = self._console
        self._line()
        self._line(
            console.style("── ", "cyan")
            + console.style(title, "bold", "cyan")
            + console.style(f"{rest} ", "cyan")
            + console.style("─" * max(3, 66 - len(title + rest)), "cyan")
        )

    def output(self, chunk: bytes, segment: int | None = None) -> None:
        with self._lock:
            self._apart.output(chunk, segment, lines=self._live)

    def tick(self, seconds: float, segment: int | None = None) -> None:
        with self._lock:
            if (running := self._running.get(segment or 0)) is not None:
                running.seconds = seconds
            if not self._live and (told := "; ".join(self._beside())):
                self._console.live(f"   … {told}")

    def _beside(self) -> list[str]:
        return [one.text for one in self._running.values()]

    def _on_items(self, event: Event, data: Data) -> None:
        number = event.segment or 0
        where = f" · {data['environment']}" if data["environment"] else ""
        self._head(f"{number}/{data['total_segments']} {event.name or '(no name)'}", where)
        self._say(f"   {data['sentence']}", "dim")
        if self._many is None:
            from runner.report.many import ManyItems

            self._many = ManyItems(self._console, self._lock, self._clock, self._beside)
        self._many.begin(event, data)

    def _on_forecast(self, event: Event, data: Data) -> None:
        for text in data["text"].splitlines():
            self._say(f"   {text}", "cyan")

    def _on_end(self, event: Event, data: Data) -> None:
        self._apart.end(event.segment or 0)
        self._running.pop(event.segment or 0, None)
        if self._many is not None:
            self._many.end(event.segment or 0)
        if self._running or (self._many is not None and self._many.busy):  # others go on: whose end it is
            self._say(f"── {event.segment}. {event.name}".rstrip(". "), "cyan")
        state = data["state"]
        style = _STATE_STYLE.get(state, "yellow")
        took = "" if data["seconds"] is None else f" in {time_text(data['seconds'])}"
        parts = [f"{_STATE_MARK.get(state, '·')} {state}{took}"]
        if peak := size_text(data["peak_memory"]):
            parts.append(f"peak memory {peak}")
        if data["gpu_memory"]:
            parts.append(f"GPU memory {size_text(data['gpu_memory'])}")
        self._say("   " + ", ".join(parts), style)
        if data["leftovers"]:
            self._say(f"   ended what it had left running: {', '.join(data['leftovers'])}", "yellow")
        if counts := data.get("items"):
            self._failed += counts["failed"]
            told = [f"{counts[key]:,} {word}" for key, word in _COUNTS.items() if counts.get(key)]
            self._say(f"   items: {', '.join(told) or 'none'}", style)
        for text in data["explanation"].splitlines():
            self._say(f"   {text}", style)
        if state != "succeeded":
            self._line(f"   log: {data['log']}")

    def _on_warning(self, event: Event, data: Data) -> None:
        self._say(f"warning: {data['text']}", "yellow")

    def _on_note(self, event: Event, data: Data) -> None:
        self._line(data["text"])

    def _on_summary(self, event: Event, data: Data) -> None:
        if self._many is not None:
            self._many.stop()
        if data["segments"]:
            self._line()
            self._table(data["segments"], data["record"])
        if failed := data.get("failed_items"):
            self._failed_items(failed)
        if data["record"]:
            self._say(f"record of this run: {data['record']}", "dim")
        for text in data["advice"].splitlines():
            self._say(text, "green" if data["exit_code"] == 0 else "yellow")

    def _failed_items(self, items: Sequence[Data]) -> None:
        from runner.report.many import where_it_is
        from runner.report.progress import shown

        self._line()
        for item in items:
            why = (item["explanation"].splitlines() or ["it failed"])[0]
            self._say(f"✗ {item['segment']}. {shown(item['item'])} – {shown(why)}", "red")
            for text in where_it_is(item, self._console):
                self._line(text)
        if (more := self._failed - len(items)) > 0:
            self._say(f'and {more:,} more: run-pipeline status "{self._pipeline}" --items --json', "yellow")

    def _table(self, rows: Sequence[Data], record: str) -> None:
        names = [f"{row['segment']}. {row['name'] or '(no name)'}" for row in rows]
        width = min(48, max(len(name) for name in names))
        states = max(len(row["state"]) for row in rows)
        for name, row in zip(names, rows, strict=True):
            state, seconds = row["state"], row["seconds"]
            took = time_text(seconds)
            shown = name if len(name) <= width else name[: width - 1] + "…"
            text = f"{_STATE_MARK.get(state, '·')} {shown:<{width}}  {state:<{states}}  {took:>12}"
            text += f"  {size_text(row['peak_memory']):>8}  {_below(row['log'], record)}"
            style = _STATE_STYLE.get(state, "dim")
            self._say(text.rstrip(), style)
            if row["note"] and state not in ("succeeded", "skipped"):
                self._say(f"    {row['note'].splitlines()[0]}", style)

    def _say(self, text: str, *styles: str) -> None:
        self._line(self._console.style(text, *styles))
