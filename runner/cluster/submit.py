"""From frozen segments to jobs in a queue. Each is written down before it is submitted, and found again by its name."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runner.cluster import handles
from runner.cluster.by_hand import KIND as BY_HAND
from runner.cluster.chunks import parts
from runner.cluster.freeze import SegmentJob
from runner.cluster.jobs import After, Handle, Limits, QueueFull, SchedulerAway, Submission
from runner.cluster.plans import resources_of
from runner.cluster.scheduler import Scheduler
from runner.cluster.script import script_text, worker_words, write_script
from runner.ground.words import counted
from runner.model import Resources, Segment
from runner.process.stop import StopRequest
from runner.records.journal import Journal
from runner.records.layout import JOBS, PROBE, SCRIPT
from runner.site_file import ExecutorSettings

PROBE_NUMBER = 0  # of no segment
_SURELY_FITS = 500  # elements of an array that any Slurm takes: what it takes at most is asked for beyond
_LONGEST_WAIT = 60.0  # seconds between two tries while the queue is full
_PROBE_TIME = 600.0


class Submitter:
    """Of one run. Used by one thread at a time."""

    def __init__(
        self,
        record: Path,
        scheduler: Scheduler,
        settings: ExecutorSettings,
        environ: Mapping[str, str],
        journal: Journal,
        stop: StopRequest,
        folder_of: Callable[[int], Path],
        is_open: Callable[[Handle], bool],
    ) -> None:
        self._record, self.scheduler, self.settings, self._environ = record, scheduler, settings, environ
        self._journal, self._stop, self._folder_of = journal, stop, folder_of
        self._is_open = is_open  # whether what was submitted has not ended yet, as far as we know
        self.handles = {one.name: one for one in handles.read(record)}
        self.segments: dict[int, tuple[Segment, SegmentJob]] = {}  # what is frozen
        self._limits: Limits | None = None
        self._told = False
        self._next_try = 0.0
        self._pause = 1.0

    def of(self, number: int) -> list[Handle]:
        """What was submitted, or is to be, of a segment."""
        return [one for one in self.handles.values() if one.segment == number and not one.cancelled]

    @property
    def pending(self) -> list[Handle]:
        """The probe first, then in the order of the segments: each is told what it waits for."""
        found = [one for one in self.handles.values() if not one.job and not one.cancelled]
        return sorted(found, key=lambda one: one.segment)

    # what is to be submitted

    def intend_probe(self) -> None:
        self._intend([Handle(self._name("probe"), PROBE_NUMBER, seconds=self._least(_PROBE_TIME))])

    def intend(
        self,
        number: int,
        chunks: Sequence[int] | None = None,
        *,
        generation: int = 0,
        resources: Resources | None = None,
        seconds: float | None = None,
        again: str = "",
        lost: bool = False,
    ) -> None:
        """The job of a segment, or an array for these of its chunks, is to be submitted."""
        segment, job = self.segments[number]
        base = Handle(
            "",
            number,
            generation=generation,
            resources=resources_of(segment, self.settings) if resources is None else resources,
            seconds=job.chunking.seconds if seconds is None else seconds,
            again=again,
            lost=lost,
        )
        if not job.many:
            self._intend([replace(base, name=self._name(segment.name))])
            return
        wanted = [chunk.number for chunk in job.chunking.chunks] if chunks is None else list(chunks)
        found = parts(wanted, self.settings, self._limits_for(wanted))
        self._intend(
            replace(base, name=self._name(segment.name), indices=part.indices, offset=part.offset) for part in found
        )

    def _intend(self, wanted: Iterable[Handle]) -> None:
        new = [replace(one, scheduler=self.scheduler.name) for one in wanted]
        handles.add(self._record, new)
        self.handles |= {one.name: one for one in new}

    def _limits_for(self, chunks: Sequence[int]) -> Limits:
        if self._limits is None and max(chunks, default=0) >= _SURELY_FITS:
            self._limits = self.scheduler.limits()
        return self._limits or Limits()

    # what is submitted

    def test(self) -> None:
        """The scheduler says whether it would take the first of them. Raises ClusterError."""
        first = next((one for one in self.pending if one.segment != PROBE_NUMBER), None)
        with suppress(QueueFull):  # told, and waited for, when it is submitted
            if first is not None and (when := self.scheduler.test(self._submission(first))):
                self._journal.note(f"   {self.scheduler.name} would start it at {when}")

    def adopt(self) -> None:
        """Those that a driver submitted and could not write down any more."""
        names = [one.name for one in self.pending]
        for name, job in (self.scheduler.find(names) if names else {}).items():
            self._note(replace(self.handles[name], job=job, submitted=time.time()))
            self._journal.note(f"   job {job} was submitted before this run broke off: it counts")

    def push(self, *, wait: bool) -> None:
        """Submit what is pending. `wait`: until the queue has room for all, else what it has no room for stays.

        Raises ClusterError; what was submitted by then is written down.
        """
        while pending := self.pending:
            if self._pushed(pending[0]):
                continue
            if not wait or self._stop.wait(max(0.0, self._next_try - time.monotonic())):
                return

    def _pushed(self, handle: Handle) -> bool:
        if time.monotonic() < self._next_try:
            return False
        try:
            job = self.scheduler.submit(self._submission(handle))
        except (QueueFull, SchedulerAway) as error:
            self._next_try = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_WAIT)
            if not self._told:
                self._journal.warn(f"{error.message}; it is tried again until there is room, at least once a minute")
            self._told = True
            if isinstance(error, QueueFull):
                return self._is_cut(handle)
            self._stop.wait(1.0)  # it may have been taken all the same
            self._adopt_quietly()
            return bool(self.handles[handle.name].job)
        self._pause, self._told = 1.0, False
        self._note(replace(handle, job=job, submitted=time.time()))
        if handle.segment != PROBE_NUMBER and self.scheduler.name != BY_HAND:
            several = f", {counted(len(handle.indices), 'element')}" if handle.indices else ""
            self._journal.note(f"   {handle.segment}. {self.segments[handle.segment][0].name}: job {job}{several}")
        return True

    def _is_cut(self, handle: Handle) -> bool:
        """Whether an array that the queue has no room for was cut into a part that may fit and the rest."""
        limits = self.scheduler.limits()
        room = limits.left if limits.left is not None else limits.jobs or self.settings.most_jobs
        if not room or room >= len(handle.indices):
            return False
        self._note(replace(handle, cancelled=True))
        name = self.segments[handle.segment][0].name
        parts_ = (handle.indices[:room], handle.indices[room:])
        self._intend(replace(handle, name=self._name(name), indices=part) for part in parts_)
        return True

    def _adopt_quietly(self) -> None:
        try:
            self.adopt()
        except SchedulerAway:
            return

    def _note(self, handle: Handle) -> None:
        handles.add(self._record, [handle])
        self.handles[handle.name] = handle

    def _submission(self, handle: Handle) -> Submission:
        probe = handle.segment == PROBE_NUMBER
        folder = self._record / PROBE if probe else self._folder_of(handle.segment)
        log = folder if probe else folder / JOBS
        log.mkdir(parents=True, exist_ok=True)
        return Submission(
            handle.name,
            self._script(handle, folder),
            self._record,
            log,
            handle.indices,
            handle.resources,
            handle.seconds,
            () if probe else self._after(handle),
        )

    def _script(self, handle: Handle, folder: Path) -> Path:
        if handle.segment == PROBE_NUMBER:
            words, path = worker_words(self._record, "--probe"), folder / SCRIPT
        else:
            arguments = [str(handle.segment), "--generation", str(handle.generation)]
            if handle.indices:
                index = self.scheduler.index
                arguments += ["--index", f"$(({index} + {handle.offset}))" if handle.offset else index]
            words = worker_words(self._record, *arguments)
            path = folder / f"job-{handle.generation}-{handle.offset}.sh"
        write_script(path, script_text(words, self._environ, self.settings.environ, self.settings.modules))
        return path

    def _after(self, handle: Handle) -> tuple[tuple[After, str], ...]:
        """What was lost is submitted again only once all that it needs is there."""
        if handle.generation:
            return ()
        found = [(After.OK, one.job) for one in self.of(PROBE_NUMBER) if one.job and self._is_open(one)]
        job = self.segments[handle.segment][1]
        for before in job.forerunners:
            others = [one for one in self.of(before.segment) if one.job and self._is_open(one)]
            if before.items and self.same_chunks(handle.segment, before.segment):
                twin = [one for one in others if not one.generation and one.chunks == handle.chunks]
                if twin:
                    found.append((After.EACH, twin[-1].job))
                    continue
            found += [(After.ANY, one.job) for one in others]
        return tuple(dict.fromkeys(found))

    def same_chunks(self, one: int, other: int) -> bool:
        """Whether both segments go over the same items, cut alike."""
        pair = [self.segments[number][1] for number in (one, other) if number in self.segments]
        return len(pair) == 2 and pair[0].many and pair[0].chunking.chunks == pair[1].chunking.chunks and (
            pair[0].items == pair[1].items
        )  # fmt: skip

    # what is taken back

    def cancel(self, wanted: Sequence[Handle]) -> None:
        """What is only intended is never submitted then. Raises ClusterError; `wanted` count as they were then."""
        if jobs := [one.job for one in wanted if one.job]:
            self.scheduler.cancel([(job, None) for job in dict.fromkeys(jobs)])
        self.drop(wanted)

    def drop(self, wanted: Sequence[Handle]) -> None:
        """They count for nothing any more."""
        gone = [replace(one, cancelled=True) for one in wanted]
        handles.add(self._record, gone)
        self.handles |= {one.name: one for one in gone}

    def _name(self, segment: str) -> str:
        plain = re.sub(r"[^\w-]+", "-", segment, flags=re.ASCII).strip("-")[:24]
        return f"rp-{plain or 'segment'}-{os.urandom(5).hex()}"  # PBS wants a letter first

    def _least(self, seconds: float) -> float:
        return seconds if self.settings.time or any(job.chunking.seconds for _, job in self.segments.values()) else 0.0
