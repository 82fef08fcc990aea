"""Which files of the repository and of the pipelines go along, and where they lie in the bundle."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.bundle.form import REPO
from runner.environments import Site
from runner.errors import UsageError
from runner.ground.disk import on_disk
from runner.inputs.flags import flags_and_values, is_script
from runner.inputs.see import Use, sources_of
from runner.inputs.told import Told, absolute, of_pattern, told_by
from runner.login.names import below, problem
from runner.login.wanted import OF_REPOSITORY, files_of, writes_of
from runner.model import Pipeline, ResolvedEntry
from runner.tasks import Task

OUTSIDE = "pipelines"  # in the repository there: pipelines that lie outside it here, a folder each
# what says how this computer and its clusters are, and holds its passwords
_STAYS = ("run-pipeline.toml", ".env")
_KEPT = tuple(name for name in OF_REPOSITORY if name not in _STAYS)
# of the runner's own repository
_OF_RUNNER = ("runner", "LICENSE", "README.md")
# flags whose value is what a run is about: images, not a model or settings
_DATA = re.compile(r"--?(i|in|inputs?|images?|raw|data|masks?|labels?|truth|prediction|table)([-_].*)?", re.IGNORECASE)


@dataclass
class Contents:
    files: dict[str, Path] = field(default_factory=dict)  # name in the bundle -> file here
    pipelines: list[str] = field(default_factory=list)  # below the folder that is unbundled to, as they were given
    left: dict[str, None] = field(default_factory=dict)  # in words: what stays here
    missing: dict[str, None] = field(default_factory=dict)  # in words: what segments need, and cannot be taken along


def gather(pipelines: Sequence[tuple[Path, Pipeline, Sequence[Task]]], site: Site, own: Path) -> Contents:
    """`own`: the repository of the runner. Raises UsageError for a name that Windows cannot have."""
    found = Contents()
    repo = on_disk(site.repo)
    folders = _folders([path for path, _, _ in pipelines], repo)
    written = [told for _, _, tasks in pipelines for task in tasks for told in writes_of(task)]

    def add(path: Path, root: Path, below: str = "") -> None:
        name = "/".join(part for part in (REPO, below, path.relative_to(root).as_posix()) if part)
        found.files[name] = path

    for root, names in ((repo, _KEPT), (own, _OF_RUNNER)):
        for name in names:
            for text, _ in files_of(Told(str(root / name))):
                if not any(told.covers(text) for told in written):
                    add(Path(text), root)
    for path, _, tasks in pipelines:
        place = folders[path.parent]
        found.pipelines.append("/".join(part for part in (place, path.name) if part))
        add(path, path.parent, place)
        named = dict.fromkeys(_named(tasks, [repo, path.parent], site, found))
        for file in dict.fromkeys(near for one in named for near in _with_neighbours(one)):
            inside = below(file, repo)
            if inside is not None:
                add(file, repo)
            else:
                add(file, path.parent, place)
    for name in _STAYS:
        if (repo / name).is_file():
            found.left[f"{repo / name}: write one there, where it is needed"] = None
    for name, path in found.files.items():
        if why := problem(name, "win32"):
            raise UsageError(f"{path} cannot go into a bundle: {why}", "Give it another name.")
    return found


def _folders(paths: Sequence[Path], repo: Path) -> dict[Path, str]:
    """Where the folder of each pipeline lies there."""
    found: dict[Path, str] = {}
    for path in paths:
        if path.parent in found:
            continue
        inside = below(path.parent, repo)
        if inside is None:
            name = re.sub(r'[<>:"|?*\\\x00-\x1f]', "-", path.parent.name).strip(". ") or "pipeline"
            others = set(found.values())
            tries = (f"{OUTSIDE}/{name}{f'-{number}' if number > 1 else ''}" for number in range(1, len(paths) + 1))
            inside = next(one for one in tries if one not in others)
        found[path.parent] = inside
    return found


def _named(tasks: Sequence[Task], roots: Sequence[Path], site: Site, found: Contents) -> Iterator[Path]:
    """Scripts, models and settings that arguments name; what else they name is told in `found`."""
    written = [told for task in tasks for told in writes_of(task)]
    for task in tasks:
        data = {absolute(value, task.cwd) for value in _data_values(task.entries)}
        writes = told_by(task.entries, task.outputs, task.cwd)
        if task.many and (foreach := task.many.foreach) and (told := foreach.pattern or glob.escape(foreach.csv)):
            place = of_pattern(told, task.folder)
            if not any(_touch(one.root, place.root) for one in written):
                found.left[f"segment {task.segment.number} goes over {foreach.pattern or foreach.csv}"] = None
        use = Use("", task.entries, task.cwd, task.env, inputs=task.inputs, outputs=task.outputs)
        for source in sources_of(use, writes):
            if source.how not in ("argument", "declared"):
                continue
            path = Path(source.root)
            inside = any(below(path, root) is not None for root in roots)
            known = any(below(path, roots[0] / name) is not None for name in _KEPT)
            if known or str(path).startswith(("/usr/", "/bin/", "/dev/")):
                continue
            is_data = source.how == "declared" or (source.root in data and not is_script(source.root))
            if source.kind == "file" and inside and not is_data and _is_plain(path):
                yield path
            elif any(_touch(told.root, source.root) for told in written):
                continue  # an earlier segment makes it
            elif is_script(source.root):
                what = f"segment {task.segment.number}: {task.masked(source.root, site)}"
                found.missing[f"{what}, which lies neither in the repository nor beside the pipeline file"] = None
            else:
                found.left[f"segment {task.segment.number} reads {source.root}"] = None


def _with_neighbours(file: Path) -> Iterator[Path]:
    """A script with its lock, and the scripts beside it, which it may import."""
    yield file
    if is_script(file.name):
        beside = sorted(file.parent.iterdir())
        yield from (one for one in beside if one.name == f"{file.name}.lock" and _is_plain(one))
        yield from (one for one in beside if one.suffix == file.suffix and _is_plain(one))


def _data_values(entries: Sequence[ResolvedEntry]) -> Iterator[str]:
    return (value for _, name, value in flags_and_values(entries) if _DATA.fullmatch(name))


def _touch(one: str, other: str) -> bool:
    return f"{one}{os.sep}".startswith(f"{other}{os.sep}") or f"{other}{os.sep}".startswith(f"{one}{os.sep}")


def _is_plain(path: Path) -> bool:
    """Not a folder (an OME-Zarr counts as one file) and no hidden file: .env, .ssh."""
    try:
        return stat.S_ISREG(path.stat().st_mode) and not path.name.startswith(".")
    except OSError:
        return False
