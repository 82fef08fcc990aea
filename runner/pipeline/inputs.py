"""Inputs that are not there: a pattern that no file matches, though no earlier segment could make one."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from runner.frozen import frozen
from runner.ground.patterns import MAGIC
from runner.model import Finding, Foreach, ResolvedEntry, ResolvedFlags, Segment, Severity
from runner.pipeline.near import did_you_mean, near
from runner.pipeline.tokens import ITEM_TOKEN, entry_keys

_PATIENCE = 3.0  # seconds for all: a share may be slow, and this is but a warning
_NEVER = re.compile(r"(?!)")


@frozen
class Step:
    """What a segment names on the disk: the inputs it reads, and all other paths, where it may write."""

    number: int
    inputs: tuple[Input, ...]
    places: tuple[str, ...]
    anywhere: bool  # a line of the shell, that may write where nothing tells


@frozen
class Input:
    """A value that names files which must be there."""

    value: str
    key: str  # of its entry, as in Segment.marks
    role: str  # pattern, folder, file, or any of these


def step_of(
    segment: Segment,
    entries: Sequence[ResolvedEntry],
    cwd: str,
    outputs: Sequence[str],
    roles: Mapping[str, str] | None,
    items: tuple[Foreach, str] | None = None,
) -> Step:
    """`roles` are those of a program's flags, where they are known; of others, names tell. `items`: what the segment
    goes over, to be looked for as well, and the folder of the pipeline file."""
    of_item = ITEM_TOKEN if segment.many else _NEVER
    inputs, places = [], [os.path.join(cwd, pattern) for pattern in outputs]  # noqa: PTH118  (absolute ones stay)
    for key, flag, value in _values(segment, entries):
        role = _guess(flag, value) if roles is None else roles.get(flag, "")
        path = os.path.join(cwd, os.path.expanduser(value))  # noqa: PTH111, PTH118
        if role in ("pattern", "folder", "file", "any"):
            if not of_item.search(value):  # what an item stands for is known later
                inputs.append(Input(path, key, role))
        elif role == "output" or Path(value).is_absolute():
            places.append(path)
    text = items[0].pattern or items[0].csv if items else ""
    if items and text and not text.startswith("%"):  # an unknown token is told as that
        path = os.path.join(items[1], os.path.expanduser(text))  # noqa: PTH111, PTH118
        inputs.append(Input(path, "foreach", "items" if items[0].pattern else "table"))
    places = [of_item.sub("*", place) for place in places]
    return Step(segment.number, tuple(inputs), tuple(places), segment.environment.strip().lower() == "cmd")


def _values(segment: Segment, entries: Sequence[ResolvedEntry]) -> Iterator[tuple[str, str, str]]:
    """Each value with its flag, and the key of its entry: `- --flag: x`, `- --flag=x`, or the two as entries."""
    flag = ""
    for key, entry in zip(entry_keys(segment), entries, strict=True):
        for name, value in entry.items if isinstance(entry, ResolvedFlags) else (("", entry),):
            if not name and value and value.startswith("-"):
                flag, _, value = value.partition("=")
            flag = name or flag
            if value:
                yield key, flag, value


def _guess(flag: str, value: str) -> str:
    """What a flag of a program that is not known names: only what is plainly a path is taken for one."""
    name = flag.lower().lstrip("-")
    if not name.startswith("input") or not Path(value).is_absolute() or re.search(r"[(){}^$|+,;]", value):
        return ""
    return "any"


def missing_inputs(steps: Sequence[Step], wanted: Iterable[int]) -> dict[int, list[Finding]]:
    """For each segment of `wanted`, what it reads that is not there; all `steps` in the order of the file."""
    asked = set(wanted)
    todo = []
    for position, step in enumerate(steps):
        if step.number in asked and not any(earlier.anywhere for earlier in steps[:position]):
            places = [place for earlier in steps[:position] for place in earlier.places]
            todo += [(step.number, one) for one in step.inputs if not may_be_made(one.value, places)]
    absent = _within(_PATIENCE, [one for _, one in todo])
    found: dict[int, list[Finding]] = {}
    for number, one in todo:
        if one in absent:
            found.setdefault(number, []).append(_finding(one, number == steps[0].number))
    return found


def may_be_made(value: str, places: Iterable[str]) -> bool:
    """Whether one of `places` is the folder of `value`, lies in it or holds it."""
    own = _fixed(value)
    return any(own.is_relative_to(place) or place.is_relative_to(own) for place in map(_fixed, places))


def _fixed(pattern: str) -> Path:
    """The part of a pattern that is literal."""
    parts = Path(os.path.normcase(os.path.normpath(pattern))).parts
    magic = next((n for n, part in enumerate(parts) if MAGIC.search(part)), len(parts))
    return Path(*parts[:magic])


def _within(seconds: float, inputs: Sequence[Input]) -> set[Input]:
    """Those that are not there, as far as that is known in time."""
    absent: set[Input] = set()

    def look() -> None:
        for one in inputs:
            with suppress(OSError, ValueError):  # what cannot be looked at is for the program to say
                if not _exists(one):
                    absent.add(one)

    if inputs:
        thread = Thread(target=look, daemon=True)
        thread.start()
        thread.join(seconds)
    return set(absent)


def _exists(one: Input) -> bool:
    path = Path(one.value)
    if one.role == "folder":
        return path.is_dir()
    if path.is_file():
        return True
    if path.is_dir():
        return one.role == "any"
    start, rest = start_of(one.value)
    if one.role == "items":  # a folder may be an image
        return next(glob.iglob(rest, root_dir=start, recursive=True), None) is not None  # noqa: PTH207
    return any((start / name).is_file() for name in glob.iglob(rest, root_dir=start, recursive=True))  # noqa: PTH207


def start_of(pattern: str) -> tuple[Path, str]:
    """The folder where a search starts, and the rest: folders that exist are literal, as for the programs that ship."""
    start, *rest = Path(os.path.normpath(pattern)).parts
    folder = Path(start)
    while len(rest) > 1 and rest[0] != "**" and (folder / rest[0]).is_dir():
        folder /= rest.pop(0)
    return folder, str(Path(*rest)) if rest else ""


def _finding(one: Input, first: bool) -> Finding:
    what = {"folder": "there is no folder", "file": "there is no file", "table": "there is no file"}.get(
        one.role, "no file matches"
    )
    earlier = "" if first else ", and no earlier segment names a place there"
    severity = Severity.ERROR if first and one.key == "foreach" else Severity.WARNING
    return Finding(f"{what} {one.value}{earlier}", _cure(one), one.key, severity)


def _cure(one: Input) -> str:
    path = Path(one.value)
    if path.is_dir():
        return f"It is a folder. Name the files in it, for example '{path / '**' / '*.tif'}'."
    start, rest = start_of(one.value)
    first = Path(rest).parts[0] if rest else ""
    try:
        there = sorted(path.name for path in start.iterdir())
    except OSError:
        there = []
    if first and not MAGIC.search(first):
        meant = near(first, there)
        question = did_you_mean(first, meant) if meant else "Is the drive connected?" if start.parent == start else ""
        return f"There is no `{first}` in {start}. {question}".rstrip()
    files = [name for name in there if (start / name).is_file() and not name.startswith(".")]
    if not files:
        return f"The search starts in {start}; look at the pattern behind it."
    return f"{start} holds {', '.join(files[:3])}{', …' if len(files) > 3 else ''}."
