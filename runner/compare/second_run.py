"""Runs a pipeline with its outputs in a folder of ours, and remembers that for the next comparison."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runner.checks import errors, find_problems
from runner.compare import own
from runner.compare.isolation import Moves, moves_for, reached
from runner.compare.sides import Found, changed_output, environment_changed, receipts_by_hash
from runner.environments import Site, kind, words
from runner.errors import ExitCode, Interrupted, PipelineError, RunnerError
from runner.ground.files import state_errors
from runner.ground.told import read_json, write_json
from runner.model import Pipeline
from runner.plan import Selection
from runner.process.stop import StopRequest
from runner.records.journal import Journal
from runner.runs.drive import drive
from runner.runs.many import look_at_items
from runner.runs.open import run
from runner.runs.request import RunRequest
from runner.tasks import Task, Tasks

STARTED, STATUS, OUT, RUNS = "started.json", "status.yaml", "out", "runs"
PARTS = (STARTED, STATUS, OUT, RUNS)
Change = Callable[[Task], Task]
SCRIPT = 5_000_000  # bytes; what is larger is data


class SecondRunFailed(RunnerError):
    """A segment of a run made for the comparison failed."""

    exit_code = ExitCode.SEGMENT_FAILED


@dataclass(frozen=True)
class SecondRun:
    """Where the outputs went, and what the receipts say by content hash."""

    moves: Moves
    receipts: Mapping[str, Found]


def second_run(
    pipeline: Pipeline,
    site: Site,
    top: Path,
    journal: Journal,
    stop: StopRequest,
    *,
    why: str,
    anew: bool,
    change: Change | None = None,
    made_of: Mapping[str, Any] = MappingProxyType({}),
) -> SecondRun:
    """The outputs of `pipeline` below `top`; taken as they are when nothing has changed since they were made.

    `change`: what else is to be another way in a task; `made_of`: what else the outputs stand for.
    Raises CannotIsolate before anything is written; EnvironmentMissing, SecondRunFailed, Interrupted, StateError.
    """
    folder = next((home for home in _homes(top) if (home / STARTED).exists()), top)
    moves, todo = _moved(pipeline, site, folder, change)
    asked = {**_asked_for(todo), **made_of}
    done = 0 if anew else _still_done(folder, todo, moves, site, asked)
    if done == len(todo):
        journal.note(f"{why}: taken from {folder}")
        return SecondRun(moves, receipts_by_hash(folder / RUNS))
    if problems := errors(find_problems(todo, pipeline, site)):
        raise PipelineError(f"{len(problems)} problems found; nothing was run", problems)
    if not done:
        folder = _cleared(top, journal)
        moves, todo = _moved(pipeline, site, folder, change)
        asked = {**_asked_for(todo), **made_of}
    others = set(own.below(folder, *PARTS)) - own.proven(folder, own.by_time).keys()
    for new in moves.folders.values():
        new.mkdir(parents=True, exist_ok=True)
    write_json(folder / STARTED, asked)
    journal.note(f"{why}; it goes on with segment {todo[done].segment.number}" if done else why)
    pipeline = replace(pipeline, segments=tuple(reached(pipeline)))
    request = RunRequest(
        pipeline,
        site,
        journal,
        stop,
        Selection(start=todo[done].segment.number),
        records=folder / RUNS,
        status_file=folder / STATUS,
        change=_both(change, moves),
    )
    try:
        code, record = run(request, drive)
    finally:
        _list_ours(folder, others)
    if code is ExitCode.INTERRUPTED:
        raise Interrupted("stopped", "Start it again: what is finished stays finished.")
    if code is not ExitCode.DONE:
        raise SecondRunFailed(f"{why}: a segment failed", f"Its log is in {record.folder if record else folder}.")
    return SecondRun(moves, receipts_by_hash(folder / RUNS))


def _both(change: Change | None, moves: Moves) -> Change:
    return (lambda job: moves.job(change(job))) if change else moves.job


def _moved(pipeline: Pipeline, site: Site, folder: Path, change: Change | None) -> tuple[Moves, list[Task]]:
    """With outputs below `folder`. Raises CannotIsolate."""
    moves = moves_for(pipeline, Tasks(pipeline, site), folder / OUT)
    jobs = Tasks(pipeline, site, _both(change, moves))
    return moves, [jobs[segment.number] for segment in reached(pipeline)]


def _homes(top: Path) -> list[Path]:
    """The folder of this run, and further ones, newest first, that were begun beside what was not ours to remove."""
    numbers = sorted((int(one.name) for one in top.glob("[0-9]*") if one.name.isdecimal()), reverse=True)
    return [*(top / str(number) for number in numbers), top]


def _cleared(top: Path, journal: Journal) -> Path:
    """Removes what earlier comparisons left; gives a folder in which nothing of it is."""
    for home in _homes(top):
        with state_errors("remove", home):
            if own.is_folder(home):
                own.remove(home, own.proven(home, own.by_time))
    used = [home for home in _homes(top) if any(os.path.lexists(home / part) for part in PARTS)]
    if not used:
        return top
    journal.note(f"{used[0]} holds files that no list names as a comparison's own; they stay")
    number = max((int(home.name) for home in used if home != top), default=1) + 1
    return top / str(number)


def _list_ours(folder: Path, others: set[str]) -> None:
    """Writes down all that is there now and was not there before."""
    ours = [name for name in own.below(folder, *PARTS) if name not in others]
    own.write_list(folder, {name: [own.by_time(folder / name)] for name in ours})


def _asked_for(todo: list[Task]) -> dict[str, Any]:
    """What the outputs stand for: the text of the segments, and the scripts and settings that they name.

    Those by their SHA-256: a mended script is another one.
    """
    files = {}
    for text in (text for job in todo for text in words(job.entries)):
        path = Path(text)
        if path.is_absolute() and path.is_file() and path.stat().st_size <= SCRIPT:
            files[text] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"segments": [job.segment.content_hash for job in todo], "files": files}


def _still_done(folder: Path, todo: list[Task], moves: Moves, site: Site, asked: Mapping[str, Any]) -> int:
    """How many segments from the first on need not run again. None where any later one left results of other days."""
    if read_json(folder / STARTED) != asked or not all(new.is_dir() for new in moves.folders.values()):
        return 0
    receipts = receipts_by_hash(folder / RUNS)
    count = 0
    for job in todo:
        told = receipts.get(job.segment.content_hash)
        if job.many and look_at_items(job, folder / RUNS, windows=site.host.windows).plan.why_again:
            break
        if told is None or changed_output(told) or environment_changed(told, job, site):
            break
        if kind(job.spec).prepare(job.spec, job.entries, site) is not None:  # the environment is behind its lock
            break
        count += 1
    return 0 if any(job.segment.content_hash in receipts for job in todo[count:]) else count
