"""What starts next. Pure: told what ended, it says what may start now; it starts, reads and judges nothing.

    schedule = Schedule(graph, budget)
    while not schedule.over:
        for number in schedule.open():      # their turn has come: look what there is to do, then
            schedule.add(number, keys, resources)   # or close(number, Ending.DONE) with nothing to do
        for start in schedule.next():       # start these now
        ...                                 # wait for one of them to end
        schedule.ended(start, failed)
        for number, reason in schedule.stuck():  # nothing runs, and it cannot: close(number, Ending.FAILED)
        for number in schedule.finished():  # all its items ended: judge
            schedule.close(number, Ending.PARTLY)
        for number, key, forerunner in schedule.left_out(): # items that are not run
        for number, earlier in schedule.blocked():          # segments that are not run

Who goes first: segments take turns, in a turn as much as fits. While the one whose turn it is does not fit, others
start only where that takes nothing of what it lacks and leaves enough of the rest: so a big one waits for what runs
now, and no longer, and a segment that waits for a GPU does not hold up one that wants cores alone.

A canary is a schedule of its own: `graph.among(canary_segments(...))`, one key in each `add`; what it did is done
when the schedule of all is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from runner.budget import Budget, Lease
from runner.graph import Graph
from runner.model import Resources

_NOTHING = Resources()
ALONE = ""  # the key of a segment that goes over nothing


class Ending(Enum):
    DONE = "done"
    PARTLY = "partly"  # some items failed: what goes on item by item goes on with the others
    FAILED = "failed"  # nothing goes on


@dataclass(frozen=True, eq=False)
class Start:
    """What to start now."""

    segment: int
    keys: tuple[str, ...]  # of the items; (ALONE,) for a segment that goes over nothing
    lease: Lease


@dataclass
class _Lane:
    """A segment whose turn has come. Of its items, only those are kept that somebody waits for."""

    resources: Resources
    many: bool
    batch: int
    keys: Iterator[str]  # not looked at yet
    ready: deque[str] = field(default_factory=deque)  # looked at, and free to start
    again: deque[tuple[tuple[str, ...], Resources]] = field(default_factory=deque)
    held: dict[str, int] = field(default_factory=dict)  # waits for so many forerunner items
    unended: set[str] = field(default_factory=set)  # kept where a later segment streams behind this one
    running: int = 0
    drawn: bool = False  # `keys` is at its end
    told: bool = False


class Schedule:
    def __init__(self, graph: Graph, budget: Budget) -> None:
        self._graph = graph
        self._budget = budget
        self._waits = {number: len(set(earlier)) for number, earlier in graph.before.items()}
        self._lanes: dict[int, _Lane] = {}
        self._queue: dict[int, None] = {}  # those with something to start, the longest waiting first
        self._failed: dict[int, set[str]] = {}  # keys of failed and left out items, where someone asks
        self._closed: dict[int, Ending] = {}
        self._asked = {earlier for _, earlier in graph.items}
        self._followers: dict[int, list[int]] = {}
        self._forerunners: dict[int, list[int]] = {}
        for later, earlier in sorted(graph.items):
            self._forerunners.setdefault(later, []).append(earlier)
        for later, earlier in sorted(graph.streams):
            self._followers.setdefault(earlier, []).append(later)
        self._open = [number for number, count in self._waits.items() if not count]
        self._opened = set(self._open)
        self._finished: list[int] = []
        self._left_out: list[tuple[int, str, int]] = []
        self._blocked: list[tuple[int, int]] = []
        self._passing: deque[tuple[int, str]] = deque()  # ended or left out; those behind are not told yet

    @property
    def over(self) -> bool:
        """Every segment is closed, or not run because of another."""
        return len(self._closed) == len(self._graph.before)

    @property
    def opens(self) -> bool:
        """Whether `open` has something to tell."""
        return any(number not in self._closed for number in self._open)

    def open(self) -> list[int]:
        """Segments whose turn has come, each told once, control segments among them. Answer with `add` or `close`."""
        out, self._open = sorted(n for n in self._open if n not in self._closed), []
        return out

    def add(
        self,
        number: int,
        keys: Iterable[str] | None = None,
        resources: Resources = _NOTHING,
        batch: int = 1,
    ) -> None:
        """What there is to do in a segment: the keys of its items, each once, drawn when needed; None: it has none.

        An item that a forerunner does not have to do counts as done there. Segments that others stream behind, and
        those, are drawn at once; of all others one batch is looked at.
        """
        lane = _Lane(resources, keys is not None, batch, iter((ALONE,) if keys is None else keys))
        self._lanes[number] = lane
        self._queue[number] = None
        ahead = [self._lanes[n].unended for n in self._streams(number) if n in self._lanes]
        if ahead or number in self._followers:
            keys = list(lane.keys)
            if number in self._followers:
                lane.unended.update(keys)
            self._hold(number, lane, keys, ahead)
            self._pass_on()
        for later in self._followers.get(number, ()):
            self._open_if_free(later)
        self._check_end(number, lane)

    def next(self) -> list[Start]:
        """All that can start now; each holds its lease until `ended`."""
        out: list[Start] = []
        keep: Resources | None = None  # what the longest waiting one wants that does not fit
        for number in () if self._budget.full else tuple(self._queue):
            started = len(out)
            lane = self._lanes[number]
            while (ask := self._ask(number, lane)) is not None:
                lease = self._budget.take(ask, many=lane.many, keep=keep)
                if lease is None:
                    break
                out.append(Start(number, self._draw(lane), lease))
                lane.running += 1
            self._check_end(number, lane)
            if ask is None:
                del self._queue[number]
            elif len(out) > started:  # it had its turn
                del self._queue[number]
                self._queue[number] = None
            elif keep is None:
                keep = ask
            if self._budget.full:
                break
        return out

    def ended(self, start: Start, failed: Collection[str] = ()) -> None:
        """A start has ended; `failed` are those of its keys that did not end well."""
        self._budget.give(start.lease)
        lane = self._lanes.get(start.segment)
        if start.segment in self._asked and failed:
            self._failed.setdefault(start.segment, set()).update(failed)
        if lane is None:  # closed before this one ended
            return
        lane.running -= 1
        self._passing.extend((start.segment, key) for key in start.keys)
        self._pass_on()
        self._check_end(start.segment, lane)

    def again(self, start: Start, resources: Resources) -> None:
        """Once more, first of all in its segment, with other resources (after a kill for memory)."""
        self._budget.give(start.lease)
        lane = self._lanes.get(start.segment)
        if lane is not None:
            lane.running -= 1
            lane.again.append((start.keys, resources))
            self._queue.setdefault(start.segment)

    def cut(self, number: int) -> None:
        """No more of its items start; it is finished once those that run have ended."""
        lane = self._lanes.get(number)
        if lane is None:
            return
        dropped = [*lane.ready, *lane.held, *(key for keys, _ in lane.again for key in keys)]
        if number in self._asked:
            dropped += lane.keys
            self._failed.setdefault(number, set()).update(dropped)
        lane.keys, lane.drawn = iter(()), True
        for waiting in (lane.ready, lane.held, lane.again):
            waiting.clear()
        self._queue.pop(number, None)
        self._passing.extend((number, key) for key in dropped)
        self._pass_on()
        self._check_end(number, lane)

    def stuck(self) -> list[tuple[int, str]]:
        """Segments that cannot go on although nothing runs, with the reason; answer with `close`."""
        if self._budget.running:
            return []
        asks = ((number, self._ask(number, lane)) for number, lane in self._lanes.items())
        reasons = [(number, self._budget.why_never(ask)) for number, ask in asks if ask is not None]
        return [(number, reason) for number, reason in reasons if reason]

    def finished(self) -> list[int]:
        """Segments of which all items ended, each told once. Answer with `close`."""
        out, self._finished = self._finished, []
        return out

    def left_out(self) -> list[tuple[int, str, int]]:
        """Items that are not run: (segment, key, the forerunner in which it failed), each told once."""
        out, self._left_out = self._left_out, []
        return out

    def blocked(self) -> list[tuple[int, int]]:
        """Segments that are not run: (segment, the one that failed before it), each told once."""
        out, self._blocked = self._blocked, []
        return out

    def close(self, number: int, ending: Ending) -> None:
        """What came of a segment; items of it that did not start do not start any more."""
        pending = [(number, ending, number)]
        while pending:
            number, ending, cause = pending.pop()
            if number in self._closed:
                continue
            self._closed[number] = ending
            self._lanes.pop(number, None)
            self._queue.pop(number, None)
            for later in self._graph.after[number]:
                goes_on = ending is Ending.DONE or (ending is Ending.PARTLY and (later, number) in self._graph.items)
                if goes_on:
                    self._waits[later] -= 1
                    self._open_if_free(later)
                elif later not in self._closed:
                    self._blocked.append((later, cause))
                    pending.append((later, Ending.FAILED, cause))

    def _streams(self, number: int) -> list[int]:
        return [n for n in self._forerunners.get(number, ()) if (number, n) in self._graph.streams]

    def _open_if_free(self, number: int) -> None:
        """Nothing before it is open but segments behind which it streams, and those have begun."""
        begun = sum(n in self._lanes and n not in self._closed for n in self._streams(number))
        if self._waits[number] <= begun and number not in self._opened and number not in self._closed:
            self._opened.add(number)
            self._open.append(number)

    def _hold(self, number: int, lane: _Lane, keys: list[str], ahead: list[set[str]]) -> None:
        """What is free to start, and what waits for items of those ahead."""
        for key in keys:
            count = sum(key in unended for unended in ahead)
            if count:
                lane.held[key] = count
            else:
                self._admit(number, lane, key)

    def _admit(self, number: int, lane: _Lane, key: str) -> None:
        """Nothing is before it any more: it may start, unless it failed there."""
        cause = next((n for n in self._forerunners.get(number, ()) if key in self._failed.get(n, ())), None)
        if cause is None:
            lane.ready.append(key)
            self._queue.setdefault(number)
            return
        self._left_out.append((number, key, cause))
        if number in self._asked:
            self._failed.setdefault(number, set()).add(key)
        self._passing.append((number, key))

    def _pass_on(self) -> None:
        """Items ended or are left out: what streams behind takes them up, or leaves them out too."""
        while self._passing:
            number, key = self._passing.popleft()
            lane = self._lanes.get(number)
            if lane is None or key not in lane.unended:
                continue
            lane.unended.discard(key)
            for later in self._followers[number]:
                behind = self._lanes.get(later)
                if behind is None or key not in behind.held:
                    continue
                behind.held[key] -= 1
                if not behind.held[key]:
                    del behind.held[key]
                    self._admit(later, behind, key)
                    self._queue.setdefault(later)  # left out it may be, and a batch can get no fuller
                    self._check_end(later, behind)

    def _fill(self, number: int, lane: _Lane) -> None:
        """Up to a batch of keys ready."""
        while not lane.drawn and len(lane.ready) < lane.batch:
            key = next(lane.keys, None)
            if key is None:
                lane.drawn = True
            else:
                self._admit(number, lane, key)

    def _ask(self, number: int, lane: _Lane) -> Resources | None:
        """What its next start takes; None when nothing is free to start."""
        if lane.again:
            return lane.again[0][1]
        self._fill(number, lane)
        if not lane.ready or (len(lane.ready) < lane.batch and lane.held):  # the batch is not full yet
            return None
        return lane.resources

    @staticmethod
    def _draw(lane: _Lane) -> tuple[str, ...]:
        if lane.again:
            return lane.again.popleft()[0]
        return tuple(lane.ready.popleft() for _ in range(min(lane.batch, len(lane.ready))))

    def _check_end(self, number: int, lane: _Lane) -> None:
        if lane.running or lane.again or lane.held or lane.told:
            return
        self._fill(number, lane)
        if lane.drawn and not lane.ready:
            lane.told = True
            self._finished.append(number)
