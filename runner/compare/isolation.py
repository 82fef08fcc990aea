"""A pipeline run a second time with its output folders elsewhere, so that no result is overwritten.

Every output folder is replaced by one of our own wherever it is written in a command. Where that is not safe, it is
said why, and nothing is run: a segment that tells no output folder, that reads from an output folder which no earlier
segment fills, or that is given a folder in which an output folder lies.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from runner.compare.places import Place, places_of
from runner.ground.patterns import fixed_part, full_pattern
from runner.inputs.flags import output_values
from runner.items.globs import before_item
from runner.items.table import absolute, read_table
from runner.model import Many, Pipeline, ResolvedEntry, ResolvedFlags, Segment, SegmentType
from runner.pipeline.tokens import resolve_foreach
from runner.tasks import Task, Tasks


class CannotIsolate(Exception):
    """Why the outputs cannot be moved elsewhere, as a sentence."""


@dataclass(frozen=True)
class Moves:
    """Output folder -> the folder that takes its place."""

    folders: Mapping[Path, Path]

    def text(self, text: str, *, pattern: bool = False) -> str:
        """`text` with each output folder in it replaced; `pattern`: a glob, in which the folders are quoted."""
        for old, new in self.folders.items():
            for spelled in {str(old), glob.escape(str(old))} if pattern else {str(old)}:
                put = glob.escape(str(new)) if pattern else str(new)
                text = _spelling(spelled).sub(lambda _, put=put: put, text)  # type: ignore[misc]
        return text

    def place(self, place: Place) -> Place:
        return replace(
            place,
            root=Path(self.text(str(place.root))),
            patterns=tuple(self.text(p, pattern=True) for p in place.patterns),
        )

    def job(self, job: Task) -> Task:
        return replace(
            job,
            entries=tuple(self._entry(entry) for entry in job.entries),
            env={name: self.text(value) for name, value in job.env.items()},
            outputs=tuple(self.text(pattern, pattern=True) for pattern in job.outputs),
            inputs=tuple(self.text(pattern, pattern=True) for pattern in job.inputs),
            many=self._many(job.many),
        )

    def _many(self, many: Many | None) -> Many | None:
        if many is None or many.foreach is None:
            return many
        return replace(
            many, foreach=resolve_foreach(many.foreach, self.text, lambda text: self.text(text, pattern=True))
        )

    def _entry(self, entry: ResolvedEntry) -> ResolvedEntry:
        if isinstance(entry, str):
            return self.text(entry)
        return ResolvedFlags(tuple((flag, None if value is None else self.text(value)) for flag, value in entry.items))


def _spelling(folder: str) -> re.Pattern[str]:
    """`folder` as a whole path or the beginning of one, with either separator."""
    parts = [re.escape(part) for part in re.split(r"[\\/]", folder)]
    flags = re.IGNORECASE if os.name == "nt" else 0
    return re.compile(r"(?<![\w.\\/-])" + r"[\\/]".join(parts) + r"(?=$|[\\/;,:\"' ])", flags)


def reached(pipeline: Pipeline) -> list[Segment]:
    """The segments that a run comes to: up to a `stop`, without control segments."""
    out = []
    for segment in pipeline.segments:
        if segment.type is SegmentType.STOP:
            break
        if not segment.is_control:
            out.append(segment)
    return out


def moves_for(pipeline: Pipeline, jobs: Tasks, target: Path) -> Moves:
    """Where each output folder goes below `target`. Raises CannotIsolate."""
    order = [jobs[segment.number] for segment in reached(pipeline)]
    roots: list[Path] = []
    for job in order:
        places = places_of(job)
        if not places:
            raise CannotIsolate(f"{_named(job)} tells no output folder; declare its `outputs:`")
        roots += [_absolute(place.root, job) for place in places]
        named = [before_item(value) for value in output_values(job.entries) if not Path(value).suffix]
        roots += [_absolute(Path(value), job) for value in named if value]
    roots = [r for r in dict.fromkeys(roots) if not any(r != other and r.is_relative_to(other) for other in roots)]
    for root in roots:
        if root == Path(pipeline.folder) or len(root.parts) < 3:
            raise CannotIsolate(f"results go into {root} itself, beside other files; give them a folder of their own")
    _refuse_unsafe(order, roots)
    names: dict[str, Path] = {}
    moves = {}
    for root in roots:
        name = root.name
        while name in names:
            name += "_"
        names[name] = root
        moves[root] = target / name
    return Moves(moves)


def _named(job: Task) -> str:
    return f"segment {job.segment.number} ({job.segment.name})"


def _absolute(path: Path, job: Task) -> Path:
    return Path(os.path.abspath(Path(job.base, job.cwd) / path.expanduser()))  # noqa: PTH100  (no links resolved)


def _refuse_unsafe(order: list[Task], roots: list[Path]) -> None:
    filled: set[Path] = set()
    for job in order:
        own = {root for place in places_of(job) for root in roots if _absolute(place.root, job).is_relative_to(root)}
        outputs = set(output_values(job.entries))
        if root := _root_of(Path(job.base, before_item(job.cwd)), roots):
            raise CannotIsolate(f"{_named(job)} works in {job.cwd}, in the output folder {root}")
        for text in [*_texts(job), *(items := _items_of(job))]:
            if root := _misspelled(text, job, roots):
                raise CannotIsolate(f"{_named(job)} names the output folder {root} in another spelling: {text}")
            path = _absolute(Path(_before_glob(text)), job)
            if not Path(text).is_absolute() and any(path == r or path.is_relative_to(r) for r in roots):
                raise CannotIsolate(f"{_named(job)} names {text} as a relative path; begin it with %YAML% or %REPO%")
            for root in roots:
                if root != path and root.is_relative_to(path) and Path(text).is_absolute():
                    raise CannotIsolate(f"{_named(job)} is given {text}, in which the output folder {root} lies")
                inside = path.is_relative_to(root)
                written = text not in items and (text in outputs or (root in own and not outputs))
                if inside and root not in filled and not written:
                    raise CannotIsolate(f"{_named(job)} reads {text}, which no earlier segment has written")
        _refuse_cells(job, roots)
        for root in own:
            if not any(_spelling(str(root)).search(text) for text in _texts(job)):
                raise CannotIsolate(f"{_named(job)} has outputs in {root}, which its command does not name")
        filled |= own


def _root_of(path: Path, roots: list[Path]) -> Path | None:
    """The output folder in which `path` lies, by its name or behind links."""
    real = os.path.realpath(path)
    return next((r for r in roots if path.is_relative_to(r) or Path(real).is_relative_to(os.path.realpath(r))), None)


def _misspelled(text: str, job: Task, roots: list[Path]) -> Path | None:
    """An output folder to which `text` leads although it is not written there: it would not be replaced."""
    for value in (text, text.partition("=")[2]):
        if Path(value).is_absolute() and (root := _root_of(_absolute(Path(_before_glob(value)), job), roots)):
            return None if _spelling(str(root)).search(value) else root
    return None


def _texts(job: Task) -> list[str]:
    """What is given to the program, flags' names left out; variables too."""
    out: list[str] = []
    for entry in job.entries:
        out += [entry] if isinstance(entry, str) else [value for _, value in entry.items if value]
    return [*out, *job.env.values()]


def _items_of(job: Task) -> list[str]:
    """Where the items of the segment are."""
    foreach = job.many.foreach if job.many else None
    if foreach is None:
        return []
    if foreach.pattern:
        return [str(fixed_part(full_pattern(foreach.pattern, job.folder))[0])]
    return [*foreach.values, os.path.join(job.folder, foreach.csv)] if foreach.csv else [*foreach.values]  # noqa: PTH118


def _refuse_cells(job: Task, roots: list[Path]) -> None:
    """A table is read as it is: no folder in it is replaced."""
    foreach = job.many.foreach if job.many else None
    if foreach is None or not foreach.csv:
        return
    for line, cells in read_table(absolute(foreach.csv, job.folder))[1]:
        for cell in cells:
            if Path(cell).is_absolute() and (root := _root_of(_absolute(Path(cell), job), roots)):
                raise CannotIsolate(f"{_named(job)}: line {line} of {foreach.csv} names the output folder {root}")


def _before_glob(text: str) -> str:
    """The part of a search pattern before its first wildcard; a folder that is there is taken as it is written."""
    if not glob.has_magic(text):
        return text
    found = Path()
    for part in Path(text).parts:
        if glob.has_magic(part) and not (found / part).is_dir():
            return str(found)
        found /= part
    return str(found)
