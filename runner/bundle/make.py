"""A bundle from beginning to end: look, choose, fetch, write. Nothing is at its place before all of it is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from runner import __version__
from runner.bundle.choose import Chosen, Source, Stored, Wheel
from runner.bundle.contents import gather
from runner.bundle.fetch import fetch
from runner.bundle.form import ENVIRONMENTS, PROGRAM, RUNNER, START, WHEELS, Environment, Manifest, Python
from runner.bundle.needs import Needs, look
from runner.bundle.target import Target
from runner.bundle.tools import Tools, at
from runner.bundle.write import Entry, entry_of, write_bundle
from runner.environments import Site
from runner.errors import Interrupted, StateError, UsageError
from runner.ground.disk import free_space
from runner.ground.files import state_errors
from runner.ground.words import size_text
from runner.model import Pipeline
from runner.process.stop import StopRequest
from runner.tasks import Task, Tasks


@dataclass
class Asked:
    """What the user wants."""

    pipelines: Sequence[tuple[Path, Pipeline]]
    output: Path
    target: Target
    python: str  # 3.11
    own: Path  # the repository that the runner stands in


@dataclass
class Made:
    """What came of it, for the user."""

    path: Path
    size: int
    manifest: Manifest
    wheels: int
    shared: int  # of them in more than one environment
    built: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)  # scripts that had no lock
    left: list[str] = field(default_factory=list)  # what segments read and the bundle has not


def make(asked: Asked, site: Site, stop: StopRequest, say: Callable[[str], None]) -> Made:
    """Raises RunnerError; then nothing is left."""
    _check_output(asked.output)
    own = at(site, asked.own)
    pipelines = [(path, pipeline, list(Tasks(pipeline, site).values())) for path, pipeline in asked.pipelines]
    contents = gather(pipelines, site, asked.own)
    tasks = [(path, jobs) for path, _, jobs in pipelines]
    needs = look(tasks, site, own, asked.target, asked.python, say)
    everything = [needs.runner, *(one.chosen for one in needs.environments)]
    _check_space(asked.output, everything, list(contents.files.values()))
    with _scratch(asked.output) as folder:
        tools = Tools(own, stop, say, folder)
        files = fetch(_wheels(everything), tools)
        stored = _named(files)
        entries = {name: entry_of(path) for name, path in contents.files.items()}
        for one in stored.values():
            entries[one.name] = entry_of(one.file, executable=False)
        entries.update(_environments(needs, stored))
        entries.update(_program(asked.own))
        manifest = _manifest(asked, needs, contents.pipelines, entries)
        _stopped(stop)
        say(f"writing {asked.output.name}")
        target = folder / asked.output.name
        write_bundle(target, manifest, entries, lambda size: _stopped(stop))
        with state_errors("write", asked.output):
            os.replace(target, asked.output)  # noqa: PTH105
    uses = [{part for _, part in one.parts} for one in everything]
    shared = sum(sum(part in one for one in uses) > 1 for part in stored)
    return Made(asked.output, asked.output.stat().st_size, manifest, len(stored), shared, left=list(contents.left))


def _check_output(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", "Give -o the name of a file, such as lab.bundle.")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", "Make it, or name another one.")


def _check_space(output: Path, environments: Sequence[Chosen], files: Sequence[Path]) -> None:
    """Each wheel is there twice for a moment: as it was fetched, and in the bundle."""
    wheels = {part: part.size for one in environments for _, part in one.parts if isinstance(part, Wheel)}
    needed = 2 * sum(wheels.values()) + sum(path.stat().st_size for path in files)
    free = free_space(output.parent)
    if free is not None and free < needed:
        raise StateError(
            f"{output.parent} has {size_text(free)} free, and a bundle of this needs about {size_text(needed)}",
            "Free some space there, or name a place on another disk (-o).",
        )


@contextmanager
def _scratch(output: Path) -> Iterator[Path]:
    """A folder beside the bundle to be, gone afterwards."""
    with state_errors("write", output):
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent)).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wheels(environments: Sequence[Chosen]) -> Iterator[tuple[Wheel, str]]:
    for one in environments:
        for _, part in one.parts:
            if isinstance(part, Wheel):
                yield part, one.python


def _named(files: dict[Wheel, Path]) -> dict[Wheel | Source, Stored]:
    """Where each lies in the bundle; two of one name and other content, each in a folder of its own."""
    found: dict[Wheel | Source, Stored] = {}
    sums: dict[str, str] = {}
    for wheel, path in sorted(files.items(), key=lambda one: (one[0].file, one[0].hashes)):
        packed = entry_of(path).packed
        name = f"{WHEELS}/{path.name}"
        if sums.setdefault(name, packed.sha256) != packed.sha256:
            name = f"{WHEELS}/{packed.sha256[:8]}/{path.name}"
            sums[name] = packed.sha256
        found[wheel] = Stored(name, path, packed.size, packed.sha256)
    return found


def _environments(needs: Needs, stored: dict[Wheel | Source, Stored]) -> Iterator[tuple[str, Entry]]:
    yield RUNNER, entry_of(needs.runner.text(stored, RUNNER.count("/")).encode())
    for one in needs.environments:
        name = f"{ENVIRONMENTS}/{one.name}/pylock.toml"
        yield name, entry_of(one.chosen.text(stored, name.count("/")).encode())


def _program(own: Path) -> Iterator[tuple[str, Entry]]:
    yield "__main__.py", entry_of(START.encode())
    yield "runner/__init__.py", entry_of(b"")
    for name in PROGRAM:
        if (own / name).is_file():
            yield name, entry_of(own / name, executable=False)


def _manifest(asked: Asked, needs: Needs, pipelines: Sequence[str], entries: dict[str, Entry]) -> Manifest:
    environments = tuple(
        Environment(one.name, one.task.spec.text, one.python, pipelines[one.pipeline], one.task.segment.number)
        for one in needs.environments
    )
    versions = sorted({asked.python, *(one.python for one in needs.environments)})
    pythons = tuple(Python(version, "") for version in versions)
    missing = [*needs.missing, *(f"Python {one.version} must be installed there" for one in pythons if not one.file)]
    return Manifest(
        name=asked.output.name,
        made=_now(),
        runner=__version__,
        platform=asked.target.platform,
        machine=asked.target.machine,
        python=asked.python,
        pipelines=tuple(dict.fromkeys(pipelines)),
        files={name: entry.packed for name, entry in entries.items()},
        environments=environments,
        pythons=pythons,
        missing=tuple(missing),
    )


def _now() -> str:
    """SOURCE_DATE_EPOCH counts, so that the same input can give the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(given)) if given.isdigit() else datetime.now()
    return moment.astimezone().isoformat(timespec="seconds")


def _stopped(stop: StopRequest) -> None:
    if stop.requested:
        raise Interrupted("stopped; no bundle was written", "Start it again: what pip fetched is in its cache.")


__all__ = ["Asked", "Made", "Task", "make"]
