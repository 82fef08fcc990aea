"""Nodes -> values and fields, as yaml.v2 decoded them: later keys win, `<<` counts where it stands."""

from __future__ import annotations

from yaml.events import ScalarEvent

from runner.go.scalars import BadTagError
from runner.model import Value
from runner.pipeline.nodes import ListNode, MapNode, Node, is_merge, scalar_value
from runner.pipeline.report import Report, mark_of

# Every occurrence of a key, first to last: (key node, value node)
Fields = dict[str, list[tuple[Node, Node]]]


def raw_text(node: ScalarEvent) -> str:
    """A scalar where Go decoded into a string: its text as written, null is ""."""
    value = scalar_value(node)
    if value is None:
        return ""
    return value if isinstance(value, str) else node.value


def value_of(node: Node, report: Report) -> Value:
    """The typed value of any node; None, with an error reported, where there is none."""
    if isinstance(node, ListNode):
        return [value_of(item, report) for item in node.items]
    if isinstance(node, MapNode):
        return {key: value for _, key, value in map_items(node, report)}
    if node.tag is None:
        return scalar_value(node)
    try:
        return scalar_value(node)
    except BadTagError as error:
        report.error(node, str(error), "Leave the tag out, or write a value that fits it.")
        return None


def map_items(node: MapNode, report: Report) -> list[tuple[str, Value, Value]]:
    """Each key as written and with its type, and the value, in the file's order; of a key given twice the last."""
    if len(node.items) == 2:  # nearly every map of `commands`
        key, value = node.items
        if isinstance(key, ScalarEvent) and key.value != "<<":
            return [_item(key, value_of(key, report), value, report)]
    items: dict[tuple[type, Value], tuple[str, Value, Value]] = {}
    first: dict[tuple[type, Value], Node] = {}
    _collect(node, items, first, report)
    return list(items.values())


def _collect(
    node: MapNode,
    items: dict[tuple[type, Value], tuple[str, Value, Value]],
    first: dict[tuple[type, Value], Node],
    report: Report,
) -> None:
    for key_node, value_node in node.pairs():
        if is_merge(key_node):
            for merged in merged_maps(value_node, report):
                _collect(merged, items, {}, report)
            continue
        if not isinstance(key_node, ScalarEvent):
            report.error(key_node, "a list or a map cannot be a key", "Write the key as text.")
            continue
        key = value_of(key_node, report)
        identity = (type(key), key)  # True, 1 and 1.0 are three keys
        if identity in first:
            twice(str(key_node.value), first[identity], key_node, report)
        first[identity] = key_node
        items[identity] = _item(key_node, key, value_node, report)


def _item(key_node: ScalarEvent, key: Value, value: Node, report: Report) -> tuple[str, Value, Value]:
    return key if isinstance(key, str) else key_node.value, key, value_of(value, report)


def merged_maps(node: Node, report: Report) -> list[MapNode]:
    """What a `<<` brings in, in the order in which it is to be applied."""
    if isinstance(node, MapNode):
        return [node]
    if isinstance(node, ListNode) and all(isinstance(item, MapNode) for item in node.items):
        return [item for item in reversed(node.items) if isinstance(item, MapNode)]
    report.error(node, "`<<` takes a map, or a list of maps", "Name a map by its anchor: `<<: *defaults`.")
    return []


def fields_of(node: MapNode, report: Report) -> Fields:
    """The keys of a segment or of the top level, each with all its values; merge keys applied."""
    fields: Fields = {}
    _fields(node, fields, report)
    return fields


def _fields(node: MapNode, fields: Fields, report: Report) -> None:
    own: dict[str, Node] = {}
    items = node.items
    for index in range(0, len(items), 2):
        key, value = items[index], items[index + 1]
        if not isinstance(key, ScalarEvent):
            report.error(key, "a list or a map cannot be a key", "Write the key as text.")
            continue
        if key.value == "<<" and is_merge(key):
            for merged in merged_maps(value, report):
                _merge(merged, fields, own, report)
            continue
        name = key.value if key.tag is None else raw_key(key, report)
        if name in own:
            twice(name, own[name], key, report)
        own[name] = key
        fields.setdefault(name, []).append((key, value))


def _merge(node: MapNode, fields: Fields, own: dict[str, Node], report: Report) -> None:
    merged: Fields = {}
    _fields(node, merged, Report(report.file))
    for name, values in merged.items():
        if name in own:
            report.warning(
                own[name],
                f"`{name}` stands before `<<`, which gives it another value; the one of `<<` counts",
                "Put `<<` first in the segment, so that the segment's own keys count.",
            )
        fields.setdefault(name, []).extend(values)


def raw_key(node: ScalarEvent, report: Report) -> str:
    """A key as text; an error, and the bare text, where its tag does not fit."""
    try:
        return raw_text(node)
    except BadTagError as error:
        report.error(node, str(error), "Leave the tag out.")
        return str(node.value)


def twice(name: str, first: Node, last: Node, report: Report) -> None:
    """The warning for a key that is given twice."""
    report.warning(
        last,
        f"`{name}` is given twice; this one counts, and the one in line {mark_of(first).line}, "
        f"column {mark_of(first).column} does not",
        "Delete one of the two.",
    )
