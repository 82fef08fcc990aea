"""What is different from when a run was recorded, found before anything is run, and what each difference means."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from runner import __version__
from runner.compare.isolation import Moves
from runner.compare.sides import changed_output, python_of, versions
from runner.environments import Site, kind
from runner.environments import fingerprint as fingerprint_of
from runner.environments.recorded import beside, python_for
from runner.errors import PipelineError
from runner.frozen import frozen
from runner.ground.plain import read_plain
from runner.ground.words import some
from runner.model import Segment
from runner.pipeline.reader import read_pipeline
from runner.records.kept import NAME, read_kept
from runner.records.layout import Record, run_folders
from runner.reproduce.difference import SHOWN, Difference, Weight, named
from runner.reproduce.read import Inputs, item_differences
from runner.reproduce.recorded import Recorded
from runner.runs.keeping import Scripts, this_machine
from runner.tasks import Task


@frozen
class Differences:
    """All of them, and what changes with each script and input."""

    found: Sequence[Difference] = ()
    state: Mapping[str, str] = field(default_factory=dict)


def differences(run: Recorded, jobs: Mapping[int, Task], site: Site, moves: Moves, *, todays: bool) -> Differences:
    """`jobs`: of the pipeline as it was, with the environments of today."""
    found, scripts = [*_of_pipeline(run), *_of_machine(run, site)], Scripts(site)
    inputs, state = Inputs(run, jobs, site, moves), dict[str, str]()
    for segment in run.pipeline.segments:
        job = jobs[segment.number]
        found += _of_environment(run, job, site, todays=todays)
        found += _of_scripts(run, job, scripts, site)
        found += item_differences(run, job, moves)
        state |= scripts.of(job)
    found += [*inputs.differences(), *_of_results(run)]
    once = list({(one.what, one.text): one for one in reversed(found)}.values())[::-1]
    return Differences(once, {**state, "inputs": inputs.state()})


def _of_pipeline(run: Recorded) -> Iterator[Difference]:
    told = "the text of then is run, from the record"
    try:
        data = read_plain(run.path)
    except OSError:
        yield Difference("pipeline", Weight.NOTE, f"{run.path} is gone; {told}")
    else:
        if hashlib.sha256(data).hexdigest() != run.pipeline.sha256:
            yield Difference("pipeline", Weight.NOTE, f"{run.path.name} was edited since{_edited(run)}; {told}")
    for segment in run.without:
        text = f"{named(segment)} had no result by then, and is left out"
        yield Difference("pipeline", Weight.NOTE, text, segment=segment.number)


def _edited(run: Recorded) -> str:
    try:
        now = {segment.content_hash for segment in read_pipeline(run.path, hashes_only=True).segments}
    except PipelineError:
        return ""
    other = [named(one) for one in run.pipeline.segments if one.content_hash not in now]
    return f" ({some(other, SHOWN)})" if other else ""


def _of_machine(run: Recorded, site: Site) -> Iterator[Difference]:
    then, now = dict(run.kept.machine), this_machine(site)
    then.setdefault("host", str(run.record.data.get("host", "")))
    words = {"host": "computer", "platform": "system", "gpu": "GPU", "driver": "GPU driver"}
    for name, word in words.items():
        one, two = then.get(name, ""), now.get(name, "")
        if one != two and (one or name in run.kept.machine or then.get("platform")):
            yield Difference("machine", Weight.NOTE, f"another {word}: {one or 'none'} then, {two or 'none'} now")
    runner = str(run.record.data.get("runner", ""))
    if runner and runner != __version__:
        yield Difference("runner", Weight.NOTE, f"another run-pipeline: {runner} then, {__version__} now")


def _of_environment(run: Recorded, job: Task, site: Site, *, todays: bool) -> Iterator[Difference]:
    segment, own = job.segment, kind(job.spec)
    kept = run.of(segment)
    files = run.held(kept.environment) if kept else {}
    name = f"{named(segment)}: "
    then = dict(run.found[segment.content_hash].receipt.environment)
    if own.managed and files and not todays:
        for package, place, is_code in beside(files, job.entries, then.get("packages") or (), site):
            if not os.path.lexists(place):
                cure = "Put it back: the lock of then names it."
                yield Difference("environment", Weight.GONE, f"{name}{place} ({package}) is gone", cure, segment.number)
            elif is_code:
                text = f"{name}{package} lies in {place}, and is run as it is there now"
                yield Difference("environment", Weight.NOTE, text, segment=segment.number)
        other = changes(then, _now(job, site))
        if other:
            text = f"{name}its environment holds {some(other, SHOWN)}; the run makes that of then, from its lock"
            yield Difference("environment", Weight.NOTE, text, segment=segment.number)
        if (version := python_of(then)) != (python := python_for(version, site)):
            text = f"{name}Python {version} of then is not on this machine, and downloads are off; {python} is taken"
            cure = f"Install it (uv python install {version}), or run it with --anyway."
            yield Difference("environment", Weight.CHANGES, text, cure, segment.number)
        below = changes(then.get("conda"), _now(job, site).get("conda")) if then.get("conda") else []
        yield from _changed(below, name, segment)
        return
    if own.managed and not todays:
        yield Difference("environment", Weight.NO_LOCK, name + _why_no_lock(run, job), _TODAYS, segment.number)
        return
    wrong = [] if own.managed else own.check(job.spec, job.entries, site)
    for finding in wrong:
        yield Difference("environment", Weight.GONE, name + finding.message, finding.cure, segment.number)
    if wrong:
        return
    other = changes(then, _now(job, site))
    if own.managed and other:  # --todays-lock asks for it
        text = f"{name}the environment of today holds {some(other, SHOWN)}"
        yield Difference("environment", Weight.NOTE, text, segment=segment.number)
    else:
        yield from _changed([*other, *changes(then.get("conda"), _now(job, site).get("conda"))], name, segment)


_TODAYS = "--todays-lock runs it with its environment as it is today."


def _why_no_lock(run: Recorded, job: Task) -> str:
    found, kept = run.found[job.segment.content_hash], run.of(job.segment)
    if read_kept(found.folder) is None:
        if (found.folder / NAME).exists():
            return f"{found.folder / NAME} is damaged, so its lock is not known"
        return "its record holds no lock: it was made by a runner of before"
    if kept is None or kept.environment:
        return f"the lock of then is gone from {run.record.folder.parent / 'locks'}, or was changed there"
    return f"its environment ({job.spec.text}) had no lock of its own when it ran"


def _changed(other: list[str], name: str, segment: Segment) -> Iterator[Difference]:
    if other:
        cure = "Bring those versions back, or run it with --anyway."
        text = f"{name}its environment holds {some(other, SHOWN)}"
        yield Difference("environment", Weight.CHANGES, text, cure, segment.number)


def _now(job: Task, site: Site) -> dict[str, Any]:
    return dict(fingerprint_of(job.spec, job.entries, site))


def changes(then: object, now: object) -> list[str]:
    """Packages, builds, modules and Python that are others: `numpy 2.1 (then 1.26)`."""
    if not isinstance(then, Mapping) or not isinstance(now, Mapping):
        return []
    if not (now.get("packages") or python_of(now)):  # not made yet: nothing is known to differ
        return []
    found = [f"{name} {new or 'no more'} (then {old or 'none'})" for name, old, new in versions(then, now)]
    one, two = then.get("builds"), now.get("builds")
    if not found and isinstance(one, Mapping) and isinstance(two, Mapping):
        found = [f"{n} of build {two[n]} (then {one[n]})" for n in sorted(one.keys() & two.keys()) if one[n] != two[n]]
    modules = [", ".join(side.get("modules") or ["none"]) for side in (now, then)]
    if modules[0] != modules[1]:
        found.append(f"the modules {modules[0]} (then {modules[1]})")
    return found


def _of_scripts(run: Recorded, job: Task, scripts: Scripts, site: Site) -> Iterator[Difference]:
    kept, segment = run.of(job.segment), job.segment
    if kept is None:
        return
    name, now = f"{named(segment)}: ", scripts.of(job)
    for script, digest in kept.scripts.items():
        path = _path(script, job, site)
        if not path.is_file():
            cure = "Take it from the repository's history, and start again."
            yield Difference("script", Weight.GONE, f"{name}the script {path} is gone", cure, segment.number)
        elif now.get(script, digest) != digest:
            text = f"{name}the script {path} was edited since"
            cure = "Take the text of then from the repository's history, or run it with --anyway."
            yield Difference("script", Weight.CHANGES, text, cure, segment.number)


def _path(script: str, job: Task, site: Site) -> Path:
    for token, folder in (("%YAML%", job.folder), ("%REPO%", str(site.repo))):
        if script.startswith(token):
            return Path(folder + script.removeprefix(token))
    for name, value in job.secrets.items():
        script = script.replace(f"%{name}%", value)
    return Path(script)


def _of_results(run: Recorded) -> Iterator[Difference]:
    """What the run is compared with afterwards, where that may be another one's."""
    later: dict[str | int, Path] = {}
    for folder in run_folders(run.record.folder.parent):
        for receipt in Record(folder).receipts():
            if receipt.succeeded:
                later[receipt.name or receipt.segment or 0] = folder
    for segment in run.pipeline.segments:
        found, name = run.found[segment.content_hash], named(segment)
        newest = later.get(segment.name or segment.number, found.folder)
        if newest.name > found.folder.name:
            text = f"{name} was run again since, so its results may be those of {newest.name}"
            yield Difference("result", Weight.NOTE, text, segment=segment.number)
        elif path := changed_output(found):
            text = f"{name}: its result {path} is gone or was written again since"
            yield Difference("result", Weight.NOTE, text, segment=segment.number)
