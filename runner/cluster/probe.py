"""Whether a compute node sees all that the jobs need: one job looks, before the others start.

What a segment reads is noted where it is submitted, and only what was there counts: what an earlier segment makes is
not missed.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runner.cluster.element import absent, frozen_pipeline, patient
from runner.cluster.freeze import SegmentJob, read_items, read_segment, task_digest
from runner.cluster.jobs import JobLook
from runner.cluster.worker import ready
from runner.environments import Request, Site, kind
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.codes import spell_code
from runner.ground.disk import is_file
from runner.ground.files import state_error
from runner.ground.patterns import fixed_part, full_pattern
from runner.ground.told import is_texts, read_json, text, write_json
from runner.ground.words import counted, time_text
from runner.inputs.flags import output_values, pieces, values_read
from runner.items.item import Item
from runner.model import Command, Segment
from runner.pipeline.tokens import ITEM_TOKEN
from runner.process.stop import StopRequest
from runner.process.supervise import run
from runner.records.journal import Journal
from runner.records.layout import JOB, PROBE, Record
from runner.records.receipt import SCHEMA, machine
from runner.state.outputs import matches
from runner.tasks import Task, make_task

NAME = "probe.json"
LOG = "probe.txt"
_MOST = 100  # paths of one segment
_START = 300.0  # for a Python that comes from a disk which hundreds of jobs read
_CLOCKS = 60.0  # seconds by which a node's clock may differ from the file server's without a word
_PYTHON = re.compile(r"pythonw?[\d.]*(\.exe)?", re.IGNORECASE)
_SHARED = "Put it on a disk that all nodes see, under the same name."


@dataclass(frozen=True)
class Missing:
    """One thing that a node lacks."""

    segment: int  # 0: of none
    says: str
    cure: str


def reads(task: Task, items: Sequence[Item]) -> tuple[str, ...]:
    """The paths that a segment needs and that are there now: working folder, script, model weights, data, items."""
    found: dict[str, None] = {}
    cwd = "" if task.many and ITEM_TOKEN.search(task.cwd) else task.cwd
    for value in _named(task, items):
        path = os.path.join(cwd, os.path.expanduser(value)) if cwd else value  # noqa: PTH111, PTH118
        if os.path.isabs(path) and os.path.exists(path):  # noqa: PTH110, PTH117
            found[os.path.normpath(path)] = None
            if len(found) >= _MOST:
                break
    return tuple(found)


def _named(task: Task, items: Sequence[Item]) -> Iterator[str]:
    yield task.cwd
    yield from (item.text for item in [*items[:1], *items[1:][-1:]] if item.is_file)
    for pattern in task.inputs:
        if not ITEM_TOKEN.search(pattern):
            yield from (str(path) for path in matches(pattern, task.cwd))
    for value in values_read(task.entries, task.env):
        if not ITEM_TOKEN.search(value):
            yield value
            yield from (piece for piece in pieces(value, windows=sys.platform == "win32") if os.path.isabs(piece))  # noqa: PTH117


def probe(record: Path, site: Site, journal: Journal, stop: StopRequest) -> int:
    """Looks, and writes down what is missing: 0 where nothing is. Raises StateError."""
    pipeline = frozen_pipeline(record)
    started: dict[str, str] = {}
    try:
        (record / PROBE).mkdir(exist_ok=True)
    except OSError as error:
        raise state_error("write", record / PROBE, error) from error
    missing, warnings = list[Missing](), list[str]()
    for segment in pipeline.segments:
        folder = Record(record).segment_folder(segment.number, segment.name)
        if (folder / JOB).exists():
            journal.note(f"segment {segment.number}. {segment.name}")
            task = make_task(segment, pipeline, site)
            missing += _of_segment(segment, task, folder, site, record / PROBE / LOG, stop, started)
    missing += _temporary()
    warnings += _clock(record / PROBE)
    missing = list(dict.fromkeys(missing))
    told = [{"segment": one.segment, "says": one.says, "cure": one.cure} for one in missing]
    node = machine()["host"]
    write_json(record / PROBE / NAME, {"schema": SCHEMA, "node": node, "missing": told, "warnings": warnings})
    for text_ in warnings:
        journal.warn(text_)
    for one in missing:
        journal.warn(f"segment {one.segment}: {one.says}" if one.segment else one.says)
    return int(EnvironmentMissing.exit_code) if missing else 0


def _of_segment(
    segment: Segment, task: Task, folder: Path, site: Site, log: Path, stop: StopRequest, started: dict[str, str]
) -> Iterator[Missing]:
    number = segment.number
    job = patient(lambda: read_segment(folder), folder, stop)
    if task_digest(task) != job.task:
        yield Missing(
            number,
            f".env was changed since it was submitted, or the repository's folder is another one here: {site.repo}",
            "Put .env back or start the pipeline again; both are to lie on the shared disk.",
        )
    for path in absent(job.reads, _may_read, stop):
        if _was_removed(path, folder, job):
            continue
        yield Missing(number, f"{path} is not there, or may not be read", _SHARED)
    for place in _places(task):
        if why := _unwritable(place):
            yield Missing(number, f"outputs go to {place}, where nothing can be written: {why}", _SHARED)
    try:
        ready(task, site)
        command = kind(task.spec).wrap(Request(task.spec, task.entries, task.env, task.cwd, many=True), site)
    except RunnerError as error:
        yield Missing(number, error.message, error.cure)
        return
    program = command.argv[0]
    if program not in started:
        started[program] = _starts(command, site, log, stop)
    if why := started[program]:
        yield Missing(number, f"{program} does not start: {why}", _SHARED)


def _was_removed(path: str, folder: Path, job: SegmentJob) -> bool:
    """Whether it is an item that is gone since, from a folder that is seen here: no other fails for that."""
    if os.path.lexists(path) or not job.many:
        return False
    if path not in {os.path.normpath(item.text) for item in read_items(folder, job) if item.is_file}:
        return False
    with suppress(OSError), os.scandir(os.path.dirname(path)) as entries:  # noqa: PTH120
        return next(entries, None) is not None
    return False


def _may_read(path: str) -> bool:
    return os.access(path, os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK)  # noqa: PTH112


def _places(task: Task) -> list[Path]:
    """The folders that outputs go to, as far as they are there by now."""
    patterns = [pattern for pattern in task.outputs if not ITEM_TOKEN.match(pattern)]
    named = [value for value in output_values(task.entries) if not ITEM_TOKEN.match(value)]
    if ITEM_TOKEN.search(task.cwd):
        patterns, named = ([one for one in some if os.path.isabs(one)] for some in (patterns, named))  # noqa: PTH117
    found = [fixed_part(ITEM_TOKEN.sub("*", full_pattern(pattern, task.cwd)))[0] for pattern in patterns]
    found += [fixed_part(ITEM_TOKEN.sub("*", os.path.join(task.cwd, one)))[0] for one in named]  # noqa: PTH118
    return list(dict.fromkeys(next(one for one in (place, *place.parents) if one.is_dir()) for place in found))


def _unwritable(folder: Path) -> str:
    """Why nothing can be written there, "" where it can. Rights alone do not tell: quotas, root on NFS."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".run-pipeline-probe-", dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _starts(command: Command, site: Site, log: Path, stop: StopRequest) -> str:
    """Why the program does not start here, "" where it does. One that is no Python is only looked for."""
    program = command.argv[0]
    if not _PYTHON.fullmatch(Path(program).name):
        there = is_file(Path(program)) if os.path.isabs(program) else site.host.which(program)  # noqa: PTH117
        return "" if there else "it is not there"
    asked = replace(command, argv=(program, "-c", "pass"), raw_command_line=None)
    outcome = run(asked, environ=site.host.environ, screen=None, log=log, timeout=_START, stop=stop, terminal=False)
    if outcome.timed_out:
        return f"nothing came of it within {time_text(_START)}"
    return "" if outcome.succeeded else outcome.error or outcome.explanation or spell_code(outcome.exit_code)


def _temporary() -> Iterator[Missing]:
    try:
        tempfile.gettempdir()
    except OSError:
        place = os.environ.get("TMPDIR", "/tmp")
        yield Missing(
            0,
            f"there is no folder for temporary files: {place}",
            'Name one: environ = {TMPDIR = "..."} of the executor.',
        )


def _clock(folder: Path) -> Iterator[str]:
    """A node with a wrong clock spoils nothing of ours; programs that compare times may be led astray."""
    with suppress(OSError), tempfile.NamedTemporaryFile(prefix="0.", suffix=".0.tmp", dir=folder) as file:
        differs = os.fstat(file.fileno()).st_mtime - time.time()
        if abs(differs) > _CLOCKS:
            yield f"the clock of {machine()['host']} is {time_text(abs(differs))} away from that of the disk's server"


def why_not(record: Path, look: JobLook) -> RunnerError:
    """What the probe found, for people; where it could not even look, what its job left."""
    data = read_json(record / PROBE / NAME)
    found = list(_told(data.get("missing"))) if data else []
    if found and data:
        count = counted(len(found), "thing")
        lines = [f"  segment {one.segment}: {one.says}" if one.segment else f"  {one.says}" for one in found]
        message = f"{text(data.get('node')) or 'a node'} lacks {count} that the jobs need; nothing was run\n"
        return EnvironmentMissing(message + "\n".join(lines), "\n".join(dict.fromkeys(one.cure for one in found)))
    where = f" on {look.node}" if look.node else ""
    said = _last_words(record / PROBE)
    return EnvironmentMissing(
        f"the job that looks whether a node sees all that is needed failed{where} ({look.state.value}); nothing was run"
        + (f"\n{said}" if said else ""),
        f"What it left lies in {record / PROBE}.",
    )


def _told(value: object) -> Iterator[Missing]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and is_texts({key: one.get(key) for key in ("says", "cure")}):
            number = one.get("segment")
            yield Missing(number if type(number) is int else 0, one["says"], one["cure"])


def _last_words(folder: Path) -> str:
    """Of what the scheduler kept of the job's output."""
    with suppress(OSError):
        files = [
            path for path in folder.iterdir() if path.name not in (NAME, LOG) and path.suffix not in (".sh", ".tmp")
        ]
        if files:
            newest = max(files, key=lambda path: path.stat().st_mtime)
            return "\n".join(f"  {line}" for line in newest.read_text("utf-8", "replace").splitlines()[-5:])
    return ""
