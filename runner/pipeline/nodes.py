"""The first YAML document as nodes that know their place; aliases followed, merge keys not yet applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import yaml
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from runner.go.scalars import TAG, plain_value, tagged_value
from runner.model import Value

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH = 100
# Aliases may make a document at most this much larger than it is written, once it has FREE_SIZE nodes
FREE_SIZE = 500_000
GROWTH = 20


@dataclass(slots=True, eq=False)
class _Collection:
    start_mark: Any
    items: list[Any] = field(default_factory=list)  # of Node; of a map: key, value, key, value …
    size: int = 1  # nodes below and including this one, aliases counted in full
    height: int = 1
    anchor: str | None = None


class ListNode(_Collection):
    __slots__ = ()


class MapNode(_Collection):
    __slots__ = ()

    def pairs(self) -> list[tuple[Node, Node]]:
        return list(zip(self.items[::2], self.items[1::2], strict=True))


# A scalar is the parser's own event: building another object for each would cost as much as the parsing
Node: TypeAlias = ScalarEvent | ListNode | MapNode


class TooLargeError(yaml.MarkedYAMLError):
    """Nested too deep, containing itself, or grown by its aliases beyond all measure."""


def compose(text: str) -> Node | None:
    """The root of the first document, None for an empty file; yaml.MarkedYAMLError when it is no YAML."""
    next_event = cast("Callable[[], Any]", _parser(text).get_event)
    next_event()  # start of the stream
    if not isinstance(next_event(), yaml.DocumentStartEvent):
        return None
    root = ListNode(None)
    anchors: dict[str, Node] = {}
    open_nodes: list[ListNode | MapNode] = [root]
    written = 0
    while True:
        event = next_event()
        written += 1
        kind = type(event)
        if kind is ScalarEvent:
            if event.anchor:
                anchors[event.anchor] = event
            open_nodes[-1].items.append(event)
        elif kind is SequenceStartEvent or kind is MappingStartEvent:
            node = (ListNode if kind is SequenceStartEvent else MapNode)(event.start_mark, anchor=event.anchor)
            if event.anchor:
                anchors[event.anchor] = node
            if len(open_nodes) > MAX_DEPTH:
                raise TooLargeError(problem="nested too deep", problem_mark=event.start_mark)
            open_nodes[-1].items.append(node)
            open_nodes.append(node)
        elif kind is AliasEvent:
            open_nodes[-1].items.append(_alias(event, anchors, open_nodes))
        else:  # a list or a map ends, or the document
            done = open_nodes.pop()
            if not open_nodes:
                return cast(Node, root.items[0])
            _close(done, open_nodes[-1], written)


def _parser(text: str) -> Any:
    if yaml.__with_libyaml__:
        from yaml.cyaml import CParser  # type: ignore[attr-defined]

        return CParser(text)
    from runner.pipeline.pure_parser import PureParser

    return PureParser(text)


def _alias(event: Any, anchors: dict[str, Node], open_nodes: list[ListNode | MapNode]) -> Node:
    node = anchors.get(str(event.anchor))
    if node is None:
        raise yaml.MarkedYAMLError(problem="found undefined alias", problem_mark=event.start_mark)
    if any(node is one for one in open_nodes):
        raise TooLargeError(problem="contains itself", problem_mark=event.start_mark)
    if not isinstance(node, ScalarEvent):
        parent = open_nodes[-1]
        parent.size += node.size - 1
        parent.height = max(parent.height, node.height + 1)
        if len(open_nodes) + node.height > MAX_DEPTH:
            raise TooLargeError(problem="nested too deep", problem_mark=event.start_mark)
        if parent.size > FREE_SIZE and parent.size > GROWTH * max(1, event.start_mark.index):
            raise TooLargeError(problem="aliases make it too large", problem_mark=event.start_mark)
    return node


def _close(node: ListNode | MapNode, parent: ListNode | MapNode, written: int) -> None:
    node.size += len(node.items)
    parent.size += node.size - 1
    parent.height = max(parent.height, node.height + 1)
    if node.size > FREE_SIZE and node.size > GROWTH * written:
        raise TooLargeError(problem="aliases make it too large", problem_mark=node.start_mark)


def scalar_value(node: ScalarEvent) -> Value:
    """The typed value of a scalar; scalars.BadTagError when an explicit tag does not fit."""
    tag = node.tag
    if tag is None:
        return plain_value(node.value) if node.implicit[0] else node.value
    return tagged_value(tag, node.value)


def is_merge(node: Node) -> bool:
    return (
        isinstance(node, ScalarEvent)
        and node.value == "<<"
        and (node.tag == TAG + "merge" or bool(node.tag is None and node.implicit[0]))
    )
