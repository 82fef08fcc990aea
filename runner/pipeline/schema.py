"""Checks data against `pipeline.schema.json`. jsonschema is the judge; it is imported when there is a fault to name.

Importing jsonschema takes longer than reading a thousand segments, so `conforms` first answers the usual case. It
reads the same schema, and says False whenever it is not sure.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from runner.frozen import frozen

SCHEMA_PATH = Path(__file__).parent.parent / "schema" / "pipeline.schema.json"

_NOTES = frozenset({"title", "description", "examples", "$schema", "$id", "$defs"})


@frozen
class Fault:
    """What jsonschema found: where in the data, and against which keyword."""

    path: tuple[str | int, ...]
    keyword: str
    value: Any


@cache
def schema() -> dict[str, Any]:
    """The schema as data."""
    loaded: dict[str, Any] = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return loaded


def segment_schema(*keys: str) -> dict[str, Any]:
    """What it says of a segment, or of a key of it (and of a key in that)."""
    found: dict[str, Any] = schema()["$defs"]["segment"]
    for key in keys:
        found = found["properties"][key]
    return found


def faults(instance: Any, part: dict[str, Any]) -> list[Fault]:
    """Everything in `instance` that `part` of the schema does not allow."""
    return [] if conforms(instance, part) else _judge(instance, part)


def _judge(instance: Any, part: dict[str, Any]) -> list[Fault]:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator({**part, "$defs": schema()["$defs"]})
    found = [Fault(tuple(e.absolute_path), str(e.validator), e.instance) for e in validator.iter_errors(instance)]
    return sorted(found, key=lambda fault: [str(step).rjust(9) for step in fault.path])


def conforms(instance: Any, part: dict[str, Any]) -> bool:
    """True only when `instance` surely is as `part` of the schema says."""
    return all(keyword in _NOTES or _holds(keyword, wanted, instance) for keyword, wanted in part.items())


def _holds(keyword: str, wanted: Any, instance: Any) -> bool:
    if keyword == "type":
        return any(_is(instance, name) for name in ([wanted] if isinstance(wanted, str) else wanted))
    if keyword == "properties":
        return not isinstance(instance, dict) or all(
            conforms(value, wanted[key]) for key, value in instance.items() if key in wanted
        )
    if keyword == "items":
        return not isinstance(instance, list) or all(conforms(item, wanted) for item in instance)
    if keyword == "pattern":
        return not isinstance(instance, str) or re.search(wanted, instance) is not None
    if keyword in ("minimum", "exclusiveMinimum"):
        return not _is(instance, "number") or instance > wanted or (instance == wanted and keyword == "minimum")
    if keyword == "enum":
        return any(instance == one and type(instance) is type(one) for one in wanted)
    if keyword == "$ref" and wanted.startswith("#/$defs/"):
        return conforms(instance, schema()["$defs"][wanted.removeprefix("#/$defs/")])
    return False


_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "null": type(None), "boolean": bool, "integer": int,
    "number": (int, float),
}  # fmt: skip


def _is(instance: Any, name: str) -> bool:
    return isinstance(instance, _KINDS[name]) and (name == "boolean" or not isinstance(instance, bool))
