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
from runner.bundle import pythons as interpreters
from runner.bundle.before import (
    check_manifest,
    check_network,
    check_output,
    check_repository,
    check_scripts,
    check_space,
)
from runner.bundle.build import build, built_words
from runner.bundle.choose import Chosen, Part, Source, Stored, Wheel
from runner.bundle.contents import Contents, gather
from runner.bundle.delta import Base, read_base
from runner.bundle.fetch import fetch
from runner.bundle.form import (
    CONDA,
    ENVIRONMENTS,
    PROGRAM,
    PYTHONS,
    RUNNER,
    START,
    WHEELS,
    Environment,
    Manifest,
    Packed,
    Python,
)
from runner.bundle.licences import files as licence_files
from runner.bundle.licences import of_wheel
from runner.bundle.needs import Needs, as_there, look
from runner.bundle.packing import pack_conda
from runner.bundle.pythons import Interpreter
from runner.bundle.target import Target
from runner.bundle.tools import Tools, at, tools_repository
from runner.bundle.write import Entry, entry_of, write_bundle
from runner.environments import Site
from runner.errors import Interrupted
from runner.ground.disk import on_disk
from runner.ground.files import state_errors
from runner.ground.words import size_text
from runner.model import Pipeline
from runner.process.stop import StopRequest
from runner.tasks import Tasks


@dataclass
class Asked:
    """What the user wants."""

    pipelines: Sequence[tuple[Path, Pipeline]]
    output: Path
    target: Target
    python: str  # 3.11
    own: Path  # the repository that the runner stands in
    update: Path | None = None  # an older bundle: what that has is left out


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
    conda: list[str] = field(default_factory=list)  # environments that were packed
    notes: list[str] = field(default_factory=list)  # what of them is not as its packages brought it


def make(asked: Asked, site: Site, stop: StopRequest, say: Callable[[str], None]) -> Made:
    """Raises RunnerError; then nothing is left."""
    check_output(asked.output)
    base = read_base(asked.update, asked.target) if asked.update else None
    own = at(site, asked.own)
    pipelines = [
        (path, pipeline, list(Tasks(pipeline, site, lambda task: as_there(task, asked.target)).values()))
        for path, pipeline in asked.pipelines
    ]
    check_repository(on_disk(site.repo))
    check_scripts(pipelines, site)
    contents = gather(pipelines, site, asked.own)
    tasks = [(path, jobs) for path, _, jobs in pipelines]
    needs = look(tasks, site, own, asked.target, asked.python, say)
    everything = [needs.runner, *(one.chosen for one in needs.environments)]
    check_network(everything, site)
    check_space(asked.output, everything, list(contents.files.values()))
    with _scratch(asked.output) as folder:
        tools = Tools(at(site, tools_repository(asked.own)), site, stop, say, folder)
        stored, built = _stored(everything, asked.target, tools)
        pythons = _pythons(asked, needs, site, folder, stop, say)
        conda = pack_conda(tasks, contents.pipelines, site, asked.target, folder / "conda", say, lambda: _stopped(stop))
        entries = {name: entry_of(path) for name, path in contents.files.items()}
        entries.update(_locks(needs, contents))
        for one in stored.values():
            entries[one.name] = Entry(one.file, Packed(one.size, one.sha256))
        entries.update(_environments(needs, stored))
        entries.update((f"{PYTHONS}/{one.archive.name}", entry_of(one.archive)) for one in pythons if one.archive)
        entries.update((f"{CONDA}/{name}", entry_of(path)) for name, path in conda.files.items())
        licences = [*(of_wheel(one.file) for one in stored.values()), *conda.licences]
        licences += [one.licence for one in pythons if one.licence]
        entries.update((name, entry_of(text)) for name, text in licence_files(licences))
        entries.update(_program(asked.own))
        manifest = _manifest(
            asked, needs, contents.pipelines, entries, pythons, [*contents.missing, *conda.missing], base
        )
        check_manifest(manifest)
        _stopped(stop)
        say(f"writing {asked.output.name} ({size_text(sum(packed.size for packed in manifest.files.values()))})")
        target = folder / asked.output.name
        write_bundle(target, manifest, {name: entries[name] for name in manifest.files}, lambda size: _stopped(stop))
        with state_errors("write", asked.output):
            os.replace(target, asked.output)  # noqa: PTH105
    uses = [{stored[part, one.python].name for _, part in one.parts} for one in everything]
    names = {one.name for one in stored.values()}
    shared = sum(sum(name in one for one in uses) > 1 for name in names)
    locked = [path.name.removesuffix(".lock") for path in needs.lacking]
    return Made(
        *(asked.output, asked.output.stat().st_size, manifest, len(names), shared, built, locked),
        *(list(contents.left), conda.names, conda.notes),
    )


@contextmanager
def _scratch(output: Path) -> Iterator[Path]:
    """A folder beside the bundle to be, gone afterwards."""
    with state_errors("write", output):
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent)).resolve()
    try:
        with state_errors("write", output):  # what is made on the way lies on the same disk
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stored(
    environments: Sequence[Chosen], target: Target, tools: Tools
) -> tuple[dict[tuple[Part, str], Stored], list[str]]:
    """Each file of the environments, fetched or built; and in words what was built.

    What is built comes first: it may fail, and what is fetched may be large.
    """
    wanted = dict.fromkeys((part, one.python) for one in environments for _, part in one.parts)
    files: dict[tuple[Part, str], Path] = {}
    built = []
    for number, (part, python) in enumerate(wanted):
        if isinstance(part, Source):
            path = files[part, python] = build(part, python, target, tools, tools.folder / f"built-{number}")
            built.append(built_words(part, path.name))
    fetched = fetch(((part, python) for part, python in wanted if isinstance(part, Wheel)), tools)
    for part, python in wanted:
        if isinstance(part, Wheel):
            files[part, python] = fetched[part]
    return _named(files), list(dict.fromkeys(built))


def _named(files: dict[tuple[Part, str], Path]) -> dict[tuple[Part, str], Stored]:
    """Where each lies in the bundle; two of one name and other content, each in a folder of its own."""
    found: dict[tuple[Part, str], Stored] = {}
    packed: dict[Path, Packed] = {}
    sums: dict[str, str] = {}
    for part, path in sorted(files.items(), key=lambda one: (one[1].name, one[0][1], str(one[0][0]))):
        if path not in packed:
            packed[path] = entry_of(path, executable=False).packed
        size, sha256 = packed[path][:2]
        name = f"{WHEELS}/{path.name}"
        if sums.setdefault(name, sha256) != sha256:
            name = f"{WHEELS}/{sha256[:8]}/{path.name}"
            sums[name] = sha256
        found[part] = Stored(name, path, size, sha256)
    return found


def _pythons(
    asked: Asked, needs: Needs, site: Site, folder: Path, stop: StopRequest, say: Callable[[str], None]
) -> list[Interpreter]:
    found = []
    for version in sorted({asked.python, *(one.python for one in needs.environments)}):
        found.append(interpreters.get(version, asked.target, site, folder / f"python-{version}", say))
        _stopped(stop)
    return found


def _locks(needs: Needs, contents: Contents) -> Iterator[tuple[str, Entry]]:
    """Those that scripts had not, beside them."""
    places = {path: name for name, path in contents.files.items()}
    for lock, data in needs.lacking.items():
        if name := places.get(lock.with_suffix("")):
            yield f"{name}.lock", entry_of(data)


def _environments(needs: Needs, stored: dict[tuple[Part, str], Stored]) -> Iterator[tuple[str, Entry]]:
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


def _manifest(
    asked: Asked,
    needs: Needs,
    pipelines: Sequence[str],
    entries: dict[str, Entry],
    interpreters: Sequence[Interpreter],
    not_packed: Sequence[str],
    base: Base | None,
) -> Manifest:
    environments = tuple(
        Environment(one.name, one.task.spec.text, one.python, pipelines[one.pipeline], one.task.segment.number)
        for one in needs.environments
    )
    pythons = tuple(Python(one.version, f"{PYTHONS}/{one.archive.name}" if one.archive else "") for one in interpreters)
    lacking = [
        f"Python {one.version} must be installed there{f': {one.why}' if one.why else ''}"
        for one in interpreters
        if not one.archive
    ]
    files = {name: entry.packed for name, entry in entries.items()}
    kept = {name: packed for name, packed in files.items() if base and base.has(name, packed)}
    return Manifest(
        name=asked.output.name,
        made=_now(),
        runner=__version__,
        platform=asked.target.platform,
        machine=asked.target.machine,
        python=asked.python,
        pipelines=tuple(dict.fromkeys(pipelines)),
        files={name: packed for name, packed in files.items() if name not in kept},
        environments=environments,
        pythons=pythons,
        missing=(*needs.missing, *not_packed, *lacking),
        base=base.name if base else "",
        base_files=kept,
    )


def _now() -> str:
    """SOURCE_DATE_EPOCH counts, so that the same input can give the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(given)) if given.isdigit() else datetime.now()
    return moment.astimezone().isoformat(timespec="seconds")


def _stopped(stop: StopRequest) -> None:
    if stop.requested:
        raise Interrupted("stopped; no bundle was written", "Start it again: what pip fetched is in its cache.")
