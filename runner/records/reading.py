"""Everything that is read back from a record goes through here: what is not as we write it is passed over.

A record lies in a folder that others can write to, sync programs copy half of it, and an editor saves what it likes.
So a file is a regular one of sensible size, and each value has its type, or it counts as not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.frozen import frozen
from runner.ground.told import is_texts, number, read_json, text, whole
from runner.model import Output

MARKER = re.compile(r"((?:[^/\s]+/)*[0-9a-f]{16})?")  # as runner.process.launch makes it


@frozen
class Child:
    """The process that a run had started last."""

    pid: int
    started: float
    marker: str
    strays: tuple[tuple[int, float], ...] = ()  # what broke away from it: pid and time of birth
    segment: int = 0  # its number, 0 where it is not told


def read_child(path: Path) -> Child | None:
    """None unless all of it is sound: nothing is ended on a guess."""
    data = read_json(path) or {}
    leader, marker = _process([data.get("pid"), data.get("started")]), text(data.get("marker"))
    given = data.get("strays", [])
    strays = [_process(one) for one in given] if isinstance(given, list) else [None]
    if leader is None or None in strays or not MARKER.fullmatch(marker or ""):
        return None
    return Child(
        *leader, marker or "", tuple(one for one in strays if one is not None), whole(data.get("segment")) or 0
    )


def _process(value: object) -> tuple[int, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    pid, started = whole(value[0]), number(value[1])
    return (pid, started) if pid is not None and 1 < pid < 2**31 and started is not None else None


def seconds_by_name(value: object) -> dict[str, float]:
    """How long each segment took."""
    found = value.items() if isinstance(value, dict) else ()
    return {name: seconds for name, given in found if (seconds := number(given)) is not None}


def counts(value: object) -> dict[str, int]:
    found = value.items() if isinstance(value, dict) else ()
    return {name: count for name, given in found if (count := whole(given)) is not None}


def environment(value: object) -> dict[str, Any]:
    """What an environment held: texts, and packages with their versions."""
    if not isinstance(value, dict):
        return {}
    plain = (str, int, float, bool, type(None))
    found = {}
    for key, held in value.items():
        if (
            isinstance(held, plain)
            or is_texts(held)
            or (isinstance(held, list) and all(isinstance(one, str) for one in held))
        ):
            found[key] = held
        elif key == "conda" and isinstance(held, dict):  # below another one
            found[key] = environment({name: one for name, one in held.items() if name != key})
    return found


def outputs(value: object) -> list[Output]:
    found = []
    for entry in value if isinstance(value, list) else ():
        told: Mapping[str, object] = entry if isinstance(entry, dict) else {}
        path, size, modified = text(told.get("path")), whole(told.get("size")), number(told.get("modified"))
        if path and size is not None:
            found.append(Output(path=path, size=size, modified=modified or 0.0))
    return found
