"""Carries a plan out: environments prepared, segments run, the status file written at each segment's end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner import __version__
from runner.errors import ExitCode, RunnerError, StateError
from runner.executors.preparer import Preparer
from runner.executors.task import run_task
from runner.go.duration import to_go
from runner.model import Action, Segment, Step
from runner.records.journal import now_text
from runner.records.layout import BROKEN_OFF
from runner.records.receipt import Receipt, Result
from runner.runs.open import Opened
from runner.state.status import Entry

_AGAIN = "Start the pipeline again to go on from this segment: what is finished stays finished."
_STATES = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}


def drive(opened: Opened) -> ExitCode:
    """Raises EnvironmentMissing and StateError; what was finished by then is recorded."""
    plan, request = opened.look.plan, opened.request
    to_run = opened.look.to_run
    request.journal.say(
        "begin", pipeline=str(opened.look.path), segments=len(opened.look.jobs), to_run=len(plan.to_run)
    )
    walk = _Walk(opened)
    try:
        with Preparer(
            to_run, request.site, opened.record.folder, request.journal, request.stop, ahead=request.prepare_ahead
        ) as preparer:
            for step in plan.steps:
                walk.reached = step.segment.number
                walk.take(step, preparer)
                if walk.ended:
                    break
    except BaseException as error:
        known = isinstance(error, RunnerError)
        walk.row(walk.segment, Result.NOT_RUN, note=str(error) if known else "")
        with suppress(StateError):  # the error that ended the run is the one to show
            walk.close(error.exit_code if isinstance(error, RunnerError) else ExitCode.INTERNAL, BROKEN_OFF)
        raise
    if walk.code is ExitCode.INTERRUPTED:
        opened.advice = _AGAIN
    walk.close(walk.code, _STATES.get(walk.code, "failed"))
    return walk.code


@dataclass
class _Walk:
    """One run on its way."""

    opened: Opened
    code: ExitCode = ExitCode.DONE
    ended: bool = False
    reached: int = 0

    def __post_init__(self) -> None:
        self.journal = self.opened.request.journal
        self.stop = self.opened.request.stop

    @property
    def segment(self) -> Segment:
        steps = self.opened.look.plan.steps
        return next((s for s in steps if s.segment.number == self.reached), steps[0]).segment

    def end(self, code: ExitCode) -> None:
        self.code, self.ended = max(self.code, code), True

    def take(self, step: Step, preparer: Preparer) -> None:
        """One step."""
        segment = step.segment
        if self.stop.requested:
            self.row(segment, Result.NOT_RUN)
            self.end(ExitCode.INTERRUPTED)
        elif step.action is Action.SKIP:
            self.journal.say("skip", segment, reason=step.reason)
            if not segment.is_control:
                self.row(segment, Result.SKIPPED, note=step.reason)
        elif step.action is Action.ACCEPT:
            self._remember(segment, 0.0)
            self.row(segment, Result.ACCEPTED)
            self.journal.say("control", segment, action="accepted", text=segment.name)
        elif step.action is Action.RUN:
            self._run(segment, preparer)
        else:
            self._control(segment, step.action)

    def _control(self, segment: Segment, action: Action) -> None:
        self.journal.say("control", segment, action=action.value, text=segment.message)
        wait = self.opened.request.wait_for_enter
        if action is Action.STOP:
            self._advise(segment, "Stopped here, as the pipeline says.")
            self.end(ExitCode.DONE)
        elif action is Action.PAUSE and wait is None:
            self._advise(segment, "Paused here: there is no terminal to press Enter at.")
            self.end(ExitCode.DONE)
        elif action is Action.PAUSE and wait is not None and not wait():
            self.end(ExitCode.INTERRUPTED)

    def _advise(self, segment: Segment, text: str) -> None:
        look = self.opened.look
        later = [number for number in look.jobs if number > segment.number]
        later = later or [s.segment.number for s in look.plan.steps if s.segment.number > segment.number]
        if later:
            text += f'\nGo on with: run-pipeline "{look.path}" --from {min(later)}'
        self.opened.advice = text

    def _run(self, segment: Segment, preparer: Preparer) -> None:
        opened, site = self.opened, self.opened.request.site
        job = opened.look.jobs[segment.number]
        preparer.need(job)
        if self.stop.requested:
            self.row(segment, Result.NOT_RUN)
            self.end(ExitCode.INTERRUPTED)
            return
        folder = opened.record.segment_folder(segment.number, segment.name)
        receipt = run_task(job, folder, opened.around)
        for note in site.notes.take():
            self.journal.warn(note)
        if receipt.succeeded:
            self._remember(segment, receipt.seconds or 0.0)
        self.row(segment, Result(receipt.state), receipt, log=str(folder / receipt.log))
        if receipt.state == Result.STOPPED:
            self.end(ExitCode.INTERRUPTED)
        elif not receipt.succeeded and segment.keep_going:
            self.journal.warn(f"segment {segment.number} failed; going on, as its `keep-going` says")
            self.code = max(self.code, ExitCode.SEGMENT_FAILED)
        elif not receipt.succeeded:
            opened.advice = _AGAIN
            self.end(ExitCode.SEGMENT_FAILED)

    def row(
        self, segment: Segment, state: Result, receipt: Receipt | None = None, *, log: str = "", note: str = ""
    ) -> None:
        """A line of the summary."""
        told = receipt or Receipt()
        self.opened.rows.append(
            {
                "segment": segment.number,
                "name": segment.name,
                "state": str(state),
                "seconds": told.seconds,
                "log": log,
                "peak_memory": told.peak_memory,
                "note": note or told.explanation,
            }
        )

    def _remember(self, segment: Segment, seconds: float) -> None:
        """The status file's entry, written at once."""
        opened = self.opened
        later: frozenset[str] = frozenset()
        if opened.request.selection.only is not None:
            segments = opened.look.pipeline.segments
            later = frozenset(s.content_hash for s in segments if s.number > segment.number and not s.is_control)
        opened.book.record(
            Entry(segment.name, segment.content_hash, f"{datetime.now():%Y-%m-%d}", __version__, to_go(seconds)), later
        )
        opened.book.save(opened.around.syncer)
        if seconds:
            opened.durations[segment.name] = seconds

    def close(self, code: ExitCode, state: str) -> None:
        """What was not reached, and the run's own record, with all that is needed to read it later."""
        opened = self.opened
        for step in opened.look.plan.steps:
            if step.segment.number > self.reached and not step.segment.is_control:
                self.row(step.segment, Result.NOT_RUN)
        opened.around.syncer.finish()
        told: dict[str, Any] = {
            "state": state,
            "ended": now_text(),
            "exit_code": int(code),
            "durations": {name: round(seconds, 3) for name, seconds in opened.durations.items()},
            "segments": [{k: row[k] for k in ("segment", "name", "state", "note")} for row in opened.rows],
        }
        opened.record.data.update(told)
        opened.record.save()
