"""What the record of a run tells: read from its events and receipts, for whoever shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    found: dict[int, dict[str, None]] = {}
    for event in events(folder):
        number, key = whole(event.get("segment")), event.get("item")
        if number is None or not isinstance(key, str):
            continue
        if event.get("event") == "item-start":
            found.setdefault(number, {})[key] = None
        elif event.get("event") == "item-end":
            found.get(number, {}).pop(key, None)
    return {number: list(keys) for number, keys in found.items() if keys}


def running_now(folder: Path) -> list[str]:
    """The segments that have started and not ended, as `2. segment`."""
    found: dict[int, str] = {}
    for event in events(folder):
        number, name = whole(event.get("segment")), event.get("name")
        if number is None:
            continue
        if event.get("event") in ("start", "items"):
            found[number] = f"{number}. {name}"
        elif event.get("event") == "end":
            found.pop(number, None)
    return list(found.values())
