"""Environments made ready in the plan's order: a later one while an earlier segment runs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.environments import Site, kind
from runner.errors import Busy, EnvironmentMissing, Interrupted, RunnerError
from runner.executors.carry import carry_out
from runner.executors.uses import Uses
from runner.ground.away import Shares
from runner.ground.told import write_json
from runner.process.stop import StopRequest
from runner.process.tag import RunMark
from runner.records.journal import Journal
from runner.tasks import Task


@dataclass
class _Item:
    job: Task
    state: str = "waiting"  # waiting, busy, ready, failed
    needed: bool = False  # it was tried when it was needed, and not only ahead
    error: RunnerError | None = None
    shown: threading.Event = field(default_factory=threading.Event)  # its output goes to the screen now


class _Forward(SimpleQueue[Any]):
    """Hands a stop on: what is asked of one request is asked of another."""

    def __init__(self, source: StopRequest, target: StopRequest) -> None:
        super().__init__()
        self._source, self._target = source, target

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if self._source.immediate:
            self._target.now(self._source.reason)
        else:
            self._target.kind(self._source.reason, number=self._source.signal, grace=self._source.grace)


class Preparer:
    """`need(job)` returns when the environment of `job` is ready, or raises what went wrong.

    With `ahead`, a thread prepares in order; one that fails there is tried again when it is needed, and only
    then ends the run: the network may be back by Sunday.
    """

    def __init__(
        self,
        jobs: Sequence[Task],
        site: Site,
        folder: Path,
        journal: Journal,
        stop: StopRequest,
        *,
        ahead: bool,
        mark: RunMark | None = None,
        shares: Shares | None = None,
        record: Path | None = None,
    ) -> None:
        self._record = record or folder
        self._shares = shares or Shares()
        self._mark = mark
        self._site = site
        self._folder = folder
        self._journal = journal
        # of our own, so that a run that ends early waits for no download
        self._stop = StopRequest()
        self._links = ExitStack()
        self._links.enter_context(stop.listening(_Forward(stop, self._stop)))
        self._condition = threading.Condition()
        self._items: dict[Hashable, _Item] = {}
        for job in jobs:
            self._items.setdefault(job.environment_key, _Item(job))
        self._closed = False
        self._thread: threading.Thread | None = None
        self._ahead = ahead and len(self._items) > 1
        self._uses = Uses(site)

    def __enter__(self) -> Preparer:
        return self

    def __exit__(self, *error: object) -> None:
        with self._condition:
            self._closed = True
        self._stop.kind("the run ended")
        if self._thread is not None:
            self._thread.join()
        self._links.close()
        self._uses.close()

    def need(self, job: Task) -> None:
        """Wait for, or make, what `job` needs, and tell that it is used until `ended`. Raises EnvironmentMissing."""
        told = False
        while True:
            self._have(job)
            try:
                self._uses.begin(job)
                return
            except Busy as error:  # another computer changes it, by what it has as a lock
                if not told:
                    self._journal.note(f"   waiting: {error.message}")
                told = True
                if self._stop.wait(1.0):
                    raise Interrupted(f"stopped while waiting: {error.message}", "Start again to go on.") from error
                with self._condition:
                    item = self._items[job.environment_key]
                    item.state = "waiting" if item.state == "ready" else item.state

    def ended(self, number: int) -> None:
        """Nothing of that segment runs any more."""
        self._uses.end(number)

    def _have(self, job: Task) -> None:
        item = self._items.setdefault(job.environment_key, _Item(job))
        with self._condition:
            item.shown.set()
            while item.state == "busy":
                self._condition.wait(0.1)
            if item.state == "ready":
                return
            if item.needed and item.error is not None:  # somebody else waited for it too
                raise item.error
            item.state, item.needed = "busy", True
        self._carry_out(item, ahead=False)
        if item.error is not None:
            raise item.error
        self._start_thread()

    def _start_thread(self) -> None:
        if self._ahead and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="prepare ahead", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        waiting = deque(self._items.values())
        while waiting:
            item = waiting.popleft()
            with self._condition:
                if self._closed or self._stop.requested:
                    return
                if item.state != "waiting":
                    continue
                item.state = "busy"
            self._carry_out(item, ahead=True)
            if item.error is not None and not self._stop.requested:
                number = item.job.segment.number
                self._journal.warn(
                    f"the environment of segment {number} could not be prepared ahead ({item.error.message}); "
                    "it is tried again when that segment is reached"
                )

    def _carry_out(self, item: _Item, *, ahead: bool) -> None:
        error: RunnerError | None = None
        try:
            self._prepare(item, ahead=ahead)
        except RunnerError as problem:
            error = problem
        finally:
            with self._condition:
                item.error = error
                item.state = "failed" if error else "ready"
                self._condition.notify_all()

    def _prepare(self, item: _Item, *, ahead: bool) -> None:
        while True:
            self._shares.settle(self._stop.wait)
            try:
                self._prepare_once(item, ahead=ahead)
                return
            except EnvironmentMissing:
                if not self._shares.settle(self._stop.wait):
                    raise

    def _prepare_once(self, item: _Item, *, ahead: bool) -> None:
        job = item.job
        preparation = kind(job.spec).prepare(job.spec, job.entries, self._site)
        if preparation is None:
            return
        self._journal.say("preparing", title=preparation.title, ahead=ahead)
        before = time.monotonic()
        calm = Calm()

        def screen(chunk: bytes) -> None:
            if (lines := calm.feed(chunk)) and item.shown.is_set():
                self._journal.reporter.output(lines)

        self._folder.mkdir(parents=True, exist_ok=True)
        carry_out(
            preparation,
            self._site.host.environ,
            self._stop,
            screen=screen,
            on_wait=lambda reason: self._journal.note(f"   waiting for {preparation.title}: {reason}"),
            mark=self._mark,
            record=self._record,
            shares=self._shares,
            log=self._folder / f"prepare-{item.job.segment.number:02d}.txt",
        )
        seconds = round(time.monotonic() - before, 3)
        self._journal.say("prepared", title=preparation.title, seconds=seconds)
        told = {"title": preparation.title, "seconds": seconds}
        path = self._folder / f"prepare-{item.job.segment.number:02d}.json"
        self._shares.patiently(lambda: write_json(path, told), self._stop.wait)


class Calm:
    """uv's output without its list of a hundred packages (` + numpy==2.1.0`) and its report in JSON: see the log."""

    LEFT_OUT = (b" + ", b" - ", b" ~ ", b"{", b"}", b'  "', b"  }", b"  ]", b"    ")

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """The whole lines worth showing; uv writes a line in pieces."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return b"".join(line + b"\n" for line in lines if not line.startswith(self.LEFT_OUT))
