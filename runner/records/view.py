"""What the record of a run tells: read from its events and receipts, for whoever shows it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from runner.ground.told import whole
from runner.records.journal import NAME


def events(folder: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a run's events.jsonl; a torn one, or something else, is passed over."""
    try:
        with (folder / NAME).open("rb") as file:
            for line in file:
                try:
                    told = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(told, dict):
                    yield told
    except OSError:
        return


def items_running_now(folder: Path) -> dict[int, list[str]]:
    """By segment: the items that have started and not ended, longest first."""
    found: dict[int, list[str]] = {}
    for number, key in _running(folder, ("item-start",), "item-end", "item"):
        found.setdefault(number, []).append(key)
    return found


def running_now(folder: Path) -> list[str]:
    """The segments that have started and not ended, as `2. segment`."""
    return [f"{number}. {name}" for number, name in _running(folder, ("start", "items"), "end", "name")]


def _running(folder: Path, starts: Collection[str], end: str, field: str) -> Iterable[tuple[int, str]]:
    """The segment's number, and that field of the event."""
    found: dict[tuple[int, str], None] = {}
    for event in events(folder):
        number, told = whole(event.get("segment")), event.get(field)
        if number is None or not isinstance(told, str):
            continue
        if event.get("event") in starts:
            found[number, told] = None
        elif event.get("event") == end:
            found.pop((number, told), None)
    return found
