"""The arguments that every program here has."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

Number = TypeVar("Number", int, float)


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Adds a default only where one says something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, "", False, True):
            return action.help
        return super()._get_help_string(action)


def parser(
    description: str,
    *,
    suffix: str,
    suffix_help: str = "",
    patterns: tuple[str, ...] = ("--input-search-pattern",),
    folders: tuple[str, ...] = ("--output-folder",),
    several: bool = True,
) -> argparse.ArgumentParser:
    """A parser with the arguments that every program has; `suffix` is the default of --output-suffix.

    `several`: the first argument may name more than one file or pattern.
    """
    made = argparse.ArgumentParser(description=description, formatter_class=Help, allow_abbrev=False)
    files = made.add_argument_group("files")
    files.add_argument(
        *patterns,
        dest="input_search_pattern",
        required=True,
        nargs="+" if several else None,
        metavar="PATTERN",
        help="files to take, in quotes, for example 'D:/data/**/*.tif'; ** stands for any number of folders",
    )
    files.add_argument(
        *folders,
        dest="output_folder",
        required=True,
        metavar="FOLDER",
        help="where results go, in the same subfolders",
    )
    files.add_argument(
        "--output-suffix",
        default=suffix,
        metavar="TEXT",
        help=suffix_help or "added to the name of the input file, before its ending",
    )
    work = made.add_argument_group("how to work")
    work.add_argument("--no-parallel", action="store_true", help="one file after the other, in one process")
    work.add_argument(
        "--maxcores", type=positive_integer, metavar="N", help="at most N files at a time (default: one per core)"
    )
    add_telling(work)
    return made


def add_telling(work: argparse._ArgumentGroup) -> None:
    """Adds the arguments that say how much is told, and whether anything is done."""
    work.add_argument("--dry-run", action="store_true", help="print what would be done, write nothing")
    work.add_argument(
        "--log-level",
        type=str.upper,
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        default="INFO",
        help="how much to tell; DEBUG also shows where in the program an error arose",
    )


def collapse(parser: argparse.ArgumentParser) -> None:
    """Adds the argument that puts all results into one folder."""
    parser.add_argument(
        "--collapse-delimiter",
        metavar="TEXT",
        help="put all results into --output-folder itself, and the names of the subfolders, joined by TEXT, before "
        "theirs: day 1/a.nd2 with __ becomes day 1__a.ome.tif",
    )


def numbers(text: str) -> list[int]:
    """Whole numbers from 0, such as `0,2` or `0-4,7`."""
    found: list[int] = []
    for part in text.replace(",", " ").split():
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers from 0, such as 0,2 or 0-4")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} names no number; a list is such as 0,2 or 0-4")
    return found


def positive_integer(text: str) -> int:
    """A whole number of at least 1."""
    return _number(text, int, "a whole number of at least 1", lambda value: value >= 1)


def whole_number(text: str) -> int:
    """A whole number of at least 0."""
    return _number(text, int, "a whole number of at least 0", lambda value: value >= 0)


def positive_number(text: str) -> float:
    """A finite number above 0."""
    return _number(text, float, "a number above 0", lambda value: 0 < value < float("inf"))


def not_negative(text: str) -> float:
    """A finite number of at least 0."""
    return _number(text, float, "a number of at least 0", lambda value: 0 <= value < float("inf"))


def _number(text: str, convert: Callable[[str], Number], wanted: str, accepts: Callable[[Number], bool]) -> Number:
    try:
        value = convert(text)
    except ValueError:
        value = None
    if value is None or not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value
