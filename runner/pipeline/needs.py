"""`needs`: names -> numbers of segments, once all segments are read; no circle, nothing over a barrier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from yaml.events import ScalarEvent

from runner.frozen import frozen
from runner.model import Need, Segment
from runner.pipeline.near import did_you_mean, near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.problems import describe
from runner.pipeline.report import Report
from runner.pipeline.values import Fields, fields_of, raw_text, value_of

_CURE = "Write names of segments: needs: [Convert, Segment]. `needs: []` waits for nothing."


@frozen
class Place:
    """What is known of a segment though it may be wrong."""

    name: str
    is_barrier: bool  # pause, stop or force

    def called(self, number: int) -> str:
        return f"`{self.name}`" if self.name else f"segment {number}"


@frozen
class _Entry:
    name: str
    items: bool
    node: Node


class Needs:
    """Of one file. `places` has every segment by its number, `fields` those with `needs`."""

    def __init__(self, places: Mapping[int, Place], fields: Mapping[int, Fields], report: Report) -> None:
        self._places = places
        self._fields = fields
        self._report = report
        self._nodes: dict[tuple[int, int], Node] = {}  # (segment, its forerunner) -> the entry

    def resolve(self, segments: Sequence[Segment | None]) -> list[Segment | None]:
        """`segments` with their needs; those that cannot be are reported."""
        found = {number: tuple(self._of(number, segments)) for number in self._fields}
        self._find_circles(found)
        return [
            replace(segment, needs=found[segment.number]) if segment and segment.number in found else segment
            for segment in segments
        ]

    def _of(self, number: int, segments: Sequence[Segment | None]) -> Iterator[Need]:
        self._report.segment = number
        node = self._fields[number]["needs"][-1][1]
        if self._places[number].is_barrier:
            cure = "Delete it: a pause, stop or force waits for all before it, and all behind it waits for it."
            self._report.error(node, "`needs` means nothing in a segment of this type", cure)
            return
        seen = set()
        for entry in self._entries(node):
            target = self._target(entry, number)
            if target is None:
                continue
            if target in seen:
                self._report.error(entry.node, f"`{entry.name}` is named twice", "Delete one of the two.")
            seen.add(target)
            self._nodes[number, target] = entry.node
            if entry.items:
                self._look_at_items(entry, segments[number - 1], segments[target - 1])
            yield Need(target, entry.items)

    def _entries(self, node: Node) -> Iterator[_Entry]:
        if isinstance(node, ListNode):
            items = node.items
        elif isinstance(node, ScalarEvent) and value_of(node, self._report) is None:
            self._report.error(node, "`needs` is empty", _CURE)
            return
        else:
            items = [node]
        for item in items:
            given = fields_of(item, self._report) if isinstance(item, MapNode) else {}
            inner = given["items"][-1][1] if given.keys() == {"items"} else item
            if isinstance(inner, ScalarEvent) and value_of(inner, self._report) is not None:
                yield _Entry(raw_text(inner), inner is not item, inner)
            elif given and given.keys() != {"items"}:
                key = next(name for name in given if name != "items")
                cure = "Did you mean `items`?" if near(key, ("items",)) else "Write {items: NAME}, or the name alone."
                self._report.error(given[key][-1][0], f"`{key}` is no key of an entry of `needs`", cure)
            else:
                what = f"an entry of `needs` must be the name of a segment; this is {describe(inner)}"
                self._report.error(inner, what, _CURE)

    def _target(self, entry: _Entry, number: int) -> int | None:
        matches = [one for one, place in self._places.items() if place.name == entry.name]
        if not matches and len(self._places) == 1:  # nothing can run out of order, and the Go runner took it
            message = f"there is no segment `{entry.name}`, nor any other that this one could wait for"
            self._report.warning(entry.node, message, "Delete `needs`.")
        elif not matches:
            self._report.error(entry.node, f"there is no segment `{entry.name}`", self._cure_of(entry.name, number))
        elif len(matches) > 1:
            which = ", ".join(map(str, matches[:-1])) + f" and {matches[-1]}"
            cure = "Give each of them a name of its own. (They then count as changed.)"
            self._report.error(entry.node, f"`{entry.name}` is the name of the segments {which}", cure)
        elif matches[0] == number:
            self._report.error(entry.node, f"`{entry.name}` needs itself", "Delete this entry.")
        elif self._places[matches[0]].is_barrier:
            cure = "Delete this entry: a pause, stop or force waits for all before it, and all behind it waits for it."
            self._report.error(entry.node, f"`{entry.name}` is no segment that runs a command", cure)
        elif barrier := next((n for n in range(number + 1, matches[0]) if self._places[n].is_barrier), None):
            cure = f"Write this segment behind segment {barrier}, or `{entry.name}` before it."
            message = (
                f"`{entry.name}` stands behind segment {barrier}, which waits for this one, so it is never done here"
            )
            self._report.error(entry.node, message, cure)
        else:
            return matches[0]
        return None

    def _cure_of(self, name: str, number: int) -> str:
        others = {one: place.name for one, place in self._places.items() if place.name and one != number}
        names = list(dict.fromkeys(others.values()))
        if name.isdigit() and (place := self._places.get(int(name))):
            called = f"it is called `{place.name}`" if place.name else "give it a `name`"
            return f"`needs` takes names. If you mean segment {name}, {called}."
        parts = [part.strip() for part in name.split(",")]
        if len(parts) > 1 and set(parts) <= set(names):
            return f"Write a list: needs: [{', '.join(parts)}]."
        if meant := near(name, names):
            return did_you_mean(name, meant)
        return f"The names are: {', '.join(names)}." if names else "Give the segment that is meant a `name`."

    def _look_at_items(self, entry: _Entry, own: Segment | None, other: Segment | None) -> None:
        if own is None or other is None:  # they have mistakes that are told already
            return
        if own.many is None or other.many is None:
            which = "this segment" if own.many is None else f"`{entry.name}`"
            cure = f"Write the name alone, `{entry.name}`: the segment then waits for all of it."
            message = f"{which} has neither `foreach` nor `matrix`, so there are no items to wait for one by one"
            self._report.error(entry.node, message, cure)
        elif (own.many.foreach, own.many.matrix) != (other.many.foreach, other.many.matrix):
            cure = (
                "Write the same `foreach` and `matrix` in both, and name what the earlier one made by a token, such "
                f"as '%YAML%/out/%STEM%.tif'. Or write the name alone, `{entry.name}`, to wait for all of it."
            )
            message = f"`{entry.name}` goes over other items than this segment, so they cannot wait one by one"
            self._report.error(entry.node, message, cure)

    def _find_circles(self, found: Mapping[int, Iterable[Need]]) -> None:
        """Each circle is told at an entry that points forward; there is one, as a segment by itself follows another."""
        before: dict[int, set[int]] = {}
        start = 1  # behind the last barrier: what lies before it has ended
        for number, place in self._places.items():
            if place.is_barrier:
                start = number + 1
            elif number in found:
                before[number] = {need.number for need in found[number] if need.number >= start}
            else:
                before[number] = {number - 1} if number > start else set()
        while True:
            try:
                TopologicalSorter(before).prepare()
            except CycleError as error:
                circle = error.args[1]  # each the forerunner of the next, the first again at the end
                forward = next(n for n in range(1, len(circle)) if circle[n - 1] > circle[n])
                self._tell_circle([*circle[forward::-1], *circle[-2 : forward - 1 : -1]])
                before[circle[forward]].discard(circle[forward - 1])
            else:
                return

    def _tell_circle(self, circle: Sequence[int]) -> None:
        """Each number of `circle` waits for the next; the first stands at the end again."""
        called = [self._places[number].called(number) for number in circle]
        parts, by_itself = [], ""
        for place, (own, other) in enumerate(pairwise(circle)):
            needed = (own, other) in self._nodes
            by_itself = by_itself or ("" if needed else called[place])
            parts.append(f"{called[place]} {'needs' if needed else 'follows'} {called[place + 1]}")
        cure = "Take one of these entries out."
        if by_itself:
            cure += f" A segment without `needs` waits for the one before it; give {by_itself} `needs` of its own."
        node = self._nodes[circle[0], circle[1]]
        self._report.segment = circle[0]
        self._report.error(node, f"`needs` goes in a circle: {', '.join(parts)}", cure)
