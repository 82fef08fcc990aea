"""`run FILE --shard 2/4`: one of several computers of a share that do a run together, each its part of the items.

The first to come freezes the plan into the record, as for a cluster, and whoever comes finds it there. Each does every
n-th item of each segment and writes to files of its own; a segment that goes over nothing is done by whoever first sees
that all before it has ended. Who sees that all parts of what is frozen have ended takes the lock, brings it together,
and freezes what could not be known before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

from runner.cluster.behind import Behind
from runner.cluster.by_hand import KIND, ByHand, settings_for
from runner.cluster.element import PATIENCE, Element, WorkerExit, frozen_pipeline
from runner.cluster.follow import How
from runner.cluster.freeze import SegmentJob, Submitted, read_items, read_segment, read_submitted
from runner.cluster.notes import TakenOver, notes
from runner.cluster.receipts import ended, plain_receipt
from runner.cluster.session import start, take_up
from runner.cluster.worker import work
from runner.errors import Busy, ExitCode, UsageError
from runner.executors.preparer import Preparer
from runner.ground.told import read_json, whole
from runner.model import Action, Segment
from runner.process.keep_awake import kept_awake
from runner.records.layout import JOB, PLAN, SUBMITTED, Record, latest_run
from runner.records.lines import ItemState
from runner.runs.look import Look, look_at
from runner.runs.request import RunRequest
from runner.tasks import make_task

_LOOK = 3.0  # seconds between two looks at what others do
_CANCELLED = 10.0  # seconds between two looks whether the run was cancelled


@dataclass
class Share:
    """One part of a run."""

    request: RunRequest
    number: int  # from 1
    count: int
    jobs: int | None = None
    worked: set[int] = field(default_factory=set)  # segments of which our part is done
    failed: bool = False
    told: str = ""
    _waited: float = 0.0  # for what others wrote, and is not seen here

    def run(self) -> ExitCode | None:
        """None where there was nothing to do. Raises RunnerError."""
        record = self._begun()
        if record is None:
            return None
        submitted = self._checked(record)
        request = self.request = replace(self.request, pipeline=frozen_pipeline(record.folder))
        segments = {segment.number: segment for segment in request.pipeline.segments if not segment.is_control}
        with kept_awake(request.site.host.environ), self._heeding(record):
            while not request.stop.requested:
                frozen = _frozen(record, segments)
                worked = [self._work(record, segments, number, job) for number, job in frozen.items()]
                if any(worked):  # what comes behind may be ready now
                    continue
                open_ = [number for number, job in frozen.items() if not _is_whole(record, segments[number], job)]
                if not open_:
                    code = self._bring_together(request, record, submitted)
                    if code is not None:
                        return code
                    continue
                others = _others(record, segments, frozen, open_)
                if self._is_done(record, frozen) and (others or self._waited > PATIENCE):
                    self._say("this part is done; who ends last brings it together, or: run-pipeline collect")
                    return ExitCode.SEGMENT_FAILED if self.failed else ExitCode.DONE
                self._say(f"waiting for {', '.join(others) or 'what others have written to be seen here'}")
                self._waited = 0.0 if others else self._waited + _LOOK
                request.stop.wait(_LOOK)
        self._say("stopped; the same --shard goes on with it")
        return ExitCode.INTERRUPTED

    # the run that all parts share

    def _begun(self) -> Record | None:
        """The run, begun by us where nobody has."""
        request = self.request
        while not request.stop.requested:
            record = latest_run(request.root)
            if record is not None and record.state == SUBMITTED:
                return record
            try:
                look = look_at(request)
                if not look.plan.to_run:
                    return None
                self._refuse_pauses(look)
                look.problems()
                start(request, settings_for(self.count), look, How(waits=False))
            except Busy as error:
                self._say(f"{error.message}; waiting until it has begun or ended")
                request.stop.wait(_LOOK)
            except UsageError:
                now = latest_run(request.root)
                if now is None or now.state != SUBMITTED:  # else another part was a moment earlier
                    raise
        return None

    def _refuse_pauses(self, look: Look) -> None:
        for step in look.plan.steps:
            if step.action in (Action.PAUSE, Action.STOP):
                what = f"segment {step.segment.number} is a {step.action.value} segment"
                raise UsageError(
                    f"{what}, which a run in parts cannot go past",
                    "Run the segments up to it in parts from a file of their own, or without --shard.",
                )

    def _checked(self, record: Record) -> Submitted:
        """Raises UsageError where it is another run than the one that we were asked to take part in."""
        submitted, path = read_submitted(record.folder), self.request.path
        settings = submitted.settings
        again = f'Go on with it: run-pipeline resume "{path}". End it: run-pipeline cancel "{path}".'
        if settings.kind != KIND:
            raise UsageError(f"{path.name} was submitted to {settings.name}, and that run has not ended", again)
        if settings.at_once != self.count:
            raise UsageError(
                f"this run of {path.name} was begun in {settings.at_once} parts, and not in {self.count}",
                again,
            )
        if record.data.get("sha256") != self.request.pipeline.sha256:
            raise UsageError(f"{path.name} was edited since this run was begun", again)
        if submitted.selection != self.request.selection:
            raise UsageError("this run was begun with other options (--force, --from, --only, --item ...)", again)
        return submitted

    def _bring_together(self, request: RunRequest, record: Record, submitted: Submitted) -> ExitCode | None:
        """The run's end, unless there is more to do. All that is frozen has ended."""
        before = len(_frozen(record, {s.number: s for s in request.pipeline.segments}))
        try:
            request = replace(request, executor=submitted.settings.name)
            code = take_up(request, record, submitted, How(waits=False), ByHand())
        except (Busy, UsageError):  # another part does it, or has done it
            code = None
        state = read_json(record.folder / "run.json") or {}
        if state.get("state") != SUBMITTED:
            return code if code is not None else ExitCode(whole(state.get("exit_code")) or 0)
        if code is not None and before == len(_frozen(record, {s.number: s for s in request.pipeline.segments})):
            return code
        request.stop.wait(_LOOK if code is None else 0.0)
        return None

    # our part of it

    def _is_done(self, record: Record, frozen: Mapping[int, SegmentJob]) -> bool:
        """Whether all that is to be done is known, and our part of it has ended."""
        own = {number for number, job in frozen.items() if job.many}
        return frozen.keys() >= _planned(record) and self.worked >= own

    def _work(self, record: Record, segments: Mapping[int, Segment], number: int, job: SegmentJob) -> bool:
        """Whether something of the segment was done now."""
        request = self.request
        if number in self.worked or request.stop.requested:
            return False
        chunk = self.number - 1 if job.many else 0
        if not self._is_ready(record, segments, number, job, chunk):
            return False
        task = make_task(segments[number], request.pipeline, request.site)
        with (
            tempfile.TemporaryDirectory() as folder,
            Preparer(
                [task], request.site, Path(folder), request.journal, request.stop, ahead=False, record=record.folder
            ) as preparer,
        ):
            preparer.need(task)
        element = Element(record.folder, number, chunk, by_hand=True, jobs=self.jobs)
        request.journal.note(f"── {number}. {segments[number].name}, part {self.number} of {self.count}")
        try:
            code = work(element, request.site, request.journal, request.stop)
        except TakenOver:
            if job.many:
                raise
            return False  # another part was a moment earlier
        if code is WorkerExit.DONE:
            self.worked.add(number)
        self.failed = self.failed or _has_failed(record, segments[number], job, chunk)
        return True

    def _is_ready(
        self, record: Record, segments: Mapping[int, Segment], number: int, job: SegmentJob, chunk: int
    ) -> bool:
        """Whether there is enough to do by now; where there is nothing for us, that is noted."""
        folder = record.segment_folder(number, segments[number].name)
        behind = Behind(record.folder, job, segments)
        if not job.many:
            if plain_receipt(folder) is not None:
                self.worked.add(number)
                return False
            stands = behind.whole()
            return stands is None or stands[1] is False
        items, known = read_items(folder, job), ended(folder, job.remembered, {chunk})
        places = next((one.places for one in job.chunking.chunks if one.number == chunk), ())
        keys = [items[place].key for place in places if items[place].key not in known]
        if not keys:
            self.worked.add(number)
            return False
        return len(behind.look(keys).waiting) <= len(keys) * 3 // 4

    @contextmanager
    def _heeding(self, record: Record) -> Iterator[None]:
        """A run that was cancelled ends here too."""
        over = Event()

        def look() -> None:
            while not over.wait(_CANCELLED):
                data = read_json(record.folder / "run.json")
                if data is not None and data.get("state") == "cancelled":
                    self.request.journal.warn("this run was cancelled")
                    self.request.stop.kind("cancelled")

        thread = Thread(target=look, name="cancelled?", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _say(self, text: str) -> None:
        if text != self.told:
            self.told = text
            self.request.journal.note(f"   {text}")


def _frozen(record: Record, segments: Mapping[int, Segment]) -> dict[int, SegmentJob]:
    folders = {number: record.segment_folder(number, one.name) for number, one in sorted(segments.items())}
    return {number: read_segment(folder) for number, folder in folders.items() if (folder / JOB).exists()}


def _planned(record: Record) -> set[int]:
    """The segments that this run is to do, as far as they are known."""
    steps = (read_json(record.folder / PLAN) or {}).get("steps")
    return {
        one["segment"]
        for one in (steps if isinstance(steps, list) else ())
        if isinstance(one, dict) and one.get("action") == Action.RUN.value and isinstance(one.get("segment"), int)
    }


def _is_whole(record: Record, segment: Segment, job: SegmentJob) -> bool:
    folder = record.segment_folder(segment.number, segment.name)
    if not job.many:
        return plain_receipt(folder) is not None
    return len(ended(folder, job.remembered)) >= job.count


def _has_failed(record: Record, segment: Segment, job: SegmentJob, chunk: int) -> bool:
    folder = record.segment_folder(segment.number, segment.name)
    if not job.many:
        receipt = plain_receipt(folder)
        return receipt is not None and not receipt.succeeded
    return any(state is not ItemState.SUCCEEDED for state in ended(folder, job.remembered, {chunk}).values())


def _others(
    record: Record, segments: Mapping[int, Segment], frozen: Mapping[int, SegmentJob], numbers: list[int]
) -> list[str]:
    """`part 2 (pc7)`, `part 3 (not started)`, `segment 4 (pc9)`: who has not ended, as far as that is seen here."""
    found: dict[str, str] = {}
    for number in numbers:
        folder, job = record.segment_folder(number, segments[number].name), frozen[number]
        known = ended(folder, job.remembered) if job.many else {}
        items = read_items(folder, job) if job.many else []
        for one in job.chunking.chunks:
            if any(items[place].key not in known for place in one.places) and (who := _who(folder, one.number)):
                found.setdefault(f"part {one.number + 1}", who)
        if not job.many and (who := _who(folder, 0)) and who != _NOBODY:
            found.setdefault(f"segment {number}", who)
    return [f"{what} ({who})" for what, who in sorted(found.items())]


_NOBODY = "not started"


def _who(folder: Path, chunk: int) -> str:
    """The computer that works on it; "" where that has ended well."""
    told = [note for note in notes(folder, chunk).values() if note is not None]
    if not told:
        return _NOBODY
    last = told[-1]
    if last.ended and last.code in (WorkerExit.DONE, None):
        return ""
    return f"stopped on {last.node}" if last.ended else last.node
