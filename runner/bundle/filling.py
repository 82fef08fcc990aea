"""The entries of a bundle, and its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from runner import __version__
from runner.bundle.asked import Asked
from runner.bundle.bring import Brought
from runner.bundle.choose import Part, Stored
from runner.bundle.contents import Contents
from runner.bundle.delta import Base
from runner.bundle.form import (
    CONDA,
    ENVIRONMENTS,
    PROGRAM,
    PYTHONS,
    RUNNER,
    START,
    Environment,
    Manifest,
    Packed,
    Python,
)
from runner.bundle.licences import files as licence_files
from runner.bundle.needs import Needs
from runner.bundle.write import Entry, entry_of


def entries_of(needs: Needs, contents: Contents, brought: Brought, own: Path) -> dict[str, Entry]:
    """By their names; `own`: the repository of the runner."""
    entries = {name: entry_of(path) for name, path in contents.files.items()}
    entries.update(_locks(needs, contents))
    entries.update((one.name, Entry(one.file, Packed(one.size, one.sha256))) for one in brought.stored.values())
    entries.update(_environments(needs, brought.stored))
    entries.update((f"{PYTHONS}/{one.archive.name}", entry_of(one.archive)) for one in brought.pythons if one.archive)
    entries.update((f"{CONDA}/{name}", entry_of(path)) for name, path in brought.conda.files.items())
    entries.update((name, entry_of(text)) for name, text in licence_files(brought.licences()))
    entries.update(_program(own))
    return entries


def manifest_of(
    asked: Asked,
    needs: Needs,
    contents: Contents,
    brought: Brought,
    entries: Mapping[str, Entry],
    base: Base | None,
) -> Manifest:
    environments = tuple(
        Environment(one.name, one.task.spec.text, one.python, contents.pipelines[one.pipeline], one.task.segment.number)
        for one in needs.environments
    )
    pythons = tuple(
        Python(one.version, f"{PYTHONS}/{one.archive.name}" if one.archive else "") for one in brought.pythons
    )
    lacking = [
        f"Python {one.version} must be installed there{f': {one.why}' if one.why else ''}"
        for one in brought.pythons
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
        pipelines=tuple(dict.fromkeys(contents.pipelines)),
        files={name: packed for name, packed in files.items() if name not in kept},
        environments=environments,
        pythons=pythons,
        missing=(*needs.missing, *contents.missing, *brought.conda.missing, *lacking),
        base=base.name if base else "",
        base_files=kept,
    )


def _locks(needs: Needs, contents: Contents) -> Iterator[tuple[str, Entry]]:
    """Those that scripts had not, beside them."""
    places = {path.resolve(): name for name, path in contents.files.items()}
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


def _now() -> str:
    """SOURCE_DATE_EPOCH counts, so that the same input can give the same bytes."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(given)) if given.isdigit() else datetime.now()
    return moment.astimezone().isoformat(timespec="seconds")
