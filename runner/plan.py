"""What will run and why: (pipeline, status, flags) -> steps. Pure: starts nothing and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from runner.changes import what_changed
from runner.go.duration import from_go
from runner.ground.words import time_text
from runner.model import Action, Segment, SegmentType, Step
from runner.state.status import Entry

_CONTROL = {SegmentType.PAUSE: Action.PAUSE, SegmentType.STOP: Action.STOP, SegmentType.FORCE: Action.FORCE}


@dataclass(frozen=True)
class Selection:
    """What the command line asks for; segments by number, from 1."""

    force: bool = False
    start: int | None = None  # --from
    only: int | None = None
    accept: bool = False


@dataclass(frozen=True)
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
    selection: Selection = Selection(),
    gone: Mapping[int, str] | None = None,
    earlier: Callable[[str], Segment | None] = lambda content_hash: None,
) -> Plan:
    """Steps for every segment, in order.

    `gone` names, per segment number, a declared output that is missing or empty: such a segment is not done.
    `earlier` gives the segment that had a hash in an earlier run, should that be known.
    """
    done = {entry.content_hash: entry for entry in entries if entry.done}
    if selection.only is not None:
        return _only(segments, done, selection)
    first, reason = _start(segments, done, entries, selection, gone or {}, earlier)
    steps: list[Step] = []
    keep: list[Entry] = []
    why = reason
    for segment in segments:
        if segment.number < first:
            entry = done.get(segment.content_hash)
            if segment.is_control:
                step = _passed(segment, first, segments, done, selection)
            elif entry is None:
                step = Step(segment, Action.SKIP, "left out by --from, although it is not done")
            else:
                step = Step(segment, Action.SKIP, _done_text(entry))
                keep.append(entry)
        elif segment.is_control:
            step = Step(segment, _CONTROL[segment.type], segment.message)
        else:
            action = Action.ACCEPT if selection.accept else Action.RUN
            step = Step(segment, action, why)
            why = f"follows segment {segment.number}, which runs"
            if selection.accept:
                step = Step(segment, action, "marked as done without running (--accept)")
        steps.append(step)
        if step.action is Action.STOP:
            break
    if len(steps) < len(segments) and not any(s.action in (Action.RUN, Action.ACCEPT) for s in steps):
        keep = [done[s.content_hash] for s in segments if s.content_hash in done and not s.is_control]
    return Plan(tuple(steps), tuple(keep), tuple(_warnings(segments, done, entries, selection, first)))


def _start(
    segments: Sequence[Segment],
    done: Mapping[str, Entry],
    entries: Sequence[Entry],
    selection: Selection,
    gone: Mapping[int, str],
    earlier: Callable[[str], Segment | None],
) -> tuple[int, str]:
    """Number of the first segment of the part that runs, and why it runs."""
    if selection.start is not None:
        return selection.start, "--from starts here"
    if selection.force:
        return 1, "--force runs everything"
    for segment in segments:
        if segment.type is SegmentType.FORCE:
            return segment.number, f"follows the force segment {segment.number}"
        if segment.is_control:
            continue
        if segment.content_hash not in done:
            return segment.number, _why_not_done(segment, entries, segments, earlier)
        if segment.number in gone:
            return segment.number, f"its output is gone: {gone[segment.number]}"
    return len(segments) + 1, ""


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
    return "not done yet"


def _done_text(entry: Entry) -> str:
    seconds = from_go(entry.run_duration)
    took = f" in {time_text(seconds)}" if seconds else ""
    return f"done on {entry.last_processed}{took}"


def _passed(
    segment: Segment, first: int, segments: Sequence[Segment], done: Mapping[str, Entry], selection: Selection
) -> Step:
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
