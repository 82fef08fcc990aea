"""What will run and why: (pipeline, status, flags) -> steps. Pure: starts nothing and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from runner.changes import what_changed
from runner.frozen import frozen
from runner.go.duration import from_go
from runner.graph import make_graph, neighbours
from runner.ground.words import time_text
from runner.model import Action, Segment, SegmentType, Step
from runner.state.status import Entry

_CONTROL = {SegmentType.PAUSE: Action.PAUSE, SegmentType.STOP: Action.STOP, SegmentType.FORCE: Action.FORCE}


_NEVER = "not done yet"


@frozen
class Selection:
    """What the command line asks for; segments by number, from 1."""

    force: bool = False
    start: int | None = None  # --from
    only: int | None = None
    accept: bool = False
    retry_failed: bool = False  # of items, only those that failed last time
    items: tuple[str, ...] = ()  # --item: patterns of those to run

    def forces(self, number: int) -> bool:
        """Whether all items of a segment (with --item, those) run because that was asked for."""
        return not self.retry_failed and (self.force or number in (self.start, self.only))


@frozen
class Plan:
    steps: tuple[Step, ...]
    keep: tuple[Entry, ...]  # what the status file holds before anything runs
    warnings: tuple[str, ...] = ()

    @property
    def to_run(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action in (Action.RUN, Action.ACCEPT))


def make_plan(
    segments: Sequence[Segment],
    entries: Sequence[Entry],
    selection: Selection = Selection(),  # noqa: B008  (nothing changes it)
    again: Mapping[int, str] | None = None,
    earlier: Callable[[str], Segment | None] = lambda content_hash: None,
) -> Plan:
    """Steps for every segment, in order.

    `again` names, per segment number, why one that counts as done is not: an output that is gone, a new input, items.
    `earlier` gives the segment that had a hash in an earlier run, should that be known.
    """
    done = {entry.content_hash: entry for entry in entries if entry.done}
    if selection.only is not None:
        return _only(segments, done, selection)
    reasons = _Reasons(segments, entries, selection, again or {}, earlier)
    first = reasons.first
    steps: list[Step] = []
    keep: list[Entry] = []
    for segment in segments:
        entry, why = done.get(segment.content_hash), reasons.runs.get(segment.number)
        if segment.is_control:
            passed = segment.number < first
            step = _passed(segment, first, segments, selection) if passed else _control(segment)
        elif why is not None and selection.accept:
            step = Step(segment, Action.ACCEPT, "marked as done without running (--accept)")
        elif why is not None:
            step = Step(segment, Action.RUN, why)
        elif entry is None:
            step = Step(segment, Action.SKIP, "left out by --from, although it is not done")
        else:
            step = Step(segment, Action.SKIP, _done_text(entry))
            keep.append(entry)
        steps.append(step)
        if step.action is Action.STOP:
            break
    if len(steps) < len(segments) and not any(s.action in (Action.RUN, Action.ACCEPT) for s in steps):
        keep = [done[s.content_hash] for s in segments if s.content_hash in done and not s.is_control]
    return Plan(tuple(steps), tuple(keep), tuple(_warnings(segments, done, entries, selection, first)))


def _control(segment: Segment) -> Step:
    return Step(segment, _CONTROL[segment.type], segment.message)


class _Reasons:
    """Why each segment that runs does: by itself, or because something runs that it waits for."""

    def __init__(
        self,
        segments: Sequence[Segment],
        entries: Sequence[Entry],
        selection: Selection,
        again: Mapping[int, str],
        earlier: Callable[[str], Segment | None],
    ) -> None:
        self.runs: dict[int, str] = {}
        self._segments, self._entries, self._selection = segments, entries, selection
        self._done = {entry.content_hash for entry in entries if entry.done}
        self._again, self._earlier = again, earlier
        before = make_graph(segments).before
        behind: dict[int, str] = {}  # what is told of whatever waits for it
        for segment in segments:
            number = segment.number
            follows = next((behind[n] for n in reversed(before[number]) if n in behind), None)
            why = self._own(segment) if follows is None else follows
            if number < (selection.start or 0) or why is None:
                continue
            if not segment.is_control:
                self.runs[number] = why
                why = f"follows segment {number}, which runs"
            behind[number] = why
        # a control segment behind which everything runs anew is itself part of that
        self.first = min(behind, default=len(segments) + 1)

    def _own(self, segment: Segment) -> str | None:
        if segment.number == self._selection.start:
            return "--from starts here"
        if self._selection.force and not segment.is_control:
            return "--force runs everything"
        if segment.type is SegmentType.FORCE:
            return f"follows the force segment {segment.number}"
        if segment.is_control:
            return None
        if segment.content_hash not in self._done:
            why = _why_not_done(segment, self._entries, self._segments, self._earlier)
            return self._again.get(segment.number, why) if why == _NEVER else why
        return self._again.get(segment.number)


def _why_not_done(
    segment: Segment,
    entries: Sequence[Entry],
    segments: Sequence[Segment],
    earlier: Callable[[str], Segment | None],
) -> str:
    current = {other.content_hash for other in segments}
    for entry in entries:
        if entry.content_hash == segment.content_hash:
            return "its entry in the status file has no date: it did not finish"
        if entry.name == segment.name and entry.done and entry.content_hash not in current:
            old = earlier(entry.content_hash)
            difference = f": {what_changed(old, segment)}" if old else ""
            return f"changed since it was done on {entry.last_processed}{difference}"
    return _NEVER


def _done_text(entry: Entry) -> str:
    seconds = from_go(entry.run_duration)
    took = f" in {time_text(seconds)}" if seconds else ""
    return f"done on {entry.last_processed}{took}"


def _passed(segment: Segment, first: int, segments: Sequence[Segment], selection: Selection) -> Step:
    """A control segment before the part that runs. A stop always holds. A pause or stop just before that part
    holds too: whoever stopped there to look goes on with --from, or by answering."""
    if selection.start is not None:
        return Step(segment, Action.SKIP, "passed over by --from")
    between = segments[segment.number : first - 1]
    holds = first <= len(segments) and all(other.is_control for other in between)
    if segment.type is SegmentType.STOP or (segment.type is SegmentType.PAUSE and holds):
        return Step(segment, _CONTROL[segment.type], segment.message)
    return Step(segment, Action.SKIP, "everything up to here is done")


def _only(segments: Sequence[Segment], done: Mapping[str, Entry], selection: Selection) -> Plan:
    steps = []
    for segment in segments:
        if segment.number != selection.only:
            steps.append(Step(segment, Action.SKIP, "not named by --only"))
        elif selection.accept:
            steps.append(Step(segment, Action.ACCEPT, "marked as done without running (--accept)"))
        else:
            steps.append(Step(segment, Action.RUN, "named by --only"))
    chosen = segments[(selection.only or 1) - 1]
    keep = tuple(
        done[s.content_hash]
        for s in segments
        if not s.is_control and s.content_hash in done and s.content_hash != chosen.content_hash
    )
    later = [s for s in segments[chosen.number :] if not s.is_control and s.content_hash in done]
    graph, numbered = make_graph(segments), {segment.number: segment for segment in segments}
    # it makes their items old, so that they run at the next start, and what follows them
    old = [number for number in neighbours(graph, chosen.number, "after", numbered) if numbered[number].many]
    later = [s for s in later if s.number not in (*old, *graph.downstream(*old))]
    warnings: tuple[str, ...] = ()
    if later and not selection.accept:
        warnings = (
            f"segment {later[0].number} ({later[0].name}) and what follows stay marked as done, although they were "
            f"made from the earlier result of segment {chosen.number}; --from {chosen.number} runs them again",
        )
    return Plan(tuple(steps), keep, warnings)


def _warnings(
    segments: Sequence[Segment], done: Mapping[str, Entry], entries: Sequence[Entry], selection: Selection, first: int
) -> list[str]:
    skipped = [s for s in segments if s.number < first and not s.is_control]
    out = []
    if selection.start is not None:
        undone = [str(s.number) for s in skipped if s.content_hash not in done]
        if undone:
            out.append(f"--from leaves out segments that are not done: {', '.join(undone)}")
    order = [entry.content_hash for entry in entries if entry.done]
    wanted = [s.content_hash for s in skipped if s.content_hash in done]
    if _order(order, set(wanted)) != _order(wanted, set(order)):
        out.append(
            "the finished segments stand in another order than when they ran; they are still taken as done "
            "(--force runs everything again)"
        )
    return out


def _order(hashes: Sequence[str], among: Collection[str]) -> list[str]:
    return list(dict.fromkeys(h for h in hashes if h in among))


def same_entries(kept: Sequence[Entry], entries: Sequence[Entry]) -> bool:
    """True when the status file need not be rewritten: the same entries, in whatever order."""
    return Counter(e.content_hash for e in kept) == Counter(e.content_hash for e in entries)


def find_segment(segments: Sequence[Segment], text: str) -> Segment | list[Segment]:
    """The segment named by its number or name; else the candidates (several of that name, or none)."""
    named = [segment for segment in segments if segment.name == text]
    if not named:
        named = [segment for segment in segments if segment.name.casefold() == text.strip().casefold()]
    if len(named) == 1:
        return named[0]
    if not named and text.strip().isdecimal() and 1 <= int(text) <= len(segments):
        return segments[int(text) - 1]
    return named
