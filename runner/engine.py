"""Walks the plan: environments prepared, segments run, receipts and status file written at once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner import __version__
from runner.environments import Site
from runner.errors import ExitCode, RunnerError, StateError
from runner.executors.local import Result, environment_fingerprint, run_segment
from runner.executors.preparer import Preparer
from runner.go.duration import to_go
from runner.ground.files import Syncer
from runner.jobs import Job, Jobs
from runner.model import Action, Outcome, Segment, Step
from runner.plan import Plan
from runner.process.stop import StopRequest
from runner.process.tree import Strays
from runner.report import Reporter, Row
from runner.state.records import BROKEN_OFF, SUCCEEDED, Run, now_text
from runner.state.status import Entry, StatusBook

MOST_STRAYS = 40  # that the note of what runs has room for
WaitForEnter = Callable[[], bool]


@dataclass
class Session:
    """One run: what is to be done, and where it is written down."""

    name: str  # the pipeline as the user knows it, for messages
    plan: Plan
    jobs: Jobs  # by segment number
    site: Site
    book: StatusBook
    run: Run
    reporter: Reporter
    stop: StopRequest
    wait_for_enter: WaitForEnter | None  # None: nobody is there to answer
    prepare_ahead: bool = True
    only: bool = False
    durations: dict[str, float] = field(default_factory=dict)  # seconds by name, from earlier runs
    rows: list[Row] = field(default_factory=list)
    advice: str = ""
    syncer: Syncer = field(default_factory=Syncer)
    _fingerprints: dict[Any, Mapping[str, object]] = field(default_factory=dict)

    def fingerprint(self, job: Job) -> Mapping[str, object]:
        """Read once a run for each environment."""
        key = job.environment_key
        if key not in self._fingerprints:
            self._fingerprints[key] = environment_fingerprint(job, self.site)
        return self._fingerprints[key]


def walk(session: Session) -> ExitCode:
    """Carry the plan out. Raises EnvironmentMissing and StateError; what was finished by then is recorded."""
    to_run = [session.jobs[step.segment.number] for step in session.plan.steps if step.action is Action.RUN]
    gc.enable()  # see runner.__main__; a run may last for days
    session.reporter.begin(session.name, len(session.jobs), len(session.plan.to_run))
    code = ExitCode.DONE
    reached = 0
    try:
        with Preparer(
            to_run, session.site, session.run.folder, session.reporter, session.stop, ahead=session.prepare_ahead
        ) as preparer:
            for step in session.plan.steps:
                reached = step.segment.number
                outcome = _take(step, session, preparer)
                if outcome is not None:
                    code = max(code, outcome.code)
                    if outcome.ends:
                        break
    except BaseException as error:
        known = isinstance(error, RunnerError)
        session.rows.append(Row(_step(session, reached).segment, "not run", note=str(error) if known else ""))
        _not_reached(session, reached)
        with suppress(StateError):  # the error that ended the run is the one to show
            _close(session, error.exit_code if isinstance(error, RunnerError) else ExitCode.INTERNAL, BROKEN_OFF)
        raise
    if code is ExitCode.INTERRUPTED:
        session.advice = _AGAIN
    _not_reached(session, reached)
    _close(session, code, _STATES.get(code, "failed"))
    return code


_AGAIN = "Start the pipeline again to go on from this segment: what is finished stays finished."
_STATES = {ExitCode.DONE: "done", ExitCode.INTERRUPTED: "interrupted"}


@dataclass(frozen=True)
class _Taken:
    code: ExitCode = ExitCode.DONE
    ends: bool = False


def _take(step: Step, session: Session, preparer: Preparer) -> _Taken | None:
    """One step; None when there is nothing more to say about it."""
    segment = step.segment
    if session.stop.requested:
        session.rows.append(Row(segment, "not run"))
        return _Taken(ExitCode.INTERRUPTED, ends=True)
    if step.action is Action.SKIP:
        session.reporter.skipped(segment, step.reason)
        if not segment.is_control:
            session.rows.append(Row(segment, "skipped", note=step.reason))
    elif step.action is Action.STOP:
        session.reporter.control(segment, "stop", segment.message)
        session.advice = _go_on(session, segment, "Stopped here, as the pipeline says.")
        return _Taken(ends=True)
    elif step.action is Action.FORCE:
        session.reporter.control(segment, "force", segment.message)
    elif step.action is Action.PAUSE:
        return _pause(segment, session)
    elif step.action is Action.ACCEPT:
        _remember(segment, 0.0, session)
        session.rows.append(Row(segment, "accepted"))
        session.reporter.control(segment, "accepted", segment.name)
    else:
        return _run(segment, session, preparer)
    return None


def _pause(segment: Segment, session: Session) -> _Taken | None:
    session.reporter.control(segment, "pause", segment.message)
    if session.wait_for_enter is None:
        session.advice = _go_on(session, segment, "Paused here: there is no terminal to press Enter at.")
        return _Taken(ends=True)
    if not session.wait_for_enter():
        return _Taken(ExitCode.INTERRUPTED, ends=True)
    return None


def _go_on(session: Session, segment: Segment, text: str) -> str:
    following = [s.segment for s in session.plan.steps if s.segment.number > segment.number]
    later = [session.jobs.segment(number) for number in session.jobs if number > segment.number]
    if not following and not later:
        return text
    number = min(s.number for s in later) if later else following[0].number
    return f'{text}\nGo on with: run-pipeline "{session.name}" --from {number}'


def _run(segment: Segment, session: Session, preparer: Preparer) -> _Taken | None:
    job = session.jobs[segment.number]
    preparer.need(job)
    if session.stop.requested:
        session.rows.append(Row(segment, "not run"))
        return _Taken(ExitCode.INTERRUPTED, ends=True)
    folder = session.run.segment_folder(segment.number, segment.name)
    result = run_segment(
        job,
        session.site,
        folder,
        reporter=session.reporter,
        stop=session.stop,
        total=max(session.jobs),
        expected=session.durations.get(segment.name),
        on_start=lambda *known: _note_child(session, segment, *known),
        fingerprint=session.fingerprint,
        syncer=session.syncer,
    )
    for note in session.site.notes.take():
        session.reporter.warn(note)
    outcome = result.outcome
    if result.state == SUCCEEDED:
        _remember(segment, outcome.duration, session)
    session.reporter.ended(segment, outcome, result.state, result.note, str(result.log))
    session.rows.append(_row(segment, result, outcome))
    if result.state == SUCCEEDED:
        return None
    if result.state == "stopped":
        return _Taken(ExitCode.INTERRUPTED, ends=True)
    if segment.keep_going:
        session.reporter.warn(f"segment {segment.number} failed; going on, as its `keep-going` says")
        return _Taken(ExitCode.SEGMENT_FAILED)
    session.advice = _AGAIN
    return _Taken(ExitCode.SEGMENT_FAILED, ends=True)


def _row(segment: Segment, result: Result, outcome: Outcome) -> Row:
    return Row(segment, result.state, outcome.duration, outcome.peak_memory, str(result.log), result.note)


def _note_child(session: Session, segment: Segment, pid: int, started: float, marker: str, strays: Strays) -> None:
    """So that the next run can end what a killed runner left running."""
    known = {"pid": pid, "started": started, "marker": marker, "strays": strays[-MOST_STRAYS:]}
    session.run.note_child({"segment": segment.number, **known})


def _remember(segment: Segment, seconds: float, session: Session) -> None:
    """The status file's entry, written at once."""
    later: frozenset[str] = frozenset()
    if session.only:
        following = (session.jobs.segment(number) for number in session.jobs if number > segment.number)
        later = frozenset(other.content_hash for other in following)
    session.book.record(
        Entry(segment.name, segment.content_hash, f"{datetime.now():%Y-%m-%d}", __version__, to_go(seconds)), later
    )
    session.book.save(session.syncer)
    if seconds:
        session.durations[segment.name] = seconds


def _step(session: Session, number: int) -> Step:
    return next((s for s in session.plan.steps if s.segment.number == number), session.plan.steps[0])


def _not_reached(session: Session, reached: int) -> None:
    for step in session.plan.steps:
        if step.segment.number > reached and not step.segment.is_control:
            session.rows.append(Row(step.segment, "not run"))


def _close(session: Session, code: ExitCode, state: str) -> None:
    """The run's own record, with all that is needed to read it later."""
    session.syncer.finish()
    session.run.data.update(
        state=state,
        ended=now_text(),
        exit_code=int(code),
        durations={name: round(seconds, 3) for name, seconds in session.durations.items()},
        segments=[
            {"segment": row.segment.number, "name": row.segment.name, "state": row.state, "note": row.note}
            for row in session.rows
        ],
    )
    session.run.save()
