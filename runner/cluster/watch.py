"""What the scheduler tells of the chunks that are still open, and what is to be done about those that are lost."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.cluster.elements import ranges
from runner.cluster.followed import Followed
from runner.cluster.jobs import Element, Handle, JobLook, JobState, Looks
from runner.cluster.notes import notes
from runner.cluster.says import Asked, Said, say, with_log
from runner.cluster.submit import Submitter
from runner.cluster.worker import WorkerExit
from runner.errors import ExitCode
from runner.ground.text import decoded
from runner.ground.words import counted, size_text, time_text
from runner.model import Resources
from runner.records.journal import Journal
from runner.records.layout import JOBS
from runner.site_file import ExecutorSettings

_MEMORY = 1.5  # times as much, where the segment says nothing of `retry-memory`
_TIME = 2.0
_LOG = 1 << 14  # bytes of a job's own output that are looked at


@dataclass(frozen=True)
class Patience:
    """Seconds. Shared disks lag: what a node has written may be seen later."""

    grace: float = 3.0  # before a job that is lost is submitted again
    lag: float = 60.0  # before receipts, or a job of which nothing is known, count as lost


@dataclass(frozen=True)
class Failed:
    """One chunk of which nothing more comes."""

    number: int
    chunk: int
    handle: Handle
    why: str
    cure: str


@dataclass(frozen=True)
class Again:
    """One chunk that is to be submitted once more."""

    number: int
    chunk: int
    handle: Handle
    why: str
    resources: Resources
    seconds: float
    lost: bool


@dataclass
class Watch:
    submitter: Submitter
    followed: Mapping[int, Followed]
    settings: ExecutorSettings
    journal: Journal
    patience: Patience = Patience()
    is_ready: Callable[[int], bool] = lambda number: True  # whether a segment's environment is as it was prepared
    clock: Callable[[], float] = time.monotonic
    _since: dict[tuple[object, ...], float] = field(default_factory=dict)
    _told: set[tuple[object, ...]] = field(default_factory=set)
    _waited: set[tuple[str, int | None]] = field(default_factory=set)  # elements that were seen to wait
    _behind: dict[tuple[int, int], Handle] = field(default_factory=dict)  # chunks that wait for another segment

    def elements(self) -> list[Element]:
        """Those to be asked for."""
        return [(handle.job, index) for _, _, handle, index in self._open()]

    def _open(self) -> Iterator[tuple[Followed, int, Handle, int | None]]:
        for number, one in self.followed.items():
            if one.cut or not one.is_open:
                continue
            latest = {chunk: handle for handle in self.submitter.of(number) for chunk in one.chunks_of(handle)}
            for chunk in one.open_chunks():
                handle = latest.get(chunk)
                if handle is not None and handle.job and (number, chunk) not in self._behind:
                    yield one, chunk, handle, chunk - handle.offset if one.job.many else None

    def _fail(self, wanted: Sequence[Failed]) -> None:
        """What is lost for good: told once for all that were lost for one reason, and written down for each item."""
        groups: dict[tuple[int, str, str], list[Failed]] = {}
        for failed in wanted:
            groups.setdefault((failed.number, _ON.sub("", failed.why), failed.cure), []).append(failed)
        for (number, _, cure), group in groups.items():
            one = self.followed[number]
            left = sum(len(one.open_keys(failed.chunk)) for failed in group)
            what = f"{counted(left, 'item')} had not ended, and failed" if one.job.many else "it failed"
            why = _together([failed.why for failed in group])
            self.journal.warn(f"{_chunks(one, [failed.chunk for failed in group])}: {why}; {what}. {cure}")
            for failed in group:
                which = f" (chunk {failed.chunk})" if one.job.many else ""
                one.fail(failed.chunk, f"{failed.handle.job}{which} was ended: {failed.why}\n{cure}")

    def judge(self, looks: Looks) -> None:
        """Tell what is held, submit again what was lost, and write down what is lost for good.

        Raises StateError, ClusterError.
        """
        found: list[Again | Failed] = []
        for one, chunk, handle, index in list(self._open()):
            look = looks.get((handle.job, index), JobLook(JobState.UNKNOWN))
            if look.state in (JobState.WAITING, JobState.HELD):
                self._waited.add((handle.name, index))
            elif look.state is JobState.RUNNING:
                self._waited.discard((handle.name, index))
            if look.state in (JobState.WAITING, JobState.RUNNING):
                continue
            if look.state is JobState.HELD:
                self._held(one, handle, look)
                continue
            found += self._over(one, chunk, handle, index, look)
        self._fail([one for one in found if isinstance(one, Failed)])
        self._submit([*(one for one in found if isinstance(one, Again)), *self._free()])

    def _held(self, one: Followed, handle: Handle, look: JobLook) -> None:
        if (key := (one.job.segment, look.reason)) in self._told:
            return
        self._told.add(key)
        said = say(look)
        self.journal.warn(f"{_title(one)}, job {handle.job}: {said.words}. {said.cure}")

    def _over(
        self, one: Followed, chunk: int, handle: Handle, index: int | None, look: JobLook
    ) -> Iterator[Again | Failed]:
        """Its job is over, or not known, and items of it have no receipt."""
        code = look.exit_code if look.state is JobState.FAILED else None
        never = look.state is JobState.CANCELLED and look.reason == "DependencyNeverSatisfied"
        if code == WorkerExit.WAITING or never:
            self._behind[one.job.segment, chunk] = handle
            return
        if look.state is JobState.UNKNOWN and (handle.name, index) in self._waited and not notes(one.folder, chunk):
            look = JobLook(JobState.CANCELLED, "while it waited")  # a scheduler forgets those at once
        look = with_log(look, _end_of(self._output(one, handle, index)))
        patience = self.patience.grace if look.state.is_lost else self.patience.lag
        since = self._since.setdefault((handle.name, index), self.clock())
        if self.clock() - since < patience:
            return
        if look.state is JobState.UNKNOWN and self._lives(one, chunk, handle):
            return
        if code == WorkerExit.OUT_OF_MEMORY:
            look = replace(look, state=JobState.OUT_OF_MEMORY)
        yield from self._lost(one, chunk, handle, look)

    def _output(self, one: Followed, handle: Handle, index: int | None) -> Path:
        return Path(self.submitter.scheduler.output(one.folder / JOBS, handle.name, (handle.job, index)))

    def _lives(self, one: Followed, chunk: int, handle: Handle) -> bool:
        """Whether its worker gives signs of life."""
        for path, note in notes(one.folder, chunk).items():
            if note is None or note.ended or note.generation != handle.generation:
                continue
            try:
                now = path.stat().st_mtime_ns
            except OSError:
                continue
            seen = ("life", path, now)
            if seen not in self._told:
                self._told.add(seen)
                self._since[handle.name, chunk - handle.offset if one.job.many else None] = self.clock()
                return True
        return False

    def _lost(self, one: Followed, chunk: int, handle: Handle, look: JobLook) -> Iterator[Again | Failed]:
        number, had = one.job.segment, handle.resources
        said = _said(look, handle, _told_by(one.folder, chunk, handle))
        tries = 1 + sum(other.lost for other in self.submitter.of(number) if chunk in one.chunks_of(other))
        resources, seconds, why_not = had, handle.seconds, ""
        if look.state is JobState.CANCELLED:
            why_not = "Start the pipeline again to run it."
        elif look.state is JobState.OUT_OF_MEMORY:
            factor = one.segment.retry_memory if one.segment.retry_memory > 1 else _MEMORY
            resources = replace(had, memory=int(had.memory * factor))
            if not had.memory:
                why_not = "Say how much it needs: resources: {memory: 16 GB}; it is then tried again with more."
        elif look.state is JobState.OUT_OF_TIME:
            seconds = handle.seconds * _TIME
        elif look.state is JobState.FAILED and look.exit_code == ExitCode.USAGE:  # it is the same on each node
            why_not = "Put back what was changed, or start the pipeline again."
        elif look.state is JobState.FAILED and look.exit_code == ExitCode.ENVIRONMENT and not self.is_ready(number):
            why_not = _OTHER
        if not why_not and tries > self.settings.retries:
            why_not = f"It was submitted {counted(tries, 'time')}. {said.cure}".strip()
        if why_not:
            yield Failed(number, chunk, handle, said.words, why_not)
            return
        yield Again(number, chunk, handle, said.words, resources, seconds, True)

    def _free(self) -> Iterator[Again]:
        """Chunks that waited for items of another segment which are there now."""
        for (number, chunk), handle in list(self._behind.items()):
            one = self.followed[number]
            if one.cut or chunk not in one.open_chunks():
                del self._behind[number, chunk]
            elif all(self._is_there(before.segment, before.items, one, chunk) for before in one.job.forerunners):
                del self._behind[number, chunk]
                yield Again(number, chunk, handle, _BEHIND, handle.resources, handle.seconds, False)

    def _is_there(self, number: int, by_item: bool, one: Followed, chunk: int) -> bool:
        before = self.followed.get(number)
        return before is None or before.is_whole(one.open_keys(chunk) if by_item else None)

    def _submit(self, wanted: Iterable[Again]) -> None:
        groups: dict[tuple[object, ...], list[Again]] = {}
        for one in wanted:
            why = _ON.sub("", one.why)
            groups.setdefault((one.number, one.resources, one.seconds, why, one.lost), []).append(one)
        for group in groups.values():
            first = group[0]
            followed = self.followed[first.number]
            generation = 1 + max(handle.generation for handle in self.submitter.of(first.number))
            if first.lost:
                chunks, why = _chunks(followed, [one.chunk for one in group]), _together([one.why for one in group])
                self.journal.note(f"   {chunks}: {why}; submitted again{_more(first)}")
            self.submitter.intend(
                first.number,
                [one.chunk for one in group],
                generation=generation,
                resources=first.resources,
                seconds=first.seconds,
                again=first.why,
                lost=first.lost,
            )


_OTHER = (
    "Its environment is not what it was when this run was submitted (pyproject.toml, uv.lock or the script's own list "
    "was changed): put that back, or start the pipeline again."
)
_BEHIND = "what it waited for is there now"


def _told_by(folder: Path, chunk: int, handle: Handle) -> str:
    """What the worker itself said of its end."""
    told = [note.says for note in notes(folder, chunk).values() if note and note.generation == handle.generation]
    return told[-1].splitlines()[0] if told and told[-1] else ""


def _said(look: JobLook, handle: Handle, told: str) -> Said:
    if look.state is JobState.ENDED:
        return Said("it ended, but receipts of its items are not there", "Look at what it wrote: `run-pipeline logs`.")
    said = say(look, Asked(handle.resources.memory, handle.seconds))
    return said._replace(words=f"{said.words}: {told}") if told and look.state is JobState.FAILED else said


def _more(one: Again) -> str:
    """What is other than before."""
    parts = []
    if one.resources.memory != one.handle.resources.memory:
        parts.append(f"{size_text(one.resources.memory)} of memory")
    if one.seconds != one.handle.seconds:
        parts.append(f"a time of {time_text(one.seconds)}")
    return f" with {' and '.join(parts)}" if parts else ""


def _title(one: Followed) -> str:
    return f"{one.job.segment}. {one.job.name}".rstrip()


def _chunks(one: Followed, chunks: Sequence[int]) -> str:
    """`2. Segment, chunks 0-9,12`."""
    if not one.job.many:
        return _title(one)
    text = ranges(chunks)
    shown = text if len(text) < 40 else f"{len(chunks):,} of them"
    return f"{_title(one)}, {'chunk' if len(chunks) == 1 else 'chunks'} {shown}"


_ON = re.compile(r" \(on ([^()]*)\)")  # where
_MOST = 3  # nodes that are named


def _together(whys: Sequence[str]) -> str:
    """One reason, that is the same but for the node, with all nodes."""
    nodes = sorted({match[1] for why in whys if (match := _ON.search(why))})
    more = " and others" if len(nodes) > _MOST else ""
    on = f" (on {', '.join(nodes[:_MOST])}{more})" if nodes else ""
    return _ON.sub("", whys[0]) + on


def _end_of(path: Path) -> str:
    """Of what the scheduler keeps of a job's output."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG))
            return decoded(file.read())
    except OSError:
        return ""
