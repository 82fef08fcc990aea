"""Runs a recorded run again, in environments of then and with outputs of its own, and compares both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from runner.checks import errors, find_problems
from runner.compare.isolation import CannotIsolate, Moves, moves_for
from runner.compare.measuring import Measurer, climb
from runner.compare.pairing import Item
from runner.compare.pairing import kind as kind_of_file
from runner.compare.pipelines import Ran, part_of
from runner.compare.places import Place, items_of, places_of
from runner.compare.results import Comparison
from runner.compare.second_run import OUT, SecondRun, second_run
from runner.compare.sides import python_of
from runner.environments import Site, kind, words
from runner.environments.recorded import as_recorded, python_for
from runner.errors import EnvironmentMissing, ExitCode, PipelineError, RunnerError, UsageError
from runner.executors.carry import carry_out
from runner.frozen import frozen
from runner.ground.words import counted
from runner.records.journal import Journal
from runner.records.layout import FOLDER, hide
from runner.reproduce.difference import Difference, Weight
from runner.reproduce.differences import changes, differences
from runner.reproduce.recorded import Recorded
from runner.state.locks import LockFile
from runner.tasks import Task, Tasks


@frozen
class Asked:
    """What the command line says."""

    anyway: bool = False
    todays: bool = False  # with the environments of today
    fresh: bool = False


@frozen
class Again:
    """A recorded run that is to be run again."""

    run: Recorded
    site: Site
    asked: Asked
    jobs: Tasks  # as they were, in the environments of today
    different: Sequence[Difference] = ()
    state: Mapping[str, str] = field(default_factory=dict)  # of scripts and inputs

    @property
    def folder(self) -> Path:
        """Where its outputs go: beside the records, under a short name (Windows has a limit on paths)."""
        name = hashlib.sha256(str(self.run.path).encode("utf-8", "surrogatepass")).hexdigest()[:8]
        number = self.run.record.folder.name.split("-")[0]
        return self.run.record.folder.parent.parent / "reproduce" / f"{self.run.path.stem[:24]}-{name}" / number


def look(run: Recorded, site: Site, asked: Asked) -> Again:
    """All that is different from then; nothing is written. Raises UsageError where outputs cannot be put elsewhere."""
    again = Again(run, site, asked, Tasks(run.pipeline, site))
    try:
        moves = moves_for(run.pipeline, again.jobs, again.folder / OUT)
    except CannotIsolate as reason:
        raise UsageError(
            f"{run.name} cannot be run again with outputs of its own: {reason}",
            "Nothing was run, and no result was touched.",
        ) from reason
    told = differences(run, again.jobs, site, moves, todays=asked.todays)
    return replace(again, different=told.found, state=told.state)


def refuse(again: Again) -> None:
    """Raises RunnerError with all that stops it; what can be had again, or was agreed to, does not."""
    by_weight = {weight: [one for one in again.different if one.weight is weight] for weight in Weight}
    stops = [*by_weight[Weight.GONE], *by_weight[Weight.NO_LOCK]]
    if not again.asked.anyway:
        stops += by_weight[Weight.CHANGES]
    if not stops:
        return
    cures = dict.fromkeys(one.cure for one in stops if one.cure)
    gone = len(by_weight[Weight.GONE])
    what = f"{counted(gone, 'thing')} of then cannot be had again" if gone else "it would not be the same run"
    error = UsageError(f"{again.run.name}: {what}; nothing was run", "\n".join(cures))
    if all(one.what == "environment" for one in stops):
        error.exit_code = ExitCode.ENVIRONMENT
    raise error


def run_again(again: Again, journal: Journal, measurer: Measurer, say: Callable[[str], None]) -> Comparison:
    """Raises RunnerError: EnvironmentMissing before anything is run, PipelineError, Busy, SecondRunFailed."""
    folder = again.folder
    folder.mkdir(parents=True, exist_ok=True)
    if folder.parents[2].name == FOLDER:
        hide(folder.parents[2])
    with LockFile(folder / "lock", f"run-pipeline reproduce {again.run.name}").acquire(wait=0):
        specs = _environments(again)

        def of_then(job: Task) -> Task:
            return replace(job, spec=specs.get(job.segment.number, job.spec))

        jobs = Tasks(again.run.pipeline, again.site, of_then)
        if problems := errors(find_problems(jobs.values(), again.run.pipeline, again.site)):
            raise PipelineError(f"{counted(len(problems), 'problem')} found; nothing was run", problems)
        _prepare(jobs, again.site, measurer, say)
        if any(kind_of_file(item.name) for job in jobs.values() for place in places_of(job) for item in _items(place)):
            measurer.prepare()
        ran = second_run(
            again.run.pipeline,
            again.site,
            folder,
            journal,
            measurer.stop,
            why=f"running {again.run.name} again",
            anew=again.asked.fresh,
            change=of_then,
            made_of=_made_of(again),
        )
        return _compared(again, jobs, ran, measurer)


def _items(place: Place) -> list[Item]:
    """What there is to be compared with; a folder that cannot be read is told later."""
    try:
        return items_of(place, ())
    except OSError:
        return []


def _environments(again: Again) -> dict[int, Any]:
    """By segment: the environment as it was, where a lock of then makes it."""
    found, run = {}, again.run
    for number, job in again.jobs.items():
        kept = run.of(job.segment)
        files = run.held(kept.environment) if kept and kind(job.spec).managed and not again.asked.todays else {}
        if files:
            then = run.found[job.segment.content_hash].receipt.environment
            python = python_for(python_of(then), again.site) if "uv.lock" in files else ""
            found[number] = as_recorded(job.spec, job.entries, python, files, again.site)
    return found


def _prepare(jobs: Tasks, site: Site, measurer: Measurer, say: Callable[[str], None]) -> None:
    """All environments, before the first segment runs. Raises EnvironmentMissing, with what each of them lacks."""
    failed: list[RunnerError] = []
    for job in {job.environment_key: job for job in jobs.values()}.values():
        preparation = kind(job.spec).prepare(job.spec, job.entries, site)
        if preparation is None:
            continue
        say(f"preparing {preparation.title}")
        try:
            carry_out(
                preparation,
                site.host.environ,
                measurer.stop,
                screen=lambda chunk: None,
                on_wait=lambda reason: say(f"waiting: {reason}"),
            )
        except EnvironmentMissing as error:
            failed.append(error)
    if failed:
        told = "\n".join(dict.fromkeys(error.message for error in failed))
        cures = dict.fromkeys(error.cure for error in failed if error.cure)
        cure = "\n".join([*cures, "With the environments of today: --todays-lock."])
        raise EnvironmentMissing(f"{told}; nothing was run", cure)


def _made_of(again: Again) -> dict[str, Any]:
    """What the outputs stand for beside the segments: scripts with their modules, inputs, what they are given."""
    given = {}
    for number, job in again.jobs.items():
        masked = job.masked([words(job.entries), dict(job.env), job.cwd], again.site)
        # two bytes tell that a value of .env is another one, and nobody what it is
        values = crc32(repr(sorted(job.secrets.items())).encode("utf-8", "surrogatepass")) & 0xFFFF
        given[str(number)] = [hashlib.sha256(repr(masked).encode("utf-8", "surrogatepass")).hexdigest(), values]
    return {"state": dict(again.state), "given": given, "todays": again.asked.todays}


def _compared(again: Again, jobs: Tasks, ran: SecondRun, measurer: Measurer) -> Comparison:
    """A: the run of then, with the results that are there now; B: this one."""
    run = again.run
    found = Comparison(run.name, "the same run, again", [])
    a, b = Ran(run.pipeline, jobs, Moves({}), run.found), Ran(run.pipeline, jobs, ran.moves, ran.receipts)
    sizes: dict[str, int | None] = {}
    for segment in run.pipeline.segments:
        part = part_of((segment, segment), a, b, measurer, sizes, len(found.pairs))
        if part.pairs and not any(items_of(place, measurer.settings.ignore) for place in a.places(segment)):
            part.pairs, part.note = [], "the results of then are gone"
        found.parts.append(part)
        then, now = part.a.fingerprint, part.b.fingerprint
        if other := changes(then, now):
            found.notes.append(f"{part.name}: its environment came out as {', '.join(other[:6])}.")
    found.notes += [f"{one.text}." for one in again.different if one.what == "result"]
    climb(found.pairs, measurer)
    return found
