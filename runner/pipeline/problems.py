"""Words for what the schema does not allow: what stands there, and what to write instead."""

from __future__ import annotations

from typing import Any

from yaml.events import ScalarEvent

from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.report import Report, mark_of
from runner.pipeline.schema import Fault, conforms
from runner.pipeline.values import Fields

_SEGMENT_SHAPE = "Write each segment as `- name: ...` and its other keys below, in line with `name`."
_TIME = ("a time", "Write a number of seconds, or a text such as 90s, 15m, 3h, 1d or 1h30m.")
_SIZE = ("a size with its unit", "Write for example {key}: 16 GB.")
_TEXT = ("a text", "Write `{key}: some text`, in quotes if need be.")
_ARGUMENTS = "Write one argument per line below `commands:`, each after `- ` (a dash and a blank)."
# key -> what its value must be, and what to write
_MUST = {
    "environment": ("a text", "Write for example `environment: uv:my_group`."),
    "env": (
        "variables with their values",
        "Write `env:` and below it, further to the right, one `NAME: value` a line, without `-`.",
    ),
    "commands": ("a list", _ARGUMENTS),
    "timeout": _TIME,
    "retry-delay": _TIME,
    "retries": ("a whole number, 0 or more", "Write for example `retries: 2`."),
    "keep-going": ("true or false, without quotes", "Write `keep-going: true`."),
    "outputs-may-be-old": ("true or false, without quotes", "Write `outputs-may-be-old: true`."),
    "cpus": ("a whole number of at least 1", "Write for example cpus: 4."),
    "gpus": ("a whole number of at least 0", "Write for example gpus: 1."),
    "memory": _SIZE,
    "disk": _SIZE,
    "time": ("a time", "Write for example time: 2h30m, or 90m."),
    "queue": ("a name", "Write for example queue: imaging."),
    "account": ("a name", "Write for example account: imaging."),
    "modules": ("names of modules, without blanks in them", "Write for example modules: [gcc/12, cuda/12.4]."),
    "scheduler-options": ("a list of texts", 'Write for example scheduler-options: ["--exclude=node7"].'),
    "retry-memory": ("a factor of more than 1", "Write for example retry-memory: x2."),
    "batch": (
        "a whole number of at least 1",
        "Write how many items one start of the program gets, for example batch: 50.",
    ),
    "max-failures": (
        "a number of items, or a part of them from 0% to 100%",
        "Write for example max-failures: 10, or max-failures: 5%.",
    ),
    "csv": ("the name of a file", "Write {csv: plates.csv}."),
    "range": ("a whole number of at least 1", "Write for example {range: 10} for the numbers 0 to 9."),
    "identity": ("content or stat", "Write `content`, or `stat` (path, size and time; the default)."),
    "canary": ("true or false", "Write `canary: true`."),
}
_FOLDERS = {"outputs": "masks", "inputs": "raw"}


def explain(fault: Fault, node: Node, fields: Fields, report: Report) -> None:
    """Reports `fault`, found in the segment `node`, at its place."""
    if fault.path and str(fault.path[0]) in fields:
        node = fields[str(fault.path[0])][-1][1]
        if len(fault.path) > 1 and isinstance(node, ListNode):
            node = node.items[int(fault.path[1])]
    _error(node, report, *_words(fault, describe(node)))


def _error(node: Node, report: Report, message: str, cure: str) -> None:
    place = mark_of(node)  # a value whose tag does not fit was reported when it was read
    if not any((one.mark, one.segment) == (place, report.segment) for one in report.found[-20:]):
        report.error(place, message, cure)


def checked(key: str, value: Any, node: Node, part: dict[str, Any], report: Report) -> Any:
    """`value` where it is as `part` of the schema says; else None, and what is wrong with it is reported."""
    if conforms(value, part):
        return value
    meant = near(str(value), filter(None, part.get("enum", ())))
    refuse(key, node, report, f"Did you mean `{meant}`?" if meant else "")
    return None


def refuse(key: str, node: Node, report: Report, cure: str = "") -> None:
    """`cure`: one that fits better than that of all such values."""
    message, usual = _must(key, describe(node))
    _error(node, report, message, cure or usual)


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
    if key == "environment" and fault.keyword == "pattern":
        return (
            f"{shown} is not a complete uv environment",
            "Write `uv:GROUP`, or `uv@3.11:GROUP` with a Python version; GROUP is a group in pyproject.toml.",
        )
    if key == "commands" and len(fault.path) > 1:
        return _entry(fault.value, shown)
    return _patterns(fault, key, shown) if key in _FOLDERS else _must(key, shown)


def _must(key: str, shown: str) -> tuple[str, str]:
    form, cure = _MUST.get(key, _TEXT)
    return f"`{key}` must be {form}; this is {shown}", cure.replace("{key}", key)


def _entry(value: Any, shown: str) -> tuple[str, str]:
    if isinstance(value, list):
        return "an entry of `commands` is a list, which is no argument", _ARGUMENTS.replace(" below `commands:`", "")
    if value is None:
        return (
            f"an entry of `commands` is {'empty' if shown == 'empty' else shown + ', which means nothing in YAML'}",
            "Delete it, or write it in quotes ('' is an empty argument).",
        )
    kind = "true or false" if isinstance(value, bool) else "a number"
    return (
        f"an entry of `commands` must be text, and YAML reads {shown} as {kind}",
        f"Write it in quotes: - '{shown.strip('`')}'",
    )


def _patterns(fault: Fault, key: str, shown: str) -> tuple[str, str]:
    inside = len(fault.path) > 1
    what, example = f"an entry of `{key}`" if inside else f"`{key}`", f"'%YAML%/{_FOLDERS[key]}/*.tif'"
    if fault.keyword == "pattern":
        return f"{what} is an empty text, which names no file", f"Delete it, or write a pattern such as {example}."
    form = "a text" if inside else "a text or a list of texts"
    return f"{what} must be {form}; this is {shown}", f"Write for example `{key}: {example}`."


def explain_top(node: Node, report: Report) -> None:
    """The file is not a map."""
    cure = "Begin the file with `run:`, and write the segments below it, each after `- `."
    if isinstance(node, ScalarEvent) and str(node.value).startswith("run:"):
        cure = "A blank is missing behind `run:`."
    report.error(node, f"a pipeline file is a map with the key `run`; this is {describe(node)}", cure)


def explain_run(node: Node, report: Report) -> None:
    """`run:` is not a list."""
    if isinstance(node, MapNode):
        cure = "Write a dash before the first key of each segment: `- name: ...`."
        key: Any = node.items[0] if node.items else node
        if isinstance(key, ScalarEvent) and str(key.value).startswith("-"):
            cure = f"A blank is missing behind the dash: write `- {str(key.value)[1:]}:`."
    else:
        cure = _SEGMENT_SHAPE
    report.error(node, f"`run` must be a list of segments; this is {describe(node)}", cure)
