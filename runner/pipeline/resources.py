"""`resources` and `retry-memory` of a segment."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from runner.ground.words import size_of
from runner.model import Resources, Value
from runner.pipeline.durations import seconds_of
from runner.pipeline.near import near
from runner.pipeline.nodes import MapNode, Node
from runner.pipeline.problems import describe
from runner.pipeline.report import Report, SegmentReport
from runner.pipeline.values import Fields, fields_of, value_of

RESOURCES = ("cpus", "memory", "gpus", "disk", "time", "modules", "queue", "account", "scheduler-options")
# what other tools call them
_OTHER_NAMES = {"cores": "cpus", "threads": "cpus", "ram": "memory", "mem_mb": "memory", "mem_gb": "memory"} | {
    "partition": "queue", "walltime": "time", "module": "modules", "options": "scheduler-options"
}  # fmt: skip
_CURE = "Write for example resources: {cpus: 4, memory: 16 GB, gpus: 1, disk: 20 GB}."
_TIMES = re.compile(r"\s*[xX×]?\s*([0-9]+(?:\.[0-9]+)?)\s*")


def read_resources(fields: Fields, say: SegmentReport) -> Resources:
    """What stands in `resources`; what is wrong there is reported."""
    node = fields["resources"][-1][1] if "resources" in fields else None
    if node is None or (not isinstance(node, MapNode) and value_of(node, say.report) is None):
        return Resources()
    if not isinstance(node, MapNode):
        say.error(node, f"`resources` must be a map; this is {describe(node)}", _CURE)
        return Resources()
    found: dict[str, Any] = {}
    for name, occurrences in fields_of(node, say.report).items():
        key, inner = occurrences[-1]
        if name not in RESOURCES:
            meant = _OTHER_NAMES.get(name.lower()) or near(name, RESOURCES)
            cure = f"Did you mean `{meant}`?" if meant else f"Known: {', '.join(RESOURCES)}."
            say.error(key, f"`{name}` is no key of `resources`", cure)
            continue
        value = value_of(inner, say.report)
        if value is not None and (read := _READ[name](name, value, inner, say)):
            found[name.replace("-", "_")] = read
    return Resources(**found)


def _count(name: str, value: Value, node: Node, say: SegmentReport) -> int | None:
    least = 1 if name == "cpus" else 0
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    message = f"`{name}` must be a whole number of at least {least}; this is {describe(node)}"
    say.error(node, message, f"Write for example {name}: {4 if name == 'cpus' else 1}.")
    return None


def _size(name: str, value: Value, node: Node, say: SegmentReport) -> int | None:
    try:  # a number alone would be bytes, and 16 of them are never meant
        size = size_of(value) if isinstance(value, str) and value.strip()[-1:].isalpha() else 0
    except ValueError:
        size = 0
    if size > 0:
        return size
    number = isinstance(value, int | float) and not isinstance(value, bool)
    cure = f"Write {name}: {describe(node).strip('`')} GB." if number else f"Write for example {name}: 16 GB."
    say.error(node, f"`{name}` must be a size with its unit; this is {describe(node)}", cure)
    return None


def _time(name: str, value: Value, node: Node, say: SegmentReport) -> float | None:
    try:
        seconds = seconds_of(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0
    except ValueError:
        seconds = 0
    if seconds > 0:
        return seconds
    say.error(node, f"`{name}` must be a time; this is {describe(node)}", "Write for example time: 2h30m, or 90m.")
    return None


def _word(name: str, value: Value, node: Node, say: SegmentReport) -> str | None:
    if type(value) is int:  # an account may be a number
        return str(value)
    if isinstance(value, str) and value.strip() and value.isprintable() and not value.strip().startswith("-"):
        return value.strip()
    say.error(node, f"`{name}` must be a name; this is {describe(node)}", f"Write for example {name}: imaging.")
    return None


def _words(name: str, value: Value, node: Node, say: SegmentReport) -> tuple[str, ...] | None:
    """A list of texts, or one alone."""
    words = value if isinstance(value, list) else [value]
    if all(isinstance(word, str) and word.strip() and word.isprintable() for word in words):
        return tuple(str(word).strip() for word in words)
    example = "[gcc/12, cuda/12.4]" if name == "modules" else '["--exclude=node7"]'
    say.error(
        node, f"`{name}` must be a list of texts; this is {describe(node)}", f"Write for example {name}: {example}."
    )
    return None


_READ: dict[str, Callable[[str, Value, Node, SegmentReport], object]] = {
    **dict.fromkeys(("cpus", "gpus"), _count),
    **dict.fromkeys(("memory", "disk"), _size),
    **dict.fromkeys(("queue", "account"), _word),
    **dict.fromkeys(("modules", "scheduler-options"), _words),
    "time": _time,
}


def read_retry_memory(fields: Fields, say: SegmentReport) -> float:
    """By how much the memory grows: `x2`, `2` or `x1.5`."""
    node = fields["retry-memory"][-1][1] if "retry-memory" in fields else None
    value = value_of(node, say.report) if node else None
    if node is None or value is None:
        return 1.0
    text = value if isinstance(value, str) else "" if isinstance(value, bool) else str(value)
    match = _TIMES.fullmatch(text)
    factor = float(match[1]) if match else 0.0
    if factor <= 1:
        message = f"`retry-memory` must be a factor of more than 1; this is {describe(node)}"
        say.error(node, message, "Write for example retry-memory: x2.")
        return 1.0
    told = Report(say.report.file, ())  # what is wrong there was told when it was read
    retries = value_of(fields["retries"][-1][1], told) if "retries" in fields else None
    if not retries:
        say.error(node, "`retry-memory` means something only with `retries`", "Add for example retries: 1.")
    resources = fields["resources"][-1][1] if "resources" in fields else None
    if not isinstance(resources, MapNode) or "memory" not in fields_of(resources, told):
        cure = "Add for example resources: {memory: 8 GB}."
        say.warning(node, "`retry-memory` means something only where `resources` says how much `memory`", cure)
    return factor
