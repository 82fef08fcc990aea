"""The one loop: what ended, what starts next. The status file changes at a segment's end alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from runner import __version__
from runner.budget import Budget
from runner.errors import ExitCode, RunnerError, StateError, UsageError
from runner.executors.local import Finished
from runner.executors.preparer import Preparer
from runner.executors.task import run_task
from runner.go.duration import to_go
from runner.graph import Graph, canary_segments, make_graph
from runner.model import Action, Segment, Step
from runner.process.stop import next_event
from runner.records.journal import now_text
from runner.records.layout import BROKEN_OFF, SUBMITTED
from runner.records.receipt import Receipt, Result
from runner.runs.executor import Executor, Make, Threads
from runner.runs.open import Opened
from runner.schedule import Ending, Schedule, Start
from runner.state.status import Entry

if TYPE_CHECKING:  # a pipeline without `foreach` and `matrix` does not wait for them
    from runner.runs.items import Over
    from runner.runs.many import ManyTasks

_AGAIN = "Start the pipeline again to go on from this segment: what is finished stays finished."
_STATES = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}


def drive(opened: Opened, make: Make = lambda opened, preparer, events: Threads(events)) -> ExitCode:
    """Raises EnvironmentMissing, StateError and what `make`'s executor does; what was finished by then is recorded."""
    look, request = opened.look, opened.request
    request.journal.say("begin", pipeline=str(look.path), segments=len(look.jobs), to_run=len(look.plan.to_run))
    preparer = Preparer(
        look.to_run,
        request.site,
        opened.record.folder,
        request.journal,
        request.stop,
        ahead=request.prepare_ahead,
        mark=opened.around.mark,
        shares=opened.around.shares,
    )
    with preparer:
        loop = _Loop(opened, preparer, make)
        try:
            loop.go()
        except BaseException as error:
            loop.wait_for_all(error)
            known = isinstance(error, RunnerError)
            loop.row(loop.reached, loop.state_of(loop.reached), note=str(error) if known else "")
            with suppress(StateError):  # the error that ended the run is the one to show
                state = SUBMITTED if loop.executor.holds else BROKEN_OFF
                if loop.executor.ours:
                    loop.close(error.exit_code if isinstance(error, RunnerError) else ExitCode.INTERNAL, state)
            raise
        finally:
            loop.executor.close()
    if loop.left:
        loop.close(loop.code, SUBMITTED)
        return loop.code
    if loop.code is ExitCode.INTERRUPTED:
        opened.advice = _AGAIN
    loop.close(loop.code, _STATES.get(loop.code, "failed"))
    return loop.code


class _Loop:
    """One run on its way."""

    def __init__(self, opened: Opened, preparer: Preparer, make: Make) -> None:
        self.opened = opened
        self.journal = opened.request.journal
        self.stop = opened.request.stop
        self.code = ExitCode.DONE
        self.over = False
        self.left = False  # jobs go on, and nobody here waits for them
        steps = opened.look.plan.steps
        self.steps = {step.segment.number: step for step in steps}
        self._has_many = any(step.segment.many for step in steps)
        self.reached = steps[0].segment
        self.events: SimpleQueue[Any] = SimpleQueue()
        self.executor: Executor = make(opened, preparer, self.events)
        self._preparer = preparer
        self._running: dict[Start, None] = {}
        self._rows: dict[int, dict[str, Any]] = {}
        self._over: dict[int, Over] = {}  # segments over items that are open
        self._ready: dict[int, Over] = {}  # those that were handed over before their turn
        self._ran: set[int] = set()  # segments that did something
        self._entered: set[int] = set()  # segments over items whose turn has come, the canary's included
        self._kept_going: set[int] = set()

    def go(self) -> None:
        look = self.opened.look
        graph = self._all = make_graph(look.pipeline.segments).among(self.steps)
        canary = self._canary(graph)
        if canary:
            self._loop(graph.among(canary), one=True)
            self._forecast()
        if not self.over and (self.opened.request.rest or not canary):
            self._ahead(graph)
            self._loop(graph, one=False)

    def _ahead(self, graph: Graph) -> None:
        """What is handed over before its turn has come."""
        self._one = False
        for number in self.executor.ahead(graph):
            if self.stop.requested:
                return
            segment = self.reached = self.steps[number].segment
            over = self._made(segment) if segment.many else None
            if over is not None:
                if not over.total:  # told when its turn comes
                    continue
                self._ready[number] = over
            self._begin(number)
            self.executor.enter(segment, over, one=False)
        self.executor.submit()

    def _canary(self, graph: Graph) -> tuple[int, ...]:
        """The segments that one item goes through before all others do."""
        wanted = self.opened.request.canary
        segments = [step.segment for step in self.steps.values()]
        wanted = wanted or any(s.many and s.many.canary and self._is_untried(s.number) for s in segments)
        return tuple(canary_segments(segments, graph)) if wanted else ()

    def _is_untried(self, number: int) -> bool:
        """It runs, and no item of it ever ended well: where one did, there is nothing for a canary to tell."""
        tasks = self.opened.look.many.get(number)
        return self.steps[number].action is Action.RUN and (tasks is None or not tasks.ledger.done)

    def _loop(self, graph: Graph, *, one: bool) -> None:
        """Until all of `graph` is closed, or the run is over. `one`: a single item of each segment over many."""
        self._one = one
        self._schedule = Schedule(graph, self._budget)
        with self.stop.listening(self.events):
            while not self._schedule.over:
                self._open()
                if self.over or self.stop.requested:
                    break
                for start in self._schedule.next():
                    self._start(start)
                self._judge()
                if not self.executor.waits and self.events.empty() and not self._schedule.opens:
                    self.left = bool(self._running)
                    break
                if self._running:
                    self._take(next_event(self.events, None))
            if self.left or (self.executor.detached and self.executor.holds and self.stop.requested):
                self._leave()
            else:
                self._drain()
        if self.stop.requested:
            self._end(ExitCode.INTERRUPTED)

    @property
    def _budget(self) -> Budget:
        return self.opened.budget

    # what starts

    def _open(self) -> None:
        while numbers := self._schedule.open():
            for number in numbers:
                if self.over or self.stop.requested:
                    return
                self.reached = self.steps[number].segment
                self._turn(self.steps[number])
            self._judge()

    def _turn(self, step: Step) -> None:
        """The turn of a segment has come."""
        segment, number = step.segment, step.segment.number
        self.opened.around.shares.settle()
        if step.action is Action.RUN:
            self._enter(segment)
            return
        if number not in self._rows:
            if step.action is Action.SKIP:
                self.journal.say("skip", segment, reason=step.reason)
                if not segment.is_control:
                    self.row(segment, Result.SKIPPED, note=step.reason)
            elif step.action is Action.ACCEPT:
                self._accept(segment)
            else:
                self._control(segment, step.action)
        self._schedule.close(number, Ending.DONE)

    def _enter(self, segment: Segment) -> None:
        number = segment.number
        if segment.many is None:
            if number in self._rows:  # the canary's
                self._schedule.close(number, Ending.DONE)
            else:
                self.executor.enter(segment, None, one=self._one)
                self._schedule.add(number, None, segment.resources)
            return
        try:
            over = self._over[number] = self._ready.pop(number) if number in self._ready else self._made(segment)
        except UsageError as error:  # what an earlier segment made is no good
            self._cannot(segment, f"{error.message}. {error.cure}")
            return
        keys = over.keys(one=self._one)
        if not over.total:
            self._finish_items(segment, over)
            return
        self.executor.enter(segment, over, one=self._one)
        if not self._one or keys:
            self.journal.say(
                "items",
                segment,
                total=over.total,
                to_run=over.to_tell(keys),
                done=over.done,
                sentence=over.sentence,
                environment=segment.environment,
                total_segments=max(self.opened.look.jobs),
            )
        self._schedule.add(number, keys, segment.resources, segment.many.batch)

    def _made(self, segment: Segment) -> Over:
        """Raises UsageError."""
        from runner.runs.items import Over

        frozen, told = self.executor.frozen(segment), self.executor.told(segment)
        return Over(self.opened, segment, self._everything(segment), frozen, told)

    def _forced(self, segment: Segment) -> bool:
        """Whether all items (with --item, those) run because that was asked for, or a force segment stands before."""
        selection = self.opened.request.selection
        number = segment.number
        return selection.forces(number) or (not selection.retry_failed and self._behind_force(number))

    def _behind_force(self, number: int) -> bool:
        steps = (self.steps[n] for n in self._all.before[number])
        return any(
            step.action is Action.FORCE or (step.segment.is_control and self._behind_force(step.segment.number))
            for step in steps
        )

    def _everything(self, segment: Segment) -> Callable[[ManyTasks], bool]:
        """Whether all items run, once it is known which there are."""
        from runner.runs.anew import must_run_anew

        segments = {number: step.segment for number, step in self.steps.items()}
        wanted = self._forced(segment) and segment.number not in self._entered
        self._entered.add(segment.number)
        return lambda tasks: wanted or must_run_anew(self._all, tasks, self.opened.look.many, segments)

    def _outdate(self, number: int) -> None:
        """What follows is made from what now changes."""
        if not self._has_many:
            return
        from runner.runs.anew import outdate

        segments = {n: step.segment for n, step in self.steps.items()}
        over = self._over.get(number) or self._ready.get(number)
        outdate(self.opened.look, self._all, number, over.keys(one=False) if over else (), segments)

    def _start(self, start: Start) -> None:
        segment = self.steps[start.segment].segment
        self._begin(start.segment)
        self._running[start] = None
        environ = start.lease.environ()
        over = self._over.get(start.segment)
        if over is None:
            job = self.opened.look.jobs[start.segment]
            folder = self.opened.record.segment_folder(segment.number, segment.name)

            def plain(worker: int) -> Receipt | None:
                self._preparer.need(job)
                return None if self.stop.requested else run_task(job.given(environ), folder, self.opened.around)

            self.executor.start(start, plain)
            return
        if not self.executor.detached:
            over.tell_starts(start.keys, start.lease.gpus)
        self.executor.start(start, lambda worker: over.run(start.keys, worker, environ, self._preparer))

    def _begin(self, number: int) -> None:
        """Before anything of a segment starts."""
        if number not in self._ran:
            self._ran.add(number)
            self._outdate(number)
        self.opened.has_run = True

    # what ended

    def _take(self, event: Any) -> None:
        if isinstance(event, BaseException):
            raise event
        if not isinstance(event, Finished):  # a stop was asked for
            return
        self.executor.ended(event)
        self._running.pop(event.start, None)
        for note in self.opened.request.site.notes.take():
            self.journal.warn(note)
        segment = self.steps[event.start.segment].segment
        over = self._over.get(segment.number)
        if over is not None:
            grown = over.wants_more(event)
            if grown is not None:
                self._schedule.again(event.start, self._budget.grown(*grown))
                return
        if event.error is not None:
            self.reached = segment
            self._schedule.ended(event.start, event.start.keys)
            raise event.error
        if over is not None:
            failed = over.take(event.start.keys, event.result)
            self._schedule.ended(event.start, failed)
            if over.too_many:
                self._schedule.cut(segment.number)
                self.executor.cut(segment.number)
            return
        self._schedule.ended(event.start)
        self._preparer.ended(segment.number)
        self._plain_ended(segment, event.result)

    def _plain_ended(self, segment: Segment, receipt: Receipt | None) -> None:
        if receipt is None:
            self.row(segment, Result.NOT_RUN)
            return
        self.opened.around.shares.settle()
        folder = self.opened.record.segment_folder(segment.number, segment.name)
        if receipt.succeeded:
            self._remember(segment, receipt.seconds or 0.0)
        self.row(segment, Result(receipt.state), receipt, log=str(folder / receipt.log))
        if receipt.state != Result.STOPPED and not receipt.succeeded:
            self._failed(segment)

    def _failed(self, segment: Segment) -> None:
        self.code = max(self.code, ExitCode.SEGMENT_FAILED)
        if segment.keep_going:
            self._kept_going.add(segment.number)
            self.journal.warn(f"segment {segment.number} failed; going on, as its `keep-going` says")
        else:
            self.opened.advice = _AGAIN

    def _cannot(self, segment: Segment, reason: str) -> None:
        """It fails without a start."""
        self.row(segment, Result.FAILED, note=reason)
        self.journal.warn(f"segment {segment.number}: {reason}")
        self._failed(segment)
        self._schedule.close(segment.number, Ending.FAILED)

    def _judge(self) -> None:
        """Segments of which nothing runs any more, and what is not run because of them."""
        for number, reason in self._schedule.stuck():
            segment = self.steps[number].segment
            self._cannot(segment, reason)
        for number, key, cause in self._schedule.left_out():
            if over := self._over.get(number):
                over.leave_out(key, cause)
        for number in self._schedule.finished():
            segment = self.steps[number].segment
            over = self._over.get(number)
            if over is not None:
                self._finish_items(segment, over)
                continue
            good = self._rows[number]["state"] == Result.SUCCEEDED or number in self._kept_going
            self._schedule.close(number, Ending.DONE if good else Ending.FAILED)
        for number, cause in self._schedule.blocked():
            segment = self.steps[number].segment
            self.executor.cut(number)
            if not segment.is_control and number not in self._rows:
                self.row(segment, Result.NOT_RUN, note=self._why_not(cause))

    def _why_not(self, cause: int) -> str:
        if not self._has_needs and self.steps[cause].segment.many is None:
            return ""  # the line above says it
        left = self._rows.get(cause, {}).get("state") == Result.STOPPED
        return f"segment {cause} {'has items that are still to be run' if left else 'failed'}"

    def _finish_items(self, segment: Segment, over: Over, *, closed: bool = False) -> None:
        """All items of a segment ended, or more failed than may and nothing of it runs any more."""
        self.opened.around.shares.settle()
        del self._over[segment.number]
        self._preparer.ended(segment.number)
        over.close()
        if self._one:
            good = not over.failed
            self._schedule.close(segment.number, Ending.DONE if good else Ending.FAILED)
            if good:
                self.opened.canaries[segment.number] = over.forecast(self._budget.at_once(segment.resources))
                return
        receipt = over.end()
        ended_well = receipt.succeeded
        if ended_well:
            self._remember(segment, receipt.seconds or 0.0)
        self.opened.failed_items += over.failed_items
        self.row(segment, Result(receipt.state), receipt, log=str(over.folder))
        if receipt.state == Result.FAILED:
            self._failed(segment)
        if closed or self._one:
            return
        some = Ending.PARTLY if over.total and not over.too_many else Ending.FAILED
        self._schedule.close(segment.number, Ending.DONE if ended_well or segment.number in self._kept_going else some)

    def _drain(self) -> None:
        """Nothing starts any more; what runs comes to its end."""
        while self._running:
            self._take(next_event(self.events, None))
        self._judge()
        for number, over in list(self._over.items()):
            self._finish_items(self.steps[number].segment, over, closed=True)

    def _leave(self) -> None:
        """The jobs go on; what is known of their items by now is kept."""
        self.left, self.over = True, True
        for number, over in list(self._over.items()):
            over.close()
            if self.executor.submitted(number):
                self.row(self.steps[number].segment, Result.SUBMITTED, note=over.reached)
        for number in self._ran - self._rows.keys():
            there = self.executor.submitted(number)
            self.row(self.steps[number].segment, Result.SUBMITTED if there else Result.NOT_RUN)
        self._over.clear()
        self._running.clear()

    def wait_for_all(self, error: BaseException) -> None:
        """After an error: what else runs comes to its end, and is written down."""
        if self.executor.holds:
            with suppress(StateError):
                self._leave()
            return
        if self.executor.detached:  # nothing of it will end any more
            self._running.clear()
        if self._running and isinstance(error, RunnerError):
            with suppress(Exception):
                self.journal.warn(f"{error}; nothing more is started, and what runs now comes to its end")
        while self._running:
            with suppress(Exception):
                self._take(next_event(self.events, None))
        for number, over in list(self._over.items()):
            with suppress(StateError):
                self.row(self.steps[number].segment, Result.STOPPED, note=over.reached)
                over.close()

    # control segments and the status file

    def _control(self, segment: Segment, action: Action) -> None:
        self.journal.say("control", segment, action=action.value, text=segment.message)
        wait = self.opened.request.wait_for_enter
        if action is Action.STOP:
            self._advise(segment, "Stopped here, as the pipeline says.")
            self._end(ExitCode.DONE)
        elif action is Action.PAUSE and wait is None:
            self._advise(segment, "Paused here: there is no terminal to press Enter at.")
            self._end(ExitCode.DONE)
        elif action is Action.PAUSE and wait is not None and not wait():
            self._end(ExitCode.INTERRUPTED)
        self._rows[segment.number] = {}

    def _advise(self, segment: Segment, text: str) -> None:
        look = self.opened.look
        later = [number for number in look.jobs if number > segment.number]
        later = later or [number for number in self.steps if number > segment.number]
        if later:
            text += f"\nGo on with: {look.request.again('--from', str(min(later)))}"
        self.opened.advice = text

    def _end(self, code: ExitCode) -> None:
        self.code, self.over = max(self.code, code), True

    def _accept(self, segment: Segment) -> None:
        if segment.many is not None:
            from runner.runs.items import Over

            if left := Over(self.opened, segment, lambda tasks: False).accept():
                self.row(segment, Result.STOPPED, note=f"the others are accepted; {left:,} items are still to be run")
                return
        self._remember(segment, 0.0)
        self.row(segment, Result.ACCEPTED)
        self.journal.say("control", segment, action="accepted", text=segment.name)

    def _remember(self, segment: Segment, seconds: float) -> None:
        """The status file's entry, written at once."""
        opened = self.opened
        later: frozenset[str] = frozenset()
        if opened.request.selection.only is not None or self._has_needs:
            segments = opened.look.pipeline.segments
            later = frozenset(s.content_hash for s in segments if s.number > segment.number and not s.is_control)
        opened.book.record(
            Entry(segment.name, segment.content_hash, f"{datetime.now():%Y-%m-%d}", __version__, to_go(seconds)), later
        )
        opened.around.shares.patiently(lambda: opened.book.save(opened.around.syncer))
        if seconds:
            opened.durations[segment.name] = seconds

    @property
    def _has_needs(self) -> bool:
        return any(segment.needs is not None for segment in self.opened.look.pipeline.segments)

    def _forecast(self) -> None:
        """From the canary: how long the rest takes, and how much it writes."""
        texts = [text for number in self.steps if (text := self.opened.canaries.get(number))]
        if texts and not self.over and self.code is ExitCode.DONE:
            self.journal.say("forecast", text="\n".join(texts))
        elif self.code is not ExitCode.DONE:
            self.over = True
            self.opened.advice = "The canary failed, so no other item was run.\n" + _AGAIN

    def row(
        self, segment: Segment, state: Result, receipt: Receipt | None = None, *, log: str = "", note: str = ""
    ) -> None:
        """A line of the summary."""
        told = receipt or Receipt()
        self._rows[segment.number] = {
            "segment": segment.number,
            "name": segment.name,
            "state": str(state),
            "seconds": told.seconds,
            "log": log,
            "peak_memory": told.peak_memory,
            "note": note or told.explanation,
        }

    def state_of(self, segment: Segment) -> Result:
        return Result(self._rows.get(segment.number, {}).get("state") or Result.NOT_RUN)

    def close(self, code: ExitCode, state: str) -> None:
        """What was not reached, and the run's own record, with all that is needed to read it later."""
        opened = self.opened
        for step in self.steps.values():
            if step.segment.number not in self._rows and not step.segment.is_control:
                self.row(step.segment, Result.NOT_RUN)
        opened.rows = [row for _, row in sorted(self._rows.items()) if row]
        opened.around.syncer.finish()
        opened.record.data.update(
            state=state,
            ended=now_text(),
            exit_code=int(code),
            durations={name: round(seconds, 3) for name, seconds in opened.durations.items()},
            segments=[{k: row[k] for k in ("segment", "name", "state", "note")} for row in opened.rows],
        )
        opened.around.shares.patiently(opened.record.save)
