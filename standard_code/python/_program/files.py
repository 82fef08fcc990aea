"""Which files to take, what their results are called, and how a result is written."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOT_IN_NAMES = frozenset('/\\:*?"<>|')


class UserError(Exception):
    """Something that the user can put right; its text is all that is shown."""


@contextmanager
def in_words(words: Callable[[Exception], str]) -> Iterator[None]:
    """Turns what a library reports about a file into what `words` makes of it; the system's own errors stay."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # each format's reader has its own
        if isinstance(error, OSError) and error.strerror:
            raise
        raise UserError(words(error)) from error


@dataclass(frozen=True)
class Job:
    """One input file and its result."""

    source: Path
    target: Path
    subfolder: Path  # of the source, below the folder where the search started


def absolute(path: str) -> Path:
    """`path` from the root, without `..`; links are kept, so that names stay those that the user knows."""
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def find(pattern: str) -> tuple[Path, list[Path]]:
    """The folder where the search starts, and the files that match, sorted."""
    start, rest = start_of(pattern)
    if (start / Path(*rest)).is_file():
        return start, [start / Path(*rest)]
    # unlike Path.glob, the same on every Python version, and hidden folders are left out
    found = glob.glob(str(Path(*rest)), root_dir=start, recursive=True)  # noqa: PTH207
    return start, sorted({start / name for name in found if (start / name).is_file()})


def start_of(pattern: str) -> tuple[Path, list[str]]:
    """The folder where the search starts, and the parts of the pattern below it.

    Folders that exist are taken literally, so that `[1]` in a folder's name does no harm.
    """
    parts = absolute(pattern).parts
    start = Path(parts[0])
    rest = list(parts[1:])
    while len(rest) > 1 and rest[0] != "**" and (start / rest[0]).is_dir():
        start = start / rest.pop(0)
    return start, rest


def stem(path: Path) -> str:
    """The name without its ending; `.ome.tif` is one ending."""
    for ending in (".ome.tif", ".ome.tiff", ".companion.ome"):
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def plan(
    patterns: Sequence[str], output_folder: str, suffix: str, ending: str, collapse: str | None = None
) -> list[Job]:
    """The jobs for `patterns`. Raises UserError when there is nothing to do or results would overwrite something.

    `collapse` joins the names of subfolders to one name, so that all results lie in one folder.
    """
    if set(collapse or "") & NOT_IN_NAMES:
        raise UserError(f"--collapse-delimiter {collapse!r} has a character that no file name can have.")
    if set(suffix) & NOT_IN_NAMES:
        raise UserError(f"--output-suffix {suffix!r} has a character that no file name can have.")
    sources: dict[Path, Path] = {}  # each with the folder where its search started
    for pattern in patterns:
        start, found = find(pattern)
        if not found:
            raise UserError(_nothing_found(pattern, start))
        for source in found:
            sources.setdefault(source, start)
    folder = absolute(output_folder)
    if folder.is_file():
        raise UserError(f"--output-folder {folder} is a file. Name a folder.")
    fresh = [source for source in sources if not _is_result(source, folder, suffix + ending)]
    if not fresh:
        given = " ".join(map(repr, patterns))
        raise UserError(
            f"All {len(sources)} files that match {given} are results in the output folder {folder}. "
            "Choose another --output-folder or a narrower --input-search-pattern."
        )
    jobs = []
    for source in fresh:
        subfolder = source.parent.relative_to(sources[source])
        name = stem(source) + suffix + ending
        target = folder / subfolder / name if collapse is None else folder / collapse.join((*subfolder.parts, name))
        jobs.append(Job(source, target, subfolder))
    _refuse_clashes(jobs)
    return jobs


def _nothing_found(pattern: str, start: Path) -> str:
    if not start.is_dir():
        return f"No file matches {pattern!r}: there is no folder {start}. Is the drive connected?"
    if absolute(pattern).is_dir():
        return f"{pattern!r} is a folder. Name the files in it, for example {str(Path(pattern) / '**' / '*.tif')!r}."
    return f"No file matches {pattern!r}. The search started in {start}; look at the pattern after it."


def _is_result(source: Path, folder: Path, ending: str) -> bool:
    """A file of an earlier run, seen when the output folder lies inside the searched one."""
    return source.is_relative_to(folder) and source.name.endswith(ending)


def _refuse_clashes(jobs: list[Job]) -> None:
    sources = {os.path.normcase(job.source): job.source for job in jobs}
    owners: dict[str, Path] = {}
    for job in jobs:
        key = os.path.normcase(job.target)
        if key in sources:
            raise UserError(
                f"The result of {job.source} would overwrite the input {sources[key]}. "
                "Choose another --output-folder or --output-suffix."
            )
        if key in owners:
            raise UserError(
                f"{owners[key]} and {job.source} would both become {job.target}. "
                "Rename one of them, or narrow --input-search-pattern."
            )
        owners[key] = job.source


def part_of(target: Path) -> Path:
    """The name of a result that is being written; the same each time, so that a later run takes its place."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def writing(target: Path, part: Path | None = None) -> Iterator[Path]:
    """A name to write to; it takes the target's place when the block ends well, else it is removed."""
    part = part or part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # what an earlier run left there, or a link that somebody else put there, goes; the file is made anew
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield part
        _put_in_place(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_table(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]], numbers: str = "") -> None:
    """A CSV file; `numbers` is the format of those with a decimal point."""
    import csv

    with writing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({name: format(v, numbers) if isinstance(v, float) else v for name, v in row.items()})


def _put_in_place(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except PermissionError as error:
        raise UserError(f"{target} cannot be replaced: it is open in another program, or protected.") from error
