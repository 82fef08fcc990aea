"""What a pipeline needs on the cluster, and what of it comes back: by what its segments say of themselves."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.environments import Site
from runner.errors import UsageError
from runner.inputs.looking import is_litter
from runner.inputs.see import Use, sources_of
from runner.inputs.told import Told, of_pattern, told_by
from runner.items.globs import output_globs
from runner.login.places import Places
from runner.model import Pipeline
from runner.tasks import Task, Tasks

# of the repository: what environments are made of, and programs
OF_REPOSITORY = (
    *("pyproject.toml", "uv.lock", "uv.toml", ".python-version", "run-pipeline.toml"),
    *("conda_envs", "standard_code", "scripts"),
)


@dataclass(frozen=True)
class Local:
    """A file that goes up."""

    path: str
    there: str  # below the lab's folder, with slashes
    size: int
    changed: int  # ns
    mode: int | None  # None: this system has no such thing


def going_up(pipeline: Pipeline, site: Site, places: Places) -> tuple[list[Local], list[str]]:
    """Files, and remarks about what stays here.

    Raises UsageError for a declared input that lies neither in the repository nor beside the pipeline file.
    """
    tasks = list(Tasks(pipeline, site).values())
    writes = [one for task in tasks for one in writes_of(task)]
    sources, remarks = _sources(tasks, places)
    _refuse_all_of_a_home(Path(pipeline.folder), Path(site.host.home))
    roots = [Told(str(Path(site.repo) / name)) for name in OF_REPOSITORY]
    roots += [Told(str(pipeline.folder)), *sources]
    files = {path: info for root in roots for path, info in files_of(root) if not any(w.covers(path) for w in writes)}
    up = [_local(path, info, places, site) for path, info in sorted(files.items())]
    return [one for one in up if one], remarks


def _refuse_all_of_a_home(folder: Path, home: Path) -> None:
    if folder == home or folder in home.parents or folder.parent == folder:
        raise UsageError(
            f"the pipeline file lies in {folder}, all of which would go to the cluster",
            "Give it a folder of its own, with its data.",
        )


def _local(path: str, info: os.stat_result, places: Places, site: Site) -> Local | None:
    there = places.there(site.host.path(path))
    mode = None if site.host.windows else stat.S_IMODE(info.st_mode) & 0o777
    return (there and Local(path, there, info.st_size, info.st_mtime_ns, mode)) or None


def _sources(tasks: Sequence[Task], places: Places) -> tuple[list[Told], list[str]]:
    """What segments read, and remarks about arguments that stay behind."""
    found: list[Told] = []
    remarks: dict[str, None] = {}
    for task in tasks:
        declared = [of_pattern(pattern, task.cwd) for pattern in task.inputs]
        if task.many and task.many.foreach:
            foreach = task.many.foreach
            told = foreach.pattern or glob.escape(foreach.csv)
            declared += [of_pattern(told, task.folder)] if told else []
        for one in declared:
            if places.there(Path(one.root)) is None:
                raise UsageError(
                    f"segment {task.segment.number} reads {one.root}, which does not go to the cluster:"
                    " it lies neither in the repository nor beside the pipeline file",
                    "Put the pipeline file into the folder of the data, and name data from there (%YAML%).",
                )
        found += declared
        use = Use("", task.entries, task.cwd, task.env, outputs=task.outputs)
        for source in sources_of(use, told_by(task.entries, task.outputs, task.cwd)):
            if source.how != "argument":
                continue
            if places.there(Path(source.root)) is not None:
                found.append(Told(source.root, source.rest))
            elif not source.root.startswith(("/usr/", "/bin/", "/dev/")):
                remarks[f"segment {task.segment.number} names {source.root}, which stays on this computer"] = None
    return found, list(remarks)


def writes_of(task: Task) -> list[Told]:
    globs = output_globs(task.outputs, task.many, task.cwd, task.base, task.folder)
    return [of_pattern(pattern, task.cwd) for pattern in globs]


def coming_back(pipeline: Pipeline, site: Site, places: Places) -> tuple[dict[int, list[str]], list[str]]:
    """By segment globs of the declared outputs, below the lab's folder; and remarks about those that stay there."""
    found: dict[int, list[str]] = {}
    remarks = []
    for number, task in Tasks(pipeline, site).items():
        for told in writes_of(task):
            there = places.there(Path(told.root))
            if there is None:
                remarks.append(f"segment {task.segment.number} writes to {told.root}, which does not come back")
                continue
            rest = site.host.path(told.rest).as_posix() if told.rest else ""
            pattern = "/".join(part for part in (glob.escape(there), rest) if part not in ("", "."))
            found.setdefault(number, []).append(pattern)
    return found, remarks


def files_of(told: Told) -> Iterator[tuple[str, os.stat_result]]:
    """Regular files of a place, by their paths; what is nobody's input (`.git`, `.venvs`, records) is left out."""
    try:
        info = os.stat(told.root)  # noqa: PTH116
    except OSError:
        return
    if stat.S_ISREG(info.st_mode):
        yield told.root, info
        return
    seen: set[str] = set()
    todo = [told.root]
    while todo:
        folder = todo.pop()
        real = os.path.realpath(folder)
        if real in seen:  # links may lead in a ring
            continue
        seen.add(real)
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise UsageError(f"{folder} cannot be read: {error.strerror}", "Check that you may read it.") from error
        for entry in entries:
            # hidden: settings and secrets (.env, .ssh); the metadata of an OME-Zarr are no such thing
            if is_litter(entry.name) or (entry.name.startswith(".") and not entry.name.startswith(".z")):
                continue
            if entry.is_dir():
                todo.append(entry.path)
            elif entry.is_file() and (not told.rest or told.covers(entry.path)):
                # Windows' listing may tell an old size and time
                yield entry.path, entry.stat() if sys.platform != "win32" else os.stat(entry.path)  # noqa: PTH116
