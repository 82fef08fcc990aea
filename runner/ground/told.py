"""JSON files of ours: written whole or not at all; read back with every value checked for its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.ground.files import Syncer, write_atomic
from runner.ground.plain import read_plain

_HIGHEST = 2**63  # of any number: bytes, seconds, process ids


def read_json(path: Path) -> dict[str, Any] | None:
    """The map in the file at `path`; None where there is none, or something else."""
    try:
        data = json.loads(read_plain(path))
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, data: Mapping[str, Any], syncer: Syncer | None = None) -> None:
    """`data` with a line for each of its keys: readable, and without the cost of indenting all of it."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items())
    write_atomic(path, f"{{\n{lines}\n}}\n".encode("utf-8", "backslashreplace"), syncer=syncer)


def text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def number(value: object) -> float | None:
    """A finite number that is not negative."""
    return float(value) if type(value) in (int, float) and 0 <= value < _HIGHEST else None  # type: ignore[operator,arg-type]


def whole(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _HIGHEST else None


def is_texts(value: object) -> bool:
    """A map of texts, such as packages with their versions."""
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
