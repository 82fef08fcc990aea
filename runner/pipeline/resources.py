"""`resources` and `retry-memory` of a segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.ground.words import size_of
from runner.model import Resources, Value
from runner.pipeline.durations import seconds_of
from runner.pipeline.near import near
from runner.pipeline.nodes import MapNode
from runner.pipeline.problems import describe, refuse
from runner.pipeline.report import Report
from runner.pipeline.schema import conforms, segment_schema
from runner.pipeline.values import Fields, fields_of, value_of

# what other tools call them
_OTHER_NAMES = {"cores": "cpus", "threads": "cpus", "ram": "memory", "mem_mb": "memory", "mem_gb": "memory"} | {
    "partition": "queue", "walltime": "time", "module": "modules", "options": "scheduler-options"
}  # fmt: skip
_CURE = "Write for example resources: {cpus: 4, memory: 16 GB, gpus: 1, disk: 20 GB}."


def read_resources(fields: Fields, report: Report) -> Resources:
    """What stands in `resources`; what is wrong there is reported."""
    node = fields["resources"][-1][1] if "resources" in fields else None
    if node is None or (not isinstance(node, MapNode) and value_of(node, report) is None):
        return Resources()
    if not isinstance(node, MapNode):
        report.error(node, f"`resources` must be a map; this is {describe(node)}", _CURE)
        return Resources()
    known = segment_schema("resources")["properties"]
    found: dict[str, Any] = {}
    for name, occurrences in fields_of(node, report).items():
        key, inner = occurrences[-1]
        if name not in known:
            meant = _OTHER_NAMES.get(name.lower()) or near(name, known)
            cure = f"Did you mean `{meant}`?" if meant else f"Known: {', '.join(known)}."
            report.error(key, f"`{name}` is no key of `resources`", cure)
        elif (value := value_of(inner, report)) is not None:
            read = _READ[name](value) if name in _READ else value if conforms(value, known[name]) else None
            if read is None:
                number = _READ.get(name) is _size and conforms(value, {"type": "number"})
                refuse(name, inner, report, f"Write {name}: {describe(inner).strip('`')} GB." if number else "")
            else:
                found[name.replace("-", "_")] = read
    return Resources(**found)


def _size(value: Value) -> int | None:
    try:  # a number alone would be bytes, and 16 of them are never meant
        return size_of(value) or None if isinstance(value, str) and value.strip()[-1:].isalpha() else None
    except ValueError:
        return None


def _time(value: Value) -> float | None:
    try:
        return seconds_of(str(value)) or None if isinstance(value, str | int | float) else None
    except ValueError:
        return None


def _word(value: Value) -> str | None:
    if type(value) is int:  # an account may be a number
        return str(value)
    good = isinstance(value, str) and value.strip() and value.isprintable() and not value.strip().startswith("-")
    return str(value).strip() if good else None


def _words(value: Value) -> tuple[str, ...] | None:
    """A list of texts, or one alone."""
    words = value if isinstance(value, list) else [value]
    good = all(isinstance(word, str) and word.strip() and word.isprintable() for word in words)
    return tuple(str(word).strip() for word in words) if good else None


def _names(value: Value) -> tuple[str, ...] | None:
    """Of modules: no options, and not several in one text."""
    words = _words(value)
    return words if words and not any(word.startswith("-") or len(word.split()) > 1 for word in words) else None


# for what the schema does not tell whether it is right; None: it is wrong
_READ: dict[str, Callable[[Value], object]] = {
    **dict.fromkeys(("memory", "disk"), _size),
    **dict.fromkeys(("queue", "account"), _word),
    "modules": _names,
    "scheduler-options": _words,
    "time": _time,
}


def read_retry_memory(fields: Fields, report: Report) -> float:
    """By how much the memory grows: `x2`, `2` or `x1.5`."""
    node = fields["retry-memory"][-1][1] if "retry-memory" in fields else None
    value = value_of(node, report) if node else None
    if node is None or value is None:
        return 1.0
    good = conforms(value, segment_schema("retry-memory"))
    factor = float(str(value).strip().lstrip("xX×")) if good else 0.0
    if factor <= 1:
        refuse("retry-memory", node, report)
        return 1.0
    told = Report(report.file)  # what is wrong there was told when it was read
    retries = value_of(fields["retries"][-1][1], told) if "retries" in fields else None
    if not retries:
        report.error(node, "`retry-memory` means something only with `retries`", "Add for example retries: 1.")
    resources = fields["resources"][-1][1] if "resources" in fields else None
    if not isinstance(resources, MapNode) or "memory" not in fields_of(resources, told):
        cure = "Add for example resources: {memory: 8 GB}."
        report.warning(node, "`retry-memory` means something only where `resources` says how much `memory`", cure)
    return factor
