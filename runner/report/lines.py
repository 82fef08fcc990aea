"""The reporter for people: a header per segment, its output as it comes, a summary at the end."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Sequence

from runner.ground.words import size_text, time_text
from runner.model import Outcome, Segment
from runner.report import Row
from runner.report.console import Console

MOST_SKIPPED = 20  # finished segments that are listed one by one before a run
_STATE_STYLE = {"succeeded": "green", "accepted": "green", "failed": "red", "timed out": "red", "stopped": "yellow"}
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


class LineReporter:
    def __init__(self, console: Console, *, windows: bool = False, verbose: bool = False) -> None:
        self._console = console
        self._windows = windows
        self._verbose = verbose
        self._lock = threading.RLock()
        self._list_skipped = True
        self._announced: set[str] = set()
        self._current = ""
        self._expected: float | None = None

    def begin(self, pipeline: str, count: int, to_run: int) -> None:
        done = count - to_run
        text = f"{pipeline}: {count} segment{'s' if count != 1 else ''}"
        if to_run == 0:
            text += ", all done" if count else ", nothing to do"
        elif done:
            text += f", {done} done, {to_run} to run"
        self._list_skipped = done <= MOST_SKIPPED
        self._line(text)

    def skipped(self, segment: Segment, reason: str) -> None:
        if not self._list_skipped:
            return
        self._line(self._console.style(f"· {segment.number}. {segment.name or '(no name)'} – {reason}", "dim"))

    def control(self, segment: Segment, action: str, text: str) -> None:
        name = f" ({segment.name})" if segment.name else ""
        self._line(self._console.style(f"── {segment.number}. {action}{name}: {text}".rstrip(": "), "cyan"))

    def preparing(self, title: str, ahead: bool) -> None:
        if not ahead:
            self._announced.add(title)
            self._line(self._console.style(f"   preparing {title} …", "dim"))

    def prepared(self, title: str, seconds: float) -> None:
        if title not in self._announced:
            return  # made ahead: a word of it would stand in the middle of a segment's progress bar
        self._line(self._console.style(f"   {title} is ready ({time_text(seconds)})", "dim"))

    def started(self, segment: Segment, total: int, expected: float | None, argv: Sequence[str], cwd: str) -> None:
        console = self._console
        hint = f" · last time {time_text(expected)}" if expected else ""
        where = f" · {segment.environment}" if segment.environment else ""
        with self._lock:
            self._current = f"{segment.number}/{total} {segment.name}"
            self._expected = expected
            console.line()
            console.line(
                console.style("── ", "cyan")
                + console.style(f"{segment.number}/{total} {segment.name or '(no name)'}", "bold", "cyan")
                + console.style(f"{where}{hint} ", "cyan")
                + console.style("─" * max(3, 66 - len(self._current + where + hint)), "cyan")
            )
            if self._verbose:
                console.line(console.style(f"   in {cwd}: {command_text(argv, windows=self._windows)}", "dim"))

    def output(self, chunk: bytes) -> None:
        with self._lock:
            self._console.raw(chunk)

    def tick(self, seconds: float) -> None:
        expected = f" (last time {time_text(self._expected)})" if self._expected else ""
        with self._lock:
            self._console.live(f"   … {self._current}: {time_text(seconds)}{expected}")

    def ended(self, segment: Segment, outcome: Outcome, state: str, note: str, log: str) -> None:
        console = self._console
        peak = size_text(outcome.peak_memory)
        parts = [f"{_STATE_MARK.get(state, '·')} {state} in {time_text(outcome.duration)}"]
        if peak:
            parts.append(f"peak memory {peak}")
        if outcome.gpu_memory:
            parts.append(f"GPU memory {size_text(outcome.gpu_memory)}")
        with self._lock:
            console.line(console.style("   " + ", ".join(parts), _STATE_STYLE.get(state, "yellow")))
            if outcome.leftovers:
                names = ", ".join(outcome.leftovers)
                console.line(console.style(f"   ended what it had left running: {names}", "yellow"))
            for text in note.splitlines():
                console.line(console.style(f"   {text}", _STATE_STYLE.get(state, "yellow")))
            if state != "succeeded":
                console.line(f"   log: {log}")

    def warn(self, text: str) -> None:
        self._line(self._console.style(f"warning: {text}", "yellow"))

    def note(self, text: str) -> None:
        self._line(text)

    def end(self, rows: Sequence[Row], exit_code: int, record: str, advice: str) -> None:
        with self._lock:
            if rows:
                self._console.line()
                self._table(rows, record)
            if record:
                self._console.line(self._console.style(f"record of this run: {record}", "dim"))
            for text in advice.splitlines():
                self._console.line(self._console.style(text, "green" if exit_code == 0 else "yellow"))

    def _table(self, rows: Sequence[Row], record: str) -> None:
        console = self._console
        names = [f"{row.segment.number}. {row.segment.name or '(no name)'}" for row in rows]
        width = min(48, max(len(name) for name in names))
        states = max(len(row.state) for row in rows)
        for name, row in zip(names, rows, strict=True):
            took = time_text(row.seconds)
            shown = name if len(name) <= width else name[: width - 1] + "…"
            text = f"{_STATE_MARK.get(row.state, '·')} {shown:<{width}}  {row.state:<{states}}  {took:>12}"
            text += f"  {size_text(row.peak_memory):>8}  {_below(row.log, record)}"
            style = _STATE_STYLE.get(row.state, "dim")
            console.line(console.style(text.rstrip(), style))
            if row.note and row.state not in ("succeeded", "skipped"):
                console.line(console.style(f"    {row.note.splitlines()[0]}", style))

    def _line(self, text: str) -> None:
        with self._lock:
            self._console.line(text)
