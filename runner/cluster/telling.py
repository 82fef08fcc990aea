"""What is told of a run on a cluster beside its items: segments without items, and what does not answer for a while."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from runner.executors.task import Around
from runner.model import Segment
from runner.records.receipt import Receipt
from runner.records.view import events

_OF_A_RECEIPT = (
    *("exit_code", "signal", "started", "seconds", "peak_memory", "cpu_time", "gpu_memory", "explanation"),
)
_BACK = {"scheduler": "   the scheduler answers again", "disk": "   the folder is back"}


class Telling:
    def __init__(self, around: Around) -> None:
        self._around, self._journal = around, around.journal
        self._away: dict[str, float] = {}  # what does not answer, since when

    def away(self, what: str, message: str) -> None:
        """The scheduler, or the disk; told once."""
        if what not in self._away:
            self._away[what] = time.time()
            since = time.strftime("%H:%M", time.localtime())
            self._journal.warn(f"{message}; waiting: what is running is unknown since {since}, and has not failed")

    def back(self, what: str) -> None:
        if self._away.pop(what, None) is not None:
            self._journal.note(_BACK[what])

    def is_away(self, what: str) -> bool:
        return what in self._away

    def start(self, segment: Segment) -> None:
        """As whoever runs one tells it; of what it runs nothing is known here."""
        told: dict[str, Any] = {"total": self._around.total, "expected": self._around.durations.get(segment.name)}
        self._journal.say("start", segment, argv=[], cwd="", environment=segment.environment, **told)

    def end(self, segment: Segment, folder: Path, receipt: Receipt) -> None:
        told: dict[str, Any] = {name: getattr(receipt, name) for name in _OF_A_RECEIPT}
        told |= {"leftovers": list(receipt.leftovers), "log": str(folder / receipt.log) if receipt.log else str(folder)}
        self._journal.say("end", segment, state=receipt.state, **told)


def told_before(record: Path) -> dict[int, set[str]]:
    """Items whose end stands in the events of the run already, by segment."""
    found: dict[int, set[str]] = {}
    for event in events(record):
        number, key = event.get("segment"), event.get("item")
        if event.get("event") == "item-end" and isinstance(number, int) and isinstance(key, str):
            found.setdefault(number, set()).add(key)
    return found
