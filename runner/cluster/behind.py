"""Which items of a segment may run, as far as those before it have come in this run. The disk alone tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runner.cluster.freeze import Forerunner, SegmentJob, read_items, read_segment
from runner.cluster.receipts import ended, plain_receipt
from runner.errors import StateError
from runner.model import Segment
from runner.records.layout import Record
from runner.records.lines import ItemState


@dataclass
class Standing:
    """Of the items that were asked about: each is in one of the three."""

    ready: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)  # key -> the segment in which it failed
    waiting: dict[str, int] = field(default_factory=dict)  # key -> the segment that it waits for

    @property
    def waits_for(self) -> str:
        """`segment 1 (12 items)`."""
        counts: dict[int, int] = {}
        for number in self.waiting.values():
            counts[number] = counts.get(number, 0) + 1
        return ", ".join(f"segment {n} ({count:,} item{'s' if count > 1 else ''})" for n, count in counts.items())


class Behind:
    """The forerunners of one segment."""

    def __init__(self, record: Path, job: SegmentJob, segments: Mapping[int, Segment]) -> None:
        self._before = [
            (one, _Forerunner(Record(record).segment_folder(one.segment, segments[one.segment].name)))
            for one in job.forerunners
        ]

    def look(self, keys: Sequence[str]) -> Standing:
        """As it is now. Raises StateError."""
        standing = Standing(list(keys))
        for one, before in self._before:
            states = before.of(standing.ready) if one.items else dict.fromkeys(standing.ready, before.whole())
            for key, good in states.items():
                if good is None:
                    standing.waiting[key] = one.segment
                elif not good:
                    standing.failed[key] = one.segment
            standing.ready = [key for key in standing.ready if states[key]]
        return standing

    def whole(self) -> tuple[Forerunner, bool | None] | None:
        """The first that keeps a segment without items from being run, and whether it failed (False) or is open."""
        return next(((one, good) for one, before in self._before if not (good := before.whole())), None)


class _Forerunner:
    """True: it ended well, False: it did not, None: it has not ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, keys: Sequence[str]) -> dict[str, bool | None]:
        """Item by item. One that it does not have to do counts as done there."""
        if self._job is None:
            return dict.fromkeys(keys)
        chunks = {self._chunk_of[key] for key in keys if key in self._chunk_of}
        known = ended(self._folder, self._job.remembered, chunks)
        return {key: _good(known.get(key)) if key in self._chunk_of else True for key in keys}

    def whole(self) -> bool | None:
        job = self._job
        if job is None:
            return None
        if not job.many:
            receipt = plain_receipt(self._folder)
            return None if receipt is None else receipt.succeeded or job.keep_going
        known = ended(self._folder, job.remembered)
        states = [_good(known.get(key)) for key in self._chunk_of]
        return None if None in states else all(states) or job.keep_going

    @property
    def _job(self) -> SegmentJob | None:
        """None while it is not submitted: its items are made by one that runs now."""
        if "job" not in self.__dict__:
            try:
                self.__dict__["job"] = read_segment(self._folder)
            except StateError:
                return None
        job: SegmentJob = self.__dict__["job"]
        return job

    @cached_property
    def _chunk_of(self) -> dict[str, int]:
        """By key of an item."""
        assert self._job is not None
        items = read_items(self._folder, self._job)
        return {items[place].key: chunk.number for chunk in self._job.chunking.chunks for place in chunk.places}


def _good(state: ItemState | None) -> bool | None:
    return None if state is None else state is ItemState.SUCCEEDED
