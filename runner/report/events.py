"""The reporter for programs: one JSON object a line on stdout; a segment's own output goes to stderr."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

from runner.model import Outcome, Segment
from runner.report import Row
from runner.state.records import now_text


class EventReporter:
    """Events: begin, skip, control, preparing, prepared, start, end, warning, note, summary."""

    def __init__(self, stream: IO[str], output: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._output = output
        self._lock = threading.Lock()
        self._gone = False

    def emit(self, event: str, **values: Any) -> None:
        text = json.dumps({"event": event, **values}, ensure_ascii=True)
        with self._lock:
            if self._gone:
                return
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._gone = True

    def begin(self, pipeline: str, count: int, to_run: int) -> None:
        self.emit("begin", time=now_text(), pipeline=pipeline, segments=count, to_run=to_run)

    def skipped(self, segment: Segment, reason: str) -> None:
        self.emit("skip", **_who(segment), reason=reason)

    def control(self, segment: Segment, action: str, text: str) -> None:
        self.emit("control", **_who(segment), action=action, text=text)

    def preparing(self, title: str, ahead: bool) -> None:
        self.emit("preparing", time=now_text(), title=title, ahead=ahead)

    def prepared(self, title: str, seconds: float) -> None:
        self.emit("prepared", time=now_text(), title=title, seconds=round(seconds, 3))

    def started(self, segment: Segment, total: int, expected: float | None, argv: Sequence[str], cwd: str) -> None:
        self.emit("start", time=now_text(), **_who(segment), total=total, expected=expected, argv=list(argv), cwd=cwd)

    def output(self, chunk: bytes) -> None:
        self._output(chunk)

    def tick(self, seconds: float) -> None:
        pass

    def ended(self, segment: Segment, outcome: Outcome, state: str, note: str, log: str) -> None:
        self.emit(
            "end",
            time=now_text(),
            **_who(segment),
            state=state,
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            seconds=round(outcome.duration, 3),
            peak_memory=outcome.peak_memory,
            cpu_time=outcome.cpu_time,
            gpu_memory=outcome.gpu_memory,
            leftovers=list(outcome.leftovers),
            explanation=note,
            log=log,
        )

    def warn(self, text: str) -> None:
        self.emit("warning", text=text)

    def note(self, text: str) -> None:
        self.emit("note", text=text)

    def end(self, rows: Sequence[Row], exit_code: int, record: str, advice: str) -> None:
        self.emit(
            "summary",
            time=now_text(),
            exit_code=exit_code,
            record=record,
            advice=advice,
            segments=[{**_who(r.segment), "state": r.state, "seconds": r.seconds, "log": r.log} for r in rows],
        )


def _who(segment: Segment) -> dict[str, Any]:
    return {"segment": segment.number, "name": segment.name}
