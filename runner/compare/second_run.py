"""Runs a pipeline with its outputs in a folder of ours, and remembers that for the next comparison."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.compare.isolation import Isolated, Moves, moves_for, reached
from runner.engine import Session, walk
from runner.environments import Site, kind, words
from runner.errors import ExitCode, Interrupted, PipelineError, RunnerError
from runner.executors.local import environment_fingerprint
from runner.jobs import Job, Jobs, find_problems
from runner.model import Action, Pipeline, Step
from runner.plan import Plan
from runner.process.stop import StopRequest
from runner.report import Reporter
from runner.state.records import new_run, now_text, read_json, write_json
from runner.state.status import StatusBook

SCRIPT = 5_000_000  # bytes; what is larger is data


class SecondRunFailed(RunnerError):
    """A segment of a run made for the comparison failed."""

    exit_code = ExitCode.SEGMENT_FAILED


@dataclass(frozen=True)
class SecondRun:
    """Where the outputs went, and what the receipts say by content hash."""

    moves: Moves
    receipts: Mapping[str, Mapping[str, Any]]


def second_run(
    pipeline: Pipeline, site: Site, folder: Path, reporter: Reporter, stop: StopRequest, *, why: str, anew: bool
) -> SecondRun:
    """The outputs of `pipeline` below `folder`; taken as they are when nothing has changed since they were made.

    Raises CannotIsolate before anything is written; EnvironmentMissing, SecondRunFailed, Interrupted, StateError.
    """
    moves = moves_for(pipeline, Jobs(pipeline, site), folder / "out")
    jobs = Isolated(pipeline, site, moves)
    todo = [jobs[segment.number] for segment in reached(pipeline)]
    if not anew and _as_it_was(folder, todo, site):
        reporter.note(f"{why}: taken from {folder}")
        return SecondRun(moves, _receipts(folder))
    if problems := find_problems(todo, pipeline, site):
        raise PipelineError(f"{len(problems)} problems found; nothing was run", problems)
    _clear(folder)
    for new in moves.folders.values():
        new.mkdir(parents=True)
    reporter.note(why)
    run = new_run(folder / "runs", {"state": "running", "pipeline": str(pipeline.path), "started": now_text()})
    steps = tuple(Step(job.segment, Action.RUN, "for the comparison") for job in todo)
    session = Session(
        name=str(pipeline.path),
        plan=Plan(steps, ()),
        jobs=jobs,
        site=site,
        book=StatusBook(folder / "status.yaml", (), {}),
        run=run,
        reporter=reporter,
        stop=stop,
        wait_for_enter=None,
    )
    code = walk(session)
    if code is ExitCode.INTERRUPTED:
        raise Interrupted("stopped", "Start the comparison again.")
    if code is not ExitCode.DONE:
        raise SecondRunFailed(f"{why}: a segment failed", f"Its log is in {run.folder}.")
    _remember(folder, todo, site, run.folder)
    return SecondRun(moves, _receipts(folder))


def _clear(folder: Path) -> None:
    """What an earlier comparison left; the folder is ours alone."""
    for name in ("out", "runs"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    with contextlib.suppress(FileNotFoundError):
        (folder / "done.json").unlink()


def _state(todo: list[Job], site: Site) -> dict[str, Any]:
    """What decides whether outputs still stand for the pipeline: its text and its environments."""
    seen: dict[Any, Mapping[str, object]] = {}
    for job in todo:
        key = job.environment_key
        if key not in seen:
            seen[key] = environment_fingerprint(job, site)
    return {
        "segments": [job.segment.content_hash for job in todo],
        "environments": [dict(value) for value in seen.values()],
        "files": _files(todo),
    }


def _files(todo: list[Job]) -> dict[str, str]:
    """SHA-256 of the scripts and settings that commands name: a mended script is another one."""
    out = {}
    for text in (text for job in todo for text in words(job.entries)):
        path = Path(text)
        if path.is_absolute() and path.is_file() and path.stat().st_size <= SCRIPT:
            out[text] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def _remember(folder: Path, todo: list[Job], site: Site, run: Path) -> None:
    write_json(folder / "done.json", {**_state(todo, site), "run": run.name})


def _as_it_was(folder: Path, todo: list[Job], site: Site) -> bool:
    known = read_json(folder / "done.json")
    if known is None:
        return False
    if any(kind(job.spec).prepare(job.spec, job.entries, site) is not None for job in todo):
        return False  # an environment is behind its lock
    now = _state(todo, site)
    return all(known.get(key) == value for key, value in now.items())


def _receipts(folder: Path) -> dict[str, Mapping[str, Any]]:
    from runner.compare.sides import receipts_by_hash

    return dict(receipts_by_hash(folder / "runs"))
