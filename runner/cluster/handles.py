"""handles.jsonl: what of a run is submitted. Lines are only added; of one name, the last counts."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from runner.cluster.jobs import Handle
from runner.ground.files import state_error
from runner.ground.plain import read_plain
from runner.ground.told import number, text, whole
from runner.model import Resources
from runner.records.layout import HANDLES
from runner.records.lines import open_lines

_LARGEST = 1 << 30  # bytes


def add(record: Path, handles: Iterable[Handle]) -> None:
    """On the disk when it returns: what is submitted next must be found again. Raises StateError."""
    lines = "".join("\n" + json.dumps(asdict(one), separators=(",", ":")) for one in handles).encode("ascii")
    path = record / HANDLES
    descriptor = open_lines(path)
    try:
        if os.write(descriptor, lines) != len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError as error:
        raise state_error("write", path, error) from error
    finally:
        os.close(descriptor)


def read(record: Path) -> list[Handle]:
    """In the order of their submission; a torn line is none. Raises StateError."""
    path, found = record / HANDLES, dict[str, Handle]()
    try:
        lines = read_plain(path, largest=_LARGEST).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise state_error("read", path, error) from error
    for line in lines:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and (handle := _handle(told)) is not None:
            found[handle.name] = handle
    return list(found.values())


def _handle(told: dict[str, Any]) -> Handle | None:
    """None where a value is not as we write it."""
    checks: dict[str, Any] = {
        **dict.fromkeys(("name", "job", "scheduler", "again"), text),
        **dict.fromkeys(("segment", "generation", "offset"), whole),
        **dict.fromkeys(("submitted", "seconds"), number),
    }
    values = {name: check(told.get(name)) for name, check in checks.items()}
    indices, resources = told.get("indices"), told.get("resources")
    good = isinstance(indices, list) and all(whole(one) is not None for one in indices)
    if None in values.values() or not good or not isinstance(resources, dict):
        return None
    values |= {name: told.get(name) is True for name in ("cancelled", "lost")}
    known = {one.name for one in fields(Resources)}
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in resources.items() if name in known}
    return Handle(**values, indices=tuple(indices), resources=Resources(**given))  # type: ignore[arg-type]
