"""What must have ended before what. Pure: from the segments of a pipeline to their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property

from runner.frozen import frozen
from runner.model import Segment


@frozen
class Graph:
    """Segments by number. The order in which they are written is kept by every mapping."""

    before: Mapping[int, tuple[int, ...]]  # number -> what must have ended (before a barrier: by way of it)
    items: frozenset[tuple[int, int]] = frozenset()  # (later, earlier): item by item
    # those of `items` where an item may start as soon as its own forerunner ended, others waiting or not
    streams: frozenset[tuple[int, int]] = frozenset()

    @cached_property
    def after(self) -> Mapping[int, tuple[int, ...]]:
        """`before` the other way round."""
        out: dict[int, list[int]] = {number: [] for number in self.before}
        for later, earlier in self.before.items():
            for number in earlier:
                out[number].append(later)
        return {number: tuple(later) for number, later in out.items()}

    def downstream(self, *numbers: int) -> frozenset[int]:
        """All that waits for one of `numbers`, also by way of others."""
        found: set[int] = set()
        open_ = deque(later for number in numbers for later in self.after.get(number, ()))
        while open_:
            later = open_.popleft()
            if later not in found:
                found.add(later)
                open_.extend(self.after[later])
        return frozenset(found)

    def upstream(self, number: int) -> frozenset[int]:
        """All that it waits for, also by way of others."""
        direct = self.before.get(number, ())
        return frozenset(direct).union(*map(self.upstream, direct))

    def among(self, numbers: Collection[int]) -> Graph:
        """The same without all other segments."""
        kept = set(numbers)
        before = {n: tuple(e for e in earlier if e in kept) for n, earlier in self.before.items() if n in kept}
        items, streams = (frozenset(p for p in pairs if kept.issuperset(p)) for pairs in (self.items, self.streams))
        return Graph(before, items, streams)

    def ready(self, done: Collection[int]) -> list[int]:
        """What is not done and has nothing to wait for."""
        return [
            number
            for number, earlier in self.before.items()
            if number not in done and all(other in done for other in earlier)
        ]


def make_graph(segments: Sequence[Segment]) -> Graph:
    """`needs` where it is written, else the segment before; pause, stop and force are barriers."""
    by_number = {segment.number: segment for segment in segments}
    before: dict[int, tuple[int, ...]] = {}
    pairs: set[tuple[int, int]] = set()
    streams: set[tuple[int, int]] = set()
    barrier: tuple[int, ...] = ()  # the last one
    since: list[int] = []  # written after it
    for segment in segments:
        last = tuple(since[-1:]) or barrier
        if segment.is_control:
            waits = (*barrier, *since)
            barrier, since = (segment.number,), []
        else:
            named = last if segment.needs is None else tuple(need.number for need in segment.needs)
            waits = tuple(dict.fromkeys((*barrier, *named)))
            since.append(segment.number)
            said = {need.number for need in segment.needs or () if need.items}
            streams |= {(segment.number, number) for number in said}
            pairs |= {
                (segment.number, number)
                for number in named
                if number in said or (number in by_number and same_items(segment, by_number[number]))
            }
        before[segment.number] = waits
    return Graph(before, frozenset(pairs), frozenset(streams))


def neighbours(graph: Graph, number: int, edges: str, segments: Mapping[int, Segment]) -> Iterator[int]:
    """The segments right behind (`after`) or before (`before`) one, through what only controls."""
    for other in getattr(graph, edges)[number]:
        if segments[other].is_control:
            yield from neighbours(graph, other, edges, segments)
        else:
            yield other


def same_items(one: Segment, other: Segment) -> bool:
    """Whether both surely go over the same items: they say the same of them, letter by letter."""
    if one.many is None or other.many is None:
        return False
    return (one.many.foreach, one.many.matrix) == (other.many.foreach, other.many.matrix)


def canary_segments(segments: Sequence[Segment], graph: Graph) -> tuple[int, ...]:
    """Those that one item goes through first: up to the first without items that follows one with them.

    What is made of all items (a table, a plot) says nothing when it is made of one, and a pause is for people.
    """
    first = next((place for place, segment in enumerate(segments) if segment.many), None)
    if first is None:
        return ()
    end = next((n for n in range(first, len(segments)) if segments[n].many is None), len(segments))
    late = graph.downstream(*(segment.number for segment in segments[end:]))  # `needs` may name a later one
    return tuple(segment.number for segment in segments[:end] if segment.number not in late)
