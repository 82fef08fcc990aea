"""The start and the end of a real run: its lock, what a dead run left, the status file, the record."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner import __version__
from runner.budget import Budget
from runner.errors import ExitCode, StateError, UsageError
from runner.executors.task import Around
from runner.go.duration import from_go
from runner.ground.away import Shares
from runner.ground.disk import on_disk
from runner.ground.files import Syncer, state_errors, write_atomic
from runner.ground.plain import read_plain
from runner.ground.told import read_json, write_json
from runner.host import Host
from runner.model import Action, Step
from runner.plan import Plan, same_entries
from runner.process.ending import end_tree
from runner.process.identity import boot_id, is_alive, process_started
from runner.process.keep_awake import kept_awake
from runner.process.tag import RunMark, new_run_mark
from runner.records.journal import now_text
from runner.records.layout import (
    KEEP_DAYS,
    KEEP_RUNS,
    PLAN,
    RUNNING,
    SUBMITTED,
    UNFINISHED,
    Record,
    latest_run,
    new_run,
    prune,
    records_root,
    submitted_elsewhere,
)
from runner.records.reading import seconds_by_name
from runner.records.receipt import machine
from runner.runs.keeping import keep_inputs, keep_start
from runner.runs.look import Look, look_at
from runner.runs.request import RunRequest
from runner.state.locks import LockFile
from runner.state.status import StatusBook, part_from_namesake

MOST_ROWS = 40  # of a summary


@dataclass
class Opened:
    """A run that goes on: what is to be done, and where it is written down. We hold the lock."""

    look: Look
    record: Record
    book: StatusBook
    around: Around
    durations: dict[str, float]  # seconds by name, from earlier runs and this one
    budget: Budget
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the summary
    failed_items: list[dict[str, Any]] = field(default_factory=list)  # the first few
    canaries: dict[int, str] = field(default_factory=dict)  # what one item tells of all, by segment
    canary_items: set[str] = field(default_factory=set)  # those that went first
    has_run: bool = False  # something has: what was seen of files may be old
    advice: str = ""

    @property
    def request(self) -> RunRequest:
        return self.look.request


def run(
    request: RunRequest,
    drive: Callable[[Opened], ExitCode],
    look: Look | None = None,
    again: Record | None = None,
) -> tuple[ExitCode, Record | None]:
    """Take the lock and drive what is to be done; None where that was nothing. `look`: what was seen a moment ago.

    `again`: a run that was left, and is taken up. Raises RunnerError.
    """
    look = look or look_at(request)
    _still_there(request.path)
    with LockFile.of_run(look.status_file, f"run-pipeline {request.path.name}").acquire(wait=0) as held:
        _still_there(request.path)
        if held.taken_from is not None:
            request.journal.note(f"took over the lock of {held.taken_from}, which broke off")
        if look.is_old():  # what another run finished between our look and the lock counts
            look = look_at(request)
        if again is None:
            not_submitted(look)
            _adopt(look)
        else:
            look = _as_planned(look, again)
        for text in look.plan.warnings:
            request.journal.warn(text)
        book = _open_book(look)
        if not look.plan.to_run:
            return ExitCode.DONE, None
        opened = _open(look, book, again)
        code = ExitCode.INTERNAL
        try:
            look.inputs.adopt(look.stays_done)
            for text in look.news() if again is None else ():
                request.journal.note(text)
            with kept_awake(request.site.host.environ), opened.around.shares.watched():
                code = drive(opened)
        finally:
            _close(opened, code)
        return code, opened.record


def _still_there(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path} was removed meanwhile; nothing was run", "Put it back and start again.")


def not_submitted(look: Look) -> None:
    """Raises UsageError where jobs of the last run may still be at work."""
    beside = latest_run(records_root(look.path, None))
    for last in (look.last, beside, submitted_elsewhere(look.path)):
        if last is None or last.state != SUBMITTED:
            continue
        at = f" at {last.started[:16].replace('T', ' ')}" if last.started else ""
        raise UsageError(
            f"{look.path.name} was submitted to {last.data.get('executor') or 'a cluster'}{at}, and that run has not "
            f"ended; its record: {last.folder}",
            f'Go on with it: run-pipeline resume "{look.path}". End it: run-pipeline cancel "{look.path}".',
        )


def _as_planned(look: Look, again: Record) -> Look:
    """With the steps that `again` was opened with. Raises UsageError where it is not the one that waits."""
    if look.last is None or look.last.folder != again.folder or look.last.state != SUBMITTED:
        raise UsageError(
            f"the run {again.folder.name} ended meanwhile", "`run-pipeline status` shows what became of it."
        )
    steps = (read_json(again.folder / PLAN) or {}).get("steps")
    told = {one.get("segment"): one for one in steps if isinstance(one, dict)} if isinstance(steps, list) else {}
    actions = {action.value: action for action in Action}
    found = tuple(
        Step(segment, actions[told[segment.number]["action"]], str(told[segment.number].get("reason", "")))
        for segment in look.pipeline.segments
        if segment.number in told and told[segment.number].get("action") in actions
    )
    if not found:
        raise StateError(f"{again.folder / PLAN} does not tell what was planned", "Cancel that run and start anew.")
    return replace(look, plan=Plan(found, look.status.entries))


def _adopt(look: Look) -> None:
    """The last run was killed: end what it left running, and say what its receipts saved."""
    last, journal = look.last, look.request.journal
    if last is None or last.state not in UNFINISHED:
        return
    if _same_start_of_this_machine(last, look.request.site.host) and (ended := _end_what_is_left(last)):
        journal.warn(f"ended what an earlier run, which was killed, had left running: {', '.join(ended)}")
    from runner.runs.many import adopt_items

    adopt_items(last, look.root)
    if look.recovered:
        many = look.recovered > 1
        journal.note(
            f"{look.recovered} segment{'s' if many else ''} that an earlier run finished before it broke off "
            f"{'are' if many else 'is'} taken as done (receipts in {last.folder})"
        )
    last.data["state"] = "killed" if last.state == RUNNING else "failed"
    last.save()


def _end_what_is_left(last: Record) -> list[str]:
    if mark := last.mark:
        return end_tree(0, None, mark[0], tag=mark[1])
    if (child := last.child()) is None:
        return []
    ended = end_tree(child.pid, child.started, child.marker, 5.0)
    # these may have dropped the marker: nothing but number and time of birth tells them
    for pid, started in child.strays:
        ended += end_tree(pid, started, "", 5.0) if is_alive(pid, started) else []
    return ended


def _same_start_of_this_machine(record: Record, host: Host) -> bool:
    return record.data.get("host") == machine()["host"] and record.data.get("boot") == boot_id(host)


def _open_book(look: Look) -> StatusBook:
    """The status file as it is before anything runs; one that cannot be read is kept under another name."""
    path = look.status_file
    part_from_namesake(look.path)
    if look.status.broken:
        saved = _set_aside(path)
        look.request.journal.warn(
            f"{path.name} could not be read ({look.status.broken}), so nothing counts as done; it is kept as "
            f"{saved.name}. --accept marks segments as done without running them"
        )
    book = StatusBook(path, look.plan.keep, look.status.extra)
    if look.recovered or not same_entries(look.plan.keep, look.status.entries):
        book.save()
    return book


def _set_aside(path: Path) -> Path:
    path = Path(os.path.realpath(path))
    for number in range(1, 1000):
        target = path.with_name(f"{path.name}.broken-{number}")
        if not os.path.lexists(target):
            with state_errors("rename", path):
                path.replace(target)
            return target
    raise StateError(f"there are too many {path.name}.broken-* files", "Remove the old ones.")


def _open(look: Look, book: StatusBook, again: Record | None = None) -> Opened:
    """The record of the new run, or of the one that is taken up."""
    request, syncer = look.request, Syncer()
    host = request.site.host
    durations = {e.name: s for e in look.status.entries if (s := from_go(e.run_duration))}
    durations.update(seconds_by_name(look.last.data.get("durations") if look.last else None))
    mark = new_run_mark(host.environ)
    if again is not None:
        record = look.last or again
        record.data.update(host=machine()["host"], pid=os.getpid(), process_started=process_started(os.getpid()))
        record.save(syncer)
        return _opened(look, record, book, durations, mark, syncer)
    record = new_run(
        look.root,
        {
            "state": RUNNING,
            "runner": __version__,
            "pipeline": str(look.path),
            "sha256": look.pipeline.sha256,
            "started": now_text(),
            "host": machine()["host"],
            "pid": os.getpid(),
            "process_started": process_started(os.getpid()),
            "boot": boot_id(host),
            "marker": mark.marker,
            "tag": mark.tag,
            "command": sys.argv,
            "accept": request.selection.accept,
        },
        syncer,
    )
    steps = [
        {"segment": s.segment.number, "name": s.segment.name, "action": s.action.value, "reason": s.reason}
        for s in look.plan.steps
    ]
    write_json(record.folder / PLAN, {"steps": steps}, syncer)
    write_atomic(record.folder / "pipeline.yaml", look.pipeline.source, durable=False)
    keep_start(look, record)
    return _opened(look, record, book, durations, mark, syncer)


def _opened(
    look: Look, record: Record, book: StatusBook, durations: dict[str, float], mark: RunMark, syncer: Syncer
) -> Opened:
    request = look.request
    request.journal.open(record.folder)
    last = max(look.jobs, default=0)
    around = Around(
        request.site,
        request.journal,
        request.stop,
        syncer,
        mark,
        last,
        durations,
        reading=look.inputs.reading,
        shares=Shares(_folders(look), request.journal.warn, request.stop.wait),
    )
    return Opened(look, record, book, around, durations, look.budget)


def _folders(look: Look) -> list[Path]:
    """What all of a run needs."""
    site = look.request.site
    store = [site.store.folder, site.store.cache, site.store.pythons] if site.store else []
    return [look.path.parent, look.root, *(on_disk(one) for one in (site.repo, site.environments, *store))]


def _close(opened: Opened, code: ExitCode) -> None:
    """Summary, a word when the file was edited meanwhile, old records pruned."""
    look, journal = opened.look, opened.request.journal
    _remember_accepted(opened)
    look.inputs.end()
    keep_inputs(look, opened.record)
    if _edited(look):
        journal.warn(
            f"{look.path.name} was edited while it ran; what ran is kept as {opened.record.folder / 'pipeline.yaml'}. "
            "Start it again for the changes."
        )
    rows = opened.rows
    if len(rows) > MOST_ROWS:
        rows = [row for row in rows if row["state"] != "skipped"][-MOST_ROWS:]
    journal.say(
        "summary",
        exit_code=int(code),
        record=str(opened.record.folder),
        advice=opened.advice,
        segments=rows,
        failed_items=opened.failed_items,
    )
    journal.close()
    site = opened.request.site
    runs, days = (
        _whole_number(site.host.environ.get(name) or site.dotenv.get(name), default)
        for name, default in (("RUN_PIPELINE_KEEP_RUNS", KEEP_RUNS), ("RUN_PIPELINE_KEEP_DAYS", KEEP_DAYS))
    )
    prune(look.root, runs=runs, days=days)


def _remember_accepted(opened: Opened) -> None:
    """What was there as segments were marked as done."""
    look, done = opened.look, {entry.content_hash for entry in opened.book.entries}
    for step in look.plan.steps:
        if step.action is Action.ACCEPT and step.segment.content_hash in done:
            look.inputs.reading(look.jobs[step.segment.number])()


def _whole_number(text: str | None, default: int) -> int:
    return int(text) if text and text.strip().isdecimal() else default


def _edited(look: Look) -> bool:
    try:
        return hashlib.sha256(read_plain(look.path)).hexdigest() != look.pipeline.sha256
    except OSError:
        return False
