"""What the segments of a pipeline read, for its plan, while it runs and where there is nothing to run.

Items know their own inputs: a segment with `foreach` or `matrix` is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from runner.graph import make_graph
from runner.inputs.ledger import Ledger
from runner.inputs.looking import Look
from runner.inputs.news import news, why_again
from runner.inputs.see import Use, adopt, remember, see, settle
from runner.model import Segment
from runner.records.layout import make_root
from runner.runs.request import RunRequest
from runner.tasks import Task, Tasks


class Inputs:
    """Of one pipeline. What cannot be read or written of it stops nothing."""

    def __init__(self, request: RunRequest, jobs: Tasks) -> None:
        self._path, self._jobs, self._pipeline = request.path, jobs, request.pipeline.segments
        self._all = [segment for segment in self._pipeline if not segment.is_control]
        self._segments = [segment for segment in self._all if segment.many is None]
        self._root = request.root
        self._ledger = Ledger.read(self._root, request.path.parent, request.site.dotenv)
        self._order = [(segment.number, segment.content_hash) for segment in self._all]
        self._look = Look()  # each place once for the whole plan
        self._ran: list[str] = []

    def why_again(self, done: Collection[str]) -> dict[int, str]:
        """By number: why a segment whose hash is in `done` runs again."""
        found = {}
        for segment in self._segments:
            known = segment.content_hash
            if known not in done or not (segment.inputs or self._ledger.is_upstream(known)):
                continue
            use = self._use(self._jobs[segment.number]) if segment.inputs else Use(known, (), "")
            if why := why_again(self._ledger, self._order, use, self._look):
                found[segment.number] = why
        return found

    def news(self, done: Collection[str]) -> list[str]:
        """What is new, changed or gone since those segments were done, and no reason to run by itself."""
        return news(self._ledger, self._order, self._look, among=done)

    def adopt(self, done: Collection[str]) -> None:
        """Of segments that another runner did, or an older one: from now on, what comes is new."""
        found = [s for s in self._segments if s.content_hash in done and s.content_hash not in self._ledger]
        if found:
            with suppress(OSError):
                make_root(self._root)
        for segment in found:
            adopt(self._ledger, self._use(self._jobs[segment.number]))

    def reading(self, job: Task) -> Callable[[], None]:
        """The segment starts; what comes back is for its success."""
        if job.segment.many is not None:
            return lambda: None
        seen = see(self._use(job), self._ledger)

        def succeeded() -> None:
            remember(self._ledger, seen)
            self._ran.append(job.segment.content_hash)

        return succeeded

    def end(self) -> None:
        """Of a run."""
        settle(self._ledger, self._ran)
        self._ledger.compact(known for _, known in self._order)

    @property
    def lines(self) -> dict[str, bytes]:
        """What is remembered of each segment that ran, by its hash."""
        return {known: line for known in self._ran if (line := self._ledger.raw(known))}

    def _use(self, job: Task) -> Use:
        segment = job.segment
        upstream = dict.fromkeys((one, earlier.cwd) for earlier in self._earlier(segment) for one in _globs(earlier))
        own = (str(self._path),)
        return Use(segment.content_hash, job.entries, job.cwd, job.env, job.inputs, job.outputs, tuple(upstream), own)

    def _earlier(self, segment: Segment) -> Iterator[Task]:
        """Those with declared outputs that must have ended before it."""
        makers = [one.number for one in self._all if one.outputs and one is not segment]
        if not makers:
            return
        found: set[int] = set()
        todo = [segment.number]
        while todo:
            new = set(self._before[todo.pop()]) - found
            found |= new
            todo += new
        yield from (self._jobs[number] for number in makers if number in found)

    @cached_property
    def _before(self) -> Mapping[int, tuple[int, ...]]:
        return make_graph(self._pipeline).before


def _globs(job: Task) -> Sequence[str]:
    """Its declared outputs; of one that goes over many items, those of all."""
    if job.many is None:
        return job.outputs
    from runner.items.globs import output_globs

    return output_globs(job.outputs, job.many, job.cwd, job.base, job.folder)
