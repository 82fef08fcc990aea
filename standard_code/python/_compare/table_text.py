"""Tables in text files: which encoding, which mark between cells, and whether numbers have a decimal comma."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

from _compare.cells import number
from _program.files import UserError

MARKS = "\t;,| "  # the more a mark says, the earlier it stands
SAMPLE = 1 << 16  # characters that are enough to see which mark it is
LARGEST = 4 << 30  # bytes
_MARKED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # for Excel, in the first line
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_GROUPED = (
    re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+,\d+", re.ASCII),
    re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+", re.ASCII),
)


def read_rows(path: Path) -> list[list[str]]:
    """The cells of each line that has a mark or a sign. Raises UserError, ValueError."""
    if path.stat().st_size > LARGEST:
        raise UserError(f"is larger than {LARGEST >> 30} GB, too large to be compared as a table")
    text = _decoded(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise UserError("holds bytes that no text has, so it is no table")
    first, _, rest = text.partition("\n")
    told = _MARKED.fullmatch(first.strip(" "))
    if told:
        text = rest
    mark = told[1] if told else _mark_of(text)
    rows = [[cell.strip() for cell in row] for row in _split(text, mark)]
    return _with_points([row for row in rows if row], mark)


def _decoded(data: bytes) -> str:
    for begin, name in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(begin):
            return data.decode(name)
    low, high = data[:4096:2], data[1:4096:2]
    if high.count(0) * 2 > len(high) and not low.count(0):
        return data.decode("utf-16-le")
    if low.count(0) * 2 > len(low) and not high.count(0):
        return data.decode("utf-16-be")
    for name in ("utf-8-sig", "cp1252"):  # the latter is what Excel writes
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")  # two bytes never become one sign


def _split(text: str, mark: str) -> list[list[str]]:
    csv.field_size_limit(2**31 - 1)  # an outline in a cell is long
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True))


def _mark_of(text: str) -> str:
    """The mark that splits most lines into the same number of cells; lines of comment do not count."""
    sample = text[:SAMPLE]
    if len(text) > SAMPLE and "\n" in sample:
        sample = sample[: sample.rindex("\n")]
    lines = [line for line in sample.split("\n") if line.strip() and not line.lstrip(' "').startswith("#")]
    best, most = ",", 0
    for mark in MARKS:
        widths = Counter(len(row) for row in _split("\n".join(lines), mark))
        count = max((n for width, n in widths.items() if width > 1), default=0)
        if count > most and (mark != " " or (not most and _is_spaced(lines, count))):
            best, most = mark, count
    return best


def _is_spaced(lines: list[str], count: int) -> bool:
    """Whether it is a table as R's write.table leaves it, and not one column of words."""
    return count >= len(lines) - 1 and (lines[0].startswith('"') or " " in lines[0].strip())


def _with_points(rows: list[list[str]], mark: str) -> list[list[str]]:
    """Numbers with a decimal point, where they have a comma: 1,5 and 1.234,5 and, in a table of commas, "1,5"."""
    commas = {cell for row in rows for cell in row if "," in cell}
    if not commas:
        return rows
    single = {cell for cell in commas if _COMMA.fullmatch(cell)}
    if mark != ";" and single:
        proved = mark == "\t" or any(not _THOUSANDS.fullmatch(cell) for cell in single)
        if not proved or any("." in cell and number(cell) is not None for row in rows for cell in row):
            single = set()
    changed = {cell: cell.replace(",", ".") for cell in single}
    changed |= {cell: cell.replace(".", "").replace(",", ".") for cell in commas if _GROUPED[0].fullmatch(cell)}
    changed |= {cell: cell.replace(",", "") for cell in commas if _GROUPED[1].fullmatch(cell)}
    return [[changed.get(cell, cell) for cell in row] for row in rows]
