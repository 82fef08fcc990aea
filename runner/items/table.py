"""A CSV file as labs have them: Excel's `;` and code page, tabs, a byte order mark, blank lines at the end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from runner.errors import UsageError
from runner.ground.plain import read_plain
from runner.ground.text import decoded
from runner.pipeline.text import encoding_of

_SEPARATORS = ";\t,"
Row = tuple[int, tuple[str, ...]]  # number of its line, from 1; its cells


def read_table(path: str) -> tuple[tuple[str, ...], list[Row]]:
    """Names of the columns, and the lines. Raises UsageError with the place of what is wrong."""
    try:
        data = read_plain(Path(path))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", "Correct `csv:`, or make the file.") from None
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}", "Close it in Excel, or correct `csv:`."
        ) from error
    rows = list(_rows(_text(data, path), path))
    if not rows:
        raise UsageError(f"{path} is empty", "Its first line holds the names of the columns, each other one an item.")
    line, names = rows[0]
    names = tuple(name.strip() for name in names)
    while names and not names[-1]:  # Excel's empty columns at the right
        names = names[:-1]
    _check_names(names, line, path)
    return names, [(number, _fitted(cells, names, number, path)) for number, cells in rows[1:]]


def _text(data: bytes, path: str) -> str:
    """Excel saves as UTF-16 ("Unicode text"), as UTF-8 with a mark, or in Windows' code page."""
    encoding, mark = encoding_of(data)
    try:
        text = data[len(mark) :].decode(encoding) if mark else decoded(data)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: {error.reason}", "Save it as CSV (UTF-8).") from error
    if "\0" in text:
        raise UsageError(f"{path} is no CSV file: it holds bytes that are no text", "Save it as CSV (UTF-8).")
    return text


def _rows(text: str, path: str) -> Iterator[Row]:
    """Lines that hold something. A cell in quotes may go over several lines: the number is the first one's."""
    separator = ""
    if text[:4].lower() == "sep=":  # a line of Excel's own
        head, _, text = text.partition("\n")
        separator = head[4:5]
    skipped = 1 if separator else 0
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = separator or _separator(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        for cells in reader:
            line, before = before + 1 + skipped, reader.line_num
            if any(cell.strip() for cell in cells):
                yield line, tuple(cells)
    except csv.Error as error:
        cure = "A quote inside a cell in quotes is written twice; each cell that begins with one ends with one."
        raise UsageError(f"{path}, line {before + 1 + skipped}: {error}", cure) from error


def _separator(header: str) -> str:
    """Of the header, which has no decimal commas: what stands outside quotes most often, `;` and tab before `,`."""
    bare = "".join(header.split('"')[::2])
    return max(_SEPARATORS, key=lambda sign: (bare.count(sign) > 0, sign != ",", bare.count(sign)))


def _check_names(names: tuple[str, ...], line: int, path: str) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise UsageError(f"{path}, line {line}: a column has no name", "The first line names each column.")
        if name in seen:
            raise UsageError(f"{path}, line {line}: two columns are called `{name}`", "Give one another name.")
        seen.add(name)
    if not names:
        raise UsageError(f"{path}, line {line}: no column has a name", "The first line names each column.")


def _fitted(cells: tuple[str, ...], names: tuple[str, ...], line: int, path: str) -> tuple[str, ...]:
    if len(cells) > len(names) and not any(cell.strip() for cell in cells[len(names) :]):
        cells = cells[: len(names)]
    if len(cells) != len(names):
        raise UsageError(
            f"{path}, line {line}: it has {len(cells)} cells, and the first line names {len(names)} columns",
            "Is a separator missing, or one inside a cell that has no quotes?",
        )
    return cells


def absolute(path: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118  (an absolute one stays)
