"""Words for what the schema does not allow: what stands there, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yaml.events import ScalarEvent

from runner.model import Mark
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.report import Report, mark_of
from runner.pipeline.schema import Fault
from runner.pipeline.values import Fields

_SEGMENT_SHAPE = "Write each segment as `- name: ...` and its other keys below, in line with `name`."
_TIME_CURE = "Write a number of seconds, or a text such as 90s, 15m, 3h, 1d or 1h30m."


def explain(fault: Fault, node: Node, fields: Fields, report: Report, segment: int) -> None:
    """Reports `fault`, found in the segment `node`, at its place."""
    place, shown = _place(fault, node, fields)
    if any(one.mark == place and one.segment in (None, segment) for one in report.found[-20:]):
        return  # a value whose tag does not fit was reported when it was read
    message, cure = _words(fault, shown)
    report.error(place, message, cure, segment)


def _place(fault: Fault, node: Node, fields: Fields) -> tuple[Mark, str]:
    """Where it is, and what is written there."""
    if fault.path and str(fault.path[0]) in fields:
        node = fields[str(fault.path[0])][-1][1]
        if len(fault.path) > 1 and isinstance(node, ListNode):
            node = node.items[int(fault.path[1])]
    return mark_of(node), describe(node)


def describe(node: Node) -> str:
    """A node in words, for messages."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a map (`key: value`)"
    text = str(node.value)
    if not text:
        return "empty"
    short = text if len(text) <= 40 else text[:37] + "..."
    return f"`{short}`".replace("\n", " ")


def _words(fault: Fault, shown: str) -> tuple[str, str]:
    if not fault.path:
        return f"a segment must be a map of keys; this is {shown}", _SEGMENT_SHAPE
    key = str(fault.path[0])
    special = _SPECIAL.get(key)
    if special:
        return special(fault, shown)
    return f"`{key}` must be a text; this is {shown}", f"Write `{key}: some text`, in quotes if need be."


def _environment(fault: Fault, shown: str) -> tuple[str, str]:
    if fault.keyword == "pattern":
        return (
            f"{shown} is not a complete uv environment",
            "Write `uv:GROUP`, or `uv@3.11:GROUP` with a Python version; GROUP is a group in pyproject.toml.",
        )
    return f"`environment` must be a text; this is {shown}", "Write for example `environment: uv:my_group`."


def _env(fault: Fault, shown: str) -> tuple[str, str]:
    return (
        f"`env` must be variables with their values; this is {shown}",
        "Write `env:` and below it, further to the right, one `NAME: value` a line, without `-`.",
    )


def _commands(fault: Fault, shown: str) -> tuple[str, str]:
    if len(fault.path) == 1:
        return (
            f"`commands` must be a list; this is {shown}",
            "Write one argument per line below `commands:`, each after `- ` (a dash and a blank).",
        )
    value = fault.value
    if isinstance(value, list):
        return (
            "an entry of `commands` is a list, which is no argument",
            "Write one argument per line, each after `- ` (a dash and a blank).",
        )
    if value is None:
        return (
            f"an entry of `commands` is {'empty' if shown == 'empty' else shown + ', which means nothing in YAML'}",
            "Delete it, or write it in quotes ('' is an empty argument).",
        )
    kind = "true or false" if isinstance(value, bool) else "a number"
    quoted = shown.strip("`")
    return (
        f"an entry of `commands` must be text, and YAML reads {shown} as {kind}",
        f"Write it in quotes: - '{quoted}'",
    )


def _time(fault: Fault, shown: str) -> tuple[str, str]:
    return f"`{fault.path[0]}` must be a time; this is {shown}", _TIME_CURE


def _retries(fault: Fault, shown: str) -> tuple[str, str]:
    return f"`retries` must be a whole number, 0 or more; this is {shown}", "Write for example `retries: 2`."


def _yes_or_no(fault: Fault, shown: str) -> tuple[str, str]:
    key = fault.path[0]
    return f"`{key}` must be true or false, without quotes; this is {shown}", f"Write `{key}: true`."


_FOLDERS = {"outputs": "masks", "inputs": "raw"}


def _patterns(fault: Fault, shown: str) -> tuple[str, str]:
    key = fault.path[0]
    what = f"an entry of `{key}`" if len(fault.path) > 1 else f"`{key}`"
    if fault.keyword == "pattern":
        return (
            f"{what} is an empty text, which names no file",
            f"Delete it, or write a pattern such as '%YAML%/{_FOLDERS[str(key)]}/*.tif'.",
        )
    form = "a text" if len(fault.path) > 1 else "a text or a list of texts"
    return f"{what} must be {form}; this is {shown}", f"Write for example `{key}: '%YAML%/{_FOLDERS[str(key)]}/*.tif'`."


_SPECIAL: dict[str, Callable[[Fault, str], tuple[str, str]]] = {
    "environment": _environment,
    "env": _env,
    "commands": _commands,
    "timeout": _time,
    "retry-delay": _time,
    "retries": _retries,
    "keep-going": _yes_or_no,
    "outputs": _patterns,
    "inputs": _patterns,
    "outputs-may-be-old": _yes_or_no,
}


def explain_top(node: Node, report: Report) -> None:
    """The file is not a map."""
    cure = "Begin the file with `run:`, and write the segments below it, each after `- `."
    if isinstance(node, ScalarEvent) and str(node.value).startswith("run:"):
        cure = "A blank is missing behind `run:`."
    report.error(mark_of(node), f"a pipeline file is a map with the key `run`; this is {describe(node)}", cure)


def explain_run(node: Node, report: Report) -> None:
    """`run:` is not a list."""
    if isinstance(node, MapNode):
        cure = "Write a dash before the first key of each segment: `- name: ...`."
        key: Any = node.items[0] if node.items else node
        if isinstance(key, ScalarEvent) and str(key.value).startswith("-"):
            cure = f"A blank is missing behind the dash: write `- {str(key.value)[1:]}:`."
    else:
        cure = _SEGMENT_SHAPE
    report.error(mark_of(node), f"`run` must be a list of segments; this is {describe(node)}", cure)
