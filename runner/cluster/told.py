"""How far a run on a cluster is, for whoever asks: its receipts, and one question to the scheduler. Writes nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runner.cluster import handles
from runner.cluster.followed import Followed
from runner.cluster.freeze import read_items, read_segment
from runner.cluster.jobs import ClusterError, Element, JobLook, JobState, SchedulerAway
from runner.cluster.says import say
from runner.cluster.scheduler import Scheduler
from runner.cluster.submit import PROBE_NUMBER
from runner.cluster.tail import Tail
from runner.ground.words import counted
from runner.model import Segment
from runner.records.layout import JOB, Record
from runner.records.receipt import Receipt, Result

_MOST = 3  # nodes that are named


@dataclass
class Told:
    """One segment that was submitted."""

    number: int
    name: str
    many: bool
    total: int = 0  # items that this run is to do
    ended: Counter[str] = field(default_factory=Counter)  # by state
    jobs: dict[JobState, int] = field(default_factory=dict)  # elements with items that have not ended
    waits: Counter[str] = field(default_factory=Counter)  # why those that do not run wait, in words
    nodes: set[str] = field(default_factory=set)
    unknown: str = ""  # the scheduler does not answer

    @property
    def done(self) -> int:
        return sum(self.ended.values())

    @property
    def is_open(self) -> bool:
        return self.done < self.total

    @property
    def sentence(self) -> str:
        """`12 of 20 items ended, 1 failed; 2 jobs run on n1, n2; 3 jobs wait: it waits for its turn`."""
        if self.many:
            parts = [f"{self.done:,} of {self.total:,} item{'' if self.total == 1 else 's'} ended"]
            bad = self.ended[Result.FAILED] + self.ended[Result.TIMED_OUT]
            parts[0] += f", {bad:,} failed" if bad else ""
            parts[0] += f", {self.ended[Result.NOT_RUN]:,} not run" if self.ended[Result.NOT_RUN] else ""
        else:
            parts = [next(iter(self.ended), "")] if self.done else []
        if not self.is_open:
            return "; ".join(parts)
        if self.unknown:
            return "; ".join([*parts, self.unknown])
        for state, count in self.jobs.items():
            parts.append(f"{counted(count, 'job')} {self._state(state, count)}")
        return "; ".join(parts) or "not submitted yet"

    def _state(self, state: JobState, count: int) -> str:
        one = count == 1
        if state is JobState.RUNNING:
            nodes = sorted(self.nodes)
            on = f" on {', '.join(nodes[:_MOST])}{' and others' if len(nodes) > _MOST else ''}" if nodes else ""
            return f"{'runs' if one else 'run'}{on}"
        if state in (JobState.WAITING, JobState.HELD):
            word = ("is held" if one else "are held") if state is JobState.HELD else ("waits" if one else "wait")
            why = "; ".join(self.waits)
            return f"{word}: {why}" if why else word
        if state is JobState.UNKNOWN:
            return f"{'is' if one else 'are'} not known to the scheduler (any more): `resume` goes on"
        return f"{'is' if one else 'are'} over ({state.value}), and not looked at yet: `resume` goes on"

    def as_values(self) -> dict[str, Any]:
        return {
            "segment": self.number,
            "name": self.name,
            "total": self.total,
            "ended": dict(self.ended),
            "jobs": {state.value: count for state, count in self.jobs.items()},
            "waits_for": list(self.waits),
            "nodes": sorted(self.nodes),
            "unknown": self.unknown,
            "sentence": self.sentence,
        }


def look(record: Record, segments: Iterable[Segment], scheduler: Scheduler | None) -> list[Told]:
    """Each of these segments that was frozen. Raises StateError; one that cannot be asked about is unknown."""
    found: dict[int, tuple[Told, Followed]] = {}
    for segment in segments:
        folder = record.segment_folder(segment.number, segment.name)
        if segment.is_control or not (folder / JOB).exists():
            continue
        job = read_segment(folder)
        one = Followed(segment, job, folder, read_items(folder, job) if job.many else [], Tail(folder, job.remembered))
        told = Told(segment.number, segment.name, job.many, job.count if job.many else 1)
        for receipt in one.receipts():
            told.ended[receipt.state if isinstance(receipt, Receipt) else receipt.state.value] += 1
        found[segment.number] = (told, one)
    _ask(record, found, scheduler)
    return [told for told, _ in found.values()]


def _ask(record: Record, found: dict[int, tuple[Told, Followed]], scheduler: Scheduler | None) -> None:
    latest: dict[tuple[int, int], Element] = {}
    for handle in handles.read(record.folder):
        if handle.segment == PROBE_NUMBER or handle.cancelled or handle.segment not in found:
            continue
        one = found[handle.segment][1]
        for chunk in one.chunks_of(handle):
            latest[handle.segment, chunk] = (handle.job, chunk - handle.offset if one.job.many else None)
    open_ = dict(_open(found, latest))
    if not open_:
        return
    try:
        looks = scheduler.look([element for element in open_ if element[0]]) if scheduler is not None else {}
    except (SchedulerAway, ClusterError) as error:
        for number in set(open_.values()):
            found[number][0].unknown = f"unknown since {time.strftime('%H:%M')}: {error.message}"
        return
    states: dict[int, Counter[JobState]] = {}
    for element, number in open_.items():
        look = looks.get(element, JobLook(JobState.UNKNOWN if element[0] else JobState.WAITING, "QueueFull"))
        told = found[number][0]
        states.setdefault(number, Counter())[look.state] += 1
        if look.node and look.state is JobState.RUNNING:
            told.nodes.add(look.node)
        if look.state in (JobState.WAITING, JobState.HELD):
            told.waits[say(look).words.removeprefix("waiting: ") if element[0] else "not submitted yet"] += 1
    for number, counts in states.items():
        found[number][0].jobs = {state: counts[state] for state in JobState if counts[state]}


def _open(
    found: dict[int, tuple[Told, Followed]], latest: dict[tuple[int, int], Element]
) -> Iterator[tuple[Element, int]]:
    for (number, chunk), element in latest.items():
        if found[number][1].open_keys(chunk):
            yield element, number
