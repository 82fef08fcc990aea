"""Carries out a run's starts on a cluster: submits, hands over receipts as they appear, asks about what is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from runner.cluster.ending import until_ended
from runner.cluster.followed import Followed
from runner.cluster.freeze import freeze_segment, read_items, read_segment, task_digest
from runner.cluster.jobs import ClusterError, Handle, JobState, Looks, SchedulerAway
from runner.cluster.plans import ahead, as_frozen, for_canary, frozen_segment
from runner.cluster.probe import why_not
from runner.cluster.scheduler import Scheduler
from runner.cluster.submit import PROBE_NUMBER, Submitter
from runner.cluster.tail import Disk, Tail
from runner.cluster.telling import Telling, told_before
from runner.cluster.watch import Patience, Watch
from runner.cluster.worker import ready
from runner.environments import Request, kind
from runner.environments.users import note_jobs
from runner.errors import Busy, Interrupted, RunnerError
from runner.executors.local import Finished, Work
from runner.executors.preparer import Preparer
from runner.graph import Graph, make_graph
from runner.ground.told import read_json
from runner.ground.words import counted
from runner.model import Segment
from runner.records.layout import CANCEL, JOB, SUBMITTED
from runner.records.receipt import Receipt
from runner.runs.items import Over
from runner.runs.many import ManyTasks
from runner.runs.open import Opened
from runner.schedule import Start
from runner.site_file import ExecutorSettings

_SLOWEST = 30.0  # seconds between two questions to the scheduler
_SHARE = 20  # a look at the disk takes no more than one part of so many of the time


@dataclass(frozen=True)
class How:
    """What is asked of a run on a cluster."""

    submits: bool = True  # what is not submitted yet, and what was lost
    waits: bool = True  # until all has ended
    again: bool = False  # an earlier process of the same run submitted it
    cancels: bool = False  # all that is not over
    patience: Patience = field(default_factory=Patience)
    disk: Disk = field(default_factory=Disk)


class ClusterExecutor:
    """Used by the loop's thread; a thread of its own follows."""

    detached = True

    def __init__(
        self,
        opened: Opened,
        preparer: Preparer,
        events: SimpleQueue[Any],
        scheduler: Scheduler,
        settings: ExecutorSettings,
        how: How,
    ) -> None:
        self._opened, self._preparer, self._events, self._how = opened, preparer, events, how
        self._journal, self._settings, self._scheduler = opened.request.journal, settings, scheduler
        self.waits, self.ours = how.waits, True
        self._steps = {step.segment.number: step for step in opened.look.plan.steps}
        self._graph = make_graph(opened.look.pipeline.segments).among(self._steps)
        self._followed: dict[int, Followed] = {}
        self.submitter = Submitter(
            opened.record.folder,
            scheduler,
            settings,
            opened.request.site.host.environ,
            self._journal,
            opened.request.stop,
            self._folder,
            self._is_open,
        )
        self._watch = Watch(
            self.submitter, self._followed, settings, self._journal, how.patience, is_ready=self._is_ready
        )
        self._proven = not self.submitter.of(PROBE_NUMBER)  # a probe that is open
        self._told = told_before(opened.record.folder) if how.again else {}
        self._going = False  # what is handed over is submitted at once
        self._lock = threading.RLock()  # of what is followed
        self._submitting = threading.RLock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._telling = Telling(opened.around)
        self._reading: dict[int, Callable[[], None]] = {}  # what plain segments read, for their success

    # what the loop asks

    def ahead(self, graph: Graph) -> list[int]:
        found = ahead(self._opened.look, graph, self._steps) if self._how.submits else []
        frozen = [number for number in graph.before if self._is_frozen(number)]
        for number in found:  # all environments before any job
            if number not in frozen:
                self._preparer.need(self._opened.look.jobs[number])
        return sorted({*found, *frozen})

    def frozen(self, segment: Segment) -> ManyTasks | None:
        number = segment.number
        if segment.many is None or not self._is_frozen(number):
            return None
        one, look = self._follow(segment), self._opened.look
        now = look.many.get(number)
        if now is not None and not self._told.get(number):
            known = {item.key for item in one.items} | now.ledger.done.keys()
            if new := sum(item.key not in known for item in now.items):
                self._journal.note(f"   {number}. {segment.name}: {counted(new, 'item')} came since, for another run")
        return as_frozen(look, one.job, one.items)

    def told(self, segment: Segment) -> Collection[str]:
        return self._told.get(segment.number, ())

    def enter(self, segment: Segment, over: Over | None, *, one: bool) -> None:
        number = segment.number
        if number in self._followed and not self._followed[number].job.canary:
            return
        if self._is_frozen(number):
            self._follow(segment)
            return
        if not self._how.submits:
            return
        if over is not None and not over.keys(one=one):
            return
        self._preparer.need(self._opened.look.jobs[number])
        self._freeze(segment, over, one=one)
        if self._going or one:
            with self._submitting:
                self._intend({number: [0] if one else self._missing(number)})

    def submit(self) -> None:
        self._going = True
        if self._how.cancels:
            self._cancel()
        if not self._how.submits:
            self._step()
            return
        with self._submitting:
            if self._how.again:
                self.submitter.adopt()
            self._intend({number: missing for number in self._followed if (missing := self._missing(number))})
        self._begin()

    def start(self, start: Start, work: Work) -> int:
        one = self._followed.get(start.segment)
        if one is not None and not one.job.many:
            self._telling.start(one.segment)
        if one is None:  # nothing of it was submitted, and nothing will be
            if self._how.cancels:
                self._events.put(Finished(start, 0, None))
            return 0
        with self._lock:
            self._hand_over(list(one.start(start)))
        return 0

    def ended(self, finished: Finished) -> None:
        if isinstance(finished.result, Receipt) and finished.result.succeeded:
            self._reading.pop(finished.start.segment, lambda: None)()

    def submitted(self, number: int) -> bool:
        return number in self._followed

    def cut(self, number: int) -> None:
        if number not in self._followed:
            return
        with self._lock:
            found = list(self._followed[number].give_up())
        if self._how.submits:
            with self._submitting, suppress(SchedulerAway):
                self.submitter.cancel([one for one in self.submitter.of(number) if self._is_open(one) or not one.job])
        self._hand_over(found)

    def _cancel(self) -> None:
        """Raises ClusterError: then nothing is cancelled as far as we know."""
        live = [one for one in self.submitter.handles.values() if not one.cancelled]
        self.submitter.adopt()
        live = [self.submitter.handles[one.name] for one in live]
        self.submitter.cancel(live)
        wait = self._opened.request.stop.wait
        until_ended(self._scheduler, live, lambda text: self._journal.note(f"   {text}"), wait)
        self._step()
        for one in self._followed.values():
            one.cut = True

    @property
    def holds(self) -> bool:
        return any(one.job and not one.cancelled and self._is_open(one) for one in self.submitter.handles.values())

    def close(self) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(2.0)  # a scheduler that hangs holds up nobody

    # segments

    def _folder(self, number: int) -> Any:
        return self._opened.record.segment_folder(number, self._steps[number].segment.name)

    def _is_frozen(self, number: int) -> bool:
        """What a canary was frozen for is frozen anew for the others."""
        folder = self._folder(number) if number in self._steps else None
        return folder is not None and (folder / JOB).exists() and not read_segment(folder).canary

    def _is_ready(self, number: int) -> bool:
        """Whether the environment is as it was prepared; where it is, a node that lacks it is to blame."""
        task, site = self._opened.look.jobs[number], self._opened.request.site
        try:
            ready(task, site)
            kind(task.spec).wrap(Request(task.spec, task.entries, task.env, task.cwd), site)
        except RunnerError:
            return False
        return True

    def _is_open(self, handle: Handle) -> bool:
        if handle.segment == PROBE_NUMBER:
            return not self._proven
        one = self._followed.get(handle.segment)
        return one is not None and any(one.open_keys(chunk) for chunk in one.chunks_of(handle))

    def _follow(self, segment: Segment) -> Followed:
        number = segment.number
        if number not in self._followed:
            folder = self._folder(number)
            job = read_segment(folder)
            items = read_items(folder, job) if job.many else []
            task = self._opened.look.jobs.get(number)
            if self._how.again and self._how.submits and task is not None and task_digest(task) != job.task:
                self._journal.warn(
                    f"{number}. {segment.name}: .env was changed since it was submitted, so jobs of it that have not "
                    "begun will not run. Put it back, or cancel this run and start anew"
                )
            one = Followed(segment, job, folder, items, Tail(folder, job.remembered, self._how.disk))
            with self._lock:
                self._followed[number] = one
                self.submitter.segments[number] = (segment, job)
                if self._how.again:
                    self._hand_over(one.look())
        return self._followed[number]

    def _freeze(self, segment: Segment, over: Over | None, *, one: bool) -> None:
        number, tasks = segment.number, over.tasks if over is not None else None
        twins = [n for n in self._graph.before[number] if (number, n) in self._graph.items and n in self._followed]
        like = (self._followed[twins[0]].items, self._followed[twins[0]].job.chunking.chunks) if twins else None
        look, settings, durations = self._opened.look, self._settings, self._opened.durations
        job, items = frozen_segment(look, self._graph, segment, tasks, settings, like=like, durations=durations)
        with self._lock:
            self._followed.pop(number, None)
        canaries = self.submitter.of(number)
        if self._how.again and not one and any(handle.job for handle in canaries):
            with suppress(ClusterError):  # one of them may wait for another, and in vain
                self._scheduler.cancel([(handle.job, None) for handle in canaries if handle.job])
        self.submitter.drop(canaries)
        if one and over is not None:
            job = for_canary(job, items, *over.keys(one=True))
        if not job.many:
            self._reading[number] = self._opened.around.reading(look.jobs[number])
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        freeze_segment(folder, job, items)
        task, site = look.jobs[number], self._opened.request.site
        note_jobs(kind(task.spec).folder(task.spec, task.entries, site), self._opened.record.folder)
        self._follow(segment)
        self._journal.note(f"   {number}. {segment.name}: {job.chunking.reason}")

    # submission

    def _missing(self, number: int) -> list[int]:
        """Chunks with open items of which nothing was submitted, nor is to be."""
        one = self._followed[number]
        there = {chunk for handle in self.submitter.of(number) for chunk in one.chunks_of(handle)}
        return [chunk for chunk in one.open_chunks() if chunk not in there]

    def _intend(self, wanted: Mapping[int, list[int]]) -> None:
        """Chunks by segment. Raises ClusterError, after which nothing is submitted that was not before."""
        first = not self.submitter.handles
        record = self._opened.record
        if record.state != SUBMITTED:
            record.data["state"] = SUBMITTED
            record.save()
        if first and wanted:
            self.submitter.intend_probe()
            self._proven = False
        for number, chunks in wanted.items():
            self.submitter.intend(number, chunks)
        try:
            if first:
                self.submitter.test()
            self.submitter.push(wait=not self.waits)
        except SchedulerAway as error:
            if not first or any(one.job for one in self.submitter.handles.values()):
                self._telling.away("scheduler", error.message)
                return
            self.submitter.cancel(self.submitter.pending)
            raise
        except ClusterError as error:
            self.submitter.cancel(self.submitter.pending)
            if self.holds:
                error.cure += "\nJobs that were taken before go on: `resume` goes on with them, `cancel` ends them."
            raise
        self._begin()

    def _begin(self) -> None:
        if self._thread is None and self.waits:
            self._thread = threading.Thread(target=self._work, name="follow", daemon=True)
            self._thread.start()

    # following

    def _work(self) -> None:
        ask, pause = time.monotonic() + self._settings.poll, self._settings.poll
        try:
            while True:
                before = time.monotonic()
                self._step()
                took = time.monotonic() - before
                if time.monotonic() >= ask:
                    pause = self._settings.poll if self._ask() else min(pause * 1.5, _SLOWEST)
                    ask = time.monotonic() + pause
                if self._over.wait(max(min(self._settings.poll, 1.0), took * _SHARE)):
                    return
        except BaseException as error:
            self._events.put(error)

    def _step(self) -> None:
        """What is new on the disk."""
        try:
            with self._lock:
                for one in list(self._followed.values()):
                    if not one.cut and one.is_open:
                        self._hand_over(one.look())
        except OSError as error:
            self._telling.away("disk", f"the folder of this run cannot be read at the moment ({error.strerror})")
            return
        self._telling.back("disk")

    def _ask(self) -> bool:
        """The scheduler, once for all; whether anything was submitted."""
        if self._telling.is_away("disk"):  # nothing counts as missing
            return False
        self._is_ours()
        try:
            with self._submitting:
                if (self._opened.record.folder / CANCEL).exists():
                    self.submitter.cancel([one for one in self.submitter.handles.values() if not one.cancelled])
                    raise Interrupted("its jobs were cancelled from another shell", "What was finished stays done.")
                elements = self._watch.elements()
                probe = [] if self._proven else [(one.job, None) for one in self.submitter.of(PROBE_NUMBER) if one.job]
                looks: Looks = {}
                if elements or probe:
                    looks = self._scheduler.look([*probe, *elements])
                    self._telling.back("scheduler")
                self._judge_probe(looks, probe)
                self._step()
                with self._lock:
                    self._watch.judge(looks)
                pending = bool(self.submitter.pending)
                self.submitter.push(wait=False)
                return pending
        except SchedulerAway as error:
            self._telling.away("scheduler", error.message)
            return False

    def _is_ours(self) -> None:
        """Raises Busy where another process has taken this run up meanwhile, which took us for dead."""
        ours = self._opened.record.data
        told = read_json(self._opened.record.folder / "run.json") or ours
        if (told.get("host"), told.get("pid")) != (ours.get("host"), ours.get("pid")):
            self.ours = False
            raise Busy(
                f"this run is followed by process {told.get('pid')} on {told.get('host')} since",
                "Nothing is lost by that.",
            )

    def _judge_probe(self, looks: Looks, probe: list[tuple[str, None]]) -> None:
        """Raises ClusterError where it failed: nothing else may start then."""
        for element in probe:
            look = looks[element]
            begun = any(one.left < sum(map(len, one.keys.values())) for one in self._followed.values())
            if look.state is JobState.ENDED or begun:
                self._proven = True
            elif look.state.is_lost:
                self.submitter.cancel(list(self.submitter.handles.values()))
                raise why_not(self._opened.record.folder, look)

    def _hand_over(self, found: Iterable[Finished]) -> None:
        for finished in found:
            one = self._followed[finished.start.segment]
            if isinstance(finished.result, Receipt):
                self._telling.end(one.segment, one.folder, finished.result)
            self._events.put(finished)
