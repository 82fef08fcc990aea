"""How a segment's items are cut into the elements of an array, and how long each of them may take. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.cluster.by_hand import KIND
from runner.cluster.jobs import Chunk, Chunking, Limits
from runner.ground.words import counted, time_text
from runner.items.item import Item
from runner.site_file import ExecutorSettings

_UNKNOWN = 100  # chunks at most, where nothing tells how long an item takes
_LEAST = 300.0  # seconds: Python and its packages come from a disk that hundreds of jobs read at this moment


@dataclass(frozen=True)
class Known:
    """How long one item takes."""

    seconds: float | None = None  # measured; None: nothing was
    source: str = ""  # of that: "run 12", "the canary"
    most: float = 0.0  # what the segment says that one may take: `resources.time`; 0: nothing


@dataclass(frozen=True)
class Part:
    """What one array is submitted with: an element's index, and `offset`, make the number of its chunk."""

    offset: int
    indices: tuple[int, ...]


def cut(
    items: Sequence[Item],
    known: Known,
    settings: ExecutorSettings,
    *,
    batch: int = 1,
    at_once: int = 1,
    like: Sequence[Chunk] | None = None,
) -> Chunking:
    """Chunks that take about `target-time` each. Items that share a start of their program stay together.

    `at_once`: how many items, or batches, run beside each other in one element. `like`: the chunks of a segment with
    the same items that this one follows item by item, so that each element waits for one other alone.
    """
    chunks = tuple(like) if like is not None else tuple(_chunks(items, known, settings, max(batch, 1), at_once))
    most = max((len(chunk.places) for chunk in chunks), default=0)
    if settings.kind == KIND:
        return Chunking(chunks, 0.0, f"{counted(len(items), 'item')} in {counted(len(chunks), 'part')}")
    seconds, why = _time(most, known, settings, math.ceil(most / max(batch, 1) / at_once) * max(batch, 1))
    count = (
        f"{len(items):,} item{'' if len(items) == 1 else 's'} in {len(chunks):,} chunk{'' if len(chunks) == 1 else 's'}"
    )
    return Chunking(chunks, seconds, f"{count}, {why}")


def alone(known: Known, settings: ExecutorSettings) -> Chunking:
    """A segment that goes over nothing: one job, and how long it may take."""
    if settings.kind == KIND:
        return Chunking((), 0.0, "by the part that ends last before it")
    seconds, why = _time(1, known, settings, 1)
    return Chunking((), seconds, f"one job, {why}")


def parts(numbers: Iterable[int], settings: ExecutorSettings, limits: Limits) -> list[Part]:
    """The arrays that these chunks need. An index stays below MaxArraySize, an array within what may wait at a time."""
    size = limits.array_size or 0
    most = limits.jobs or settings.most_jobs or 0
    by_offset: dict[int, list[int]] = {}
    for number in sorted(numbers):
        by_offset.setdefault(number // size * size if size else 0, []).append(number)
    found = []
    for offset, group in by_offset.items():
        step = most or len(group)
        found += [
            Part(offset, tuple(number - offset for number in group[at : at + step]))
            for at in range(0, len(group), step)
        ]
    return found


def _chunks(
    items: Sequence[Item], known: Known, settings: ExecutorSettings, batch: int, at_once: int
) -> Iterable[Chunk]:
    """As many, and as even, as starts of the program allow."""
    starts = _starts(items, batch)
    if settings.kind == KIND:  # one part for each computer, and what is alike is dealt out
        dealt = (starts[number :: settings.at_once] for number in range(settings.at_once))
        yield from (
            Chunk(number, tuple(sorted(place for start in mine for place in start)))
            for number, mine in enumerate(dealt)
            if mine
        )
        return
    seconds = known.seconds if known.seconds is not None else known.most or None
    if seconds is None:
        count = min(len(starts), _UNKNOWN)
    else:
        each = max(1, int(settings.target_time / max(seconds * batch, 1e-3))) * at_once
        count = math.ceil(len(starts) / each)
    for number in range(count):
        mine = starts[len(starts) * number // count : len(starts) * (number + 1) // count]
        yield Chunk(number, tuple(place for start in mine for place in start))


def _starts(items: Sequence[Item], batch: int) -> list[list[int]]:
    """The places of the items that each start of the program is given: of one combination of `matrix` alone."""
    if batch == 1:
        return [[place] for place in range(len(items))]
    by_label: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        by_label.setdefault(item.label, []).append(place)
    return [group[at : at + batch] for group in by_label.values() for at in range(0, len(group), batch)]


def _time(most: int, known: Known, settings: ExecutorSettings, in_a_row: int) -> tuple[float, str]:
    """Seconds to ask for, whole minutes, and what they follow from. `most`: items of the largest chunk."""
    if known.seconds is not None:
        seconds = in_a_row * known.seconds * settings.margin
        why = f"{_times(most, in_a_row)} x {time_text(known.seconds)} (measured: {known.source}) x {settings.margin:g}"
        if known.most > seconds:
            seconds, why = known.most, f"{why} is less than the `time` of one item"
        if seconds < _LEAST:
            seconds, why = _LEAST, f"{why}, and no less than {time_text(_LEAST)}"
    elif known.most:
        seconds, why = in_a_row * known.most, f"{_times(most, in_a_row)} x {time_text(known.most)} (`resources.time`)"
    elif settings.time:
        seconds, why = settings.time, f"`time` of the executor {settings.name}, since nothing was measured yet"
    else:
        return 0.0, "no time limit asked for: nothing was measured, and neither segment nor executor says a `time`"
    seconds = math.ceil(seconds / 60 - 1e-9) * 60.0
    return seconds, f"up to {time_text(seconds)} each: {why}"


def _times(most: int, in_a_row: int) -> str:
    return f"{most:,}" if most == in_a_row else f"{most:,} side by side, {in_a_row:,} in a row"
