"""Tables of several formats, their cells as text."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _compare_reading import in_words, refuse_empty

Row = tuple[str, ...]


@dataclass
class Table:
    columns: tuple[str, ...]
    rows: list[Row]


def read(path: Path, side: str) -> Table:
    """The table in `path`, called `side` in errors, its cells as text. Raises UserError."""
    with in_words(side, "table"):
        ending = path.suffix.lower()
        if ending not in (".csv", ".tsv"):
            refuse_empty(path)
        return _excel(path) if ending == ".xlsx" else _parquet(path) if ending == ".parquet" else _delimited(path)


def _parquet(path: Path) -> Table:
    import pyarrow.parquet

    data = pyarrow.parquet.read_table(path)
    columns = [[_text(v) for v in column.to_pylist()] for column in data.columns]
    return Table(_heads(data.column_names), [tuple(row) for row in zip(*columns, strict=True)])


def _delimited(path: Path) -> Table:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # what Excel writes
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    head = text.partition("\n")[0]
    mark = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows = [tuple(_known(cell.strip()) for cell in row) for row in lines if row]
    if mark == ";":  # then numbers may have a decimal comma
        rows = [tuple(_decimal(cell) for cell in row) for row in rows]
    return _with_head(rows)


def _with_head(rows: list[Row]) -> Table:
    if not rows:
        return Table((), [])
    wide = len(rows[0])
    return Table(_heads(rows[0]), [(row + ("",) * wide)[: max(wide, len(row))] for row in rows[1:]])


def _heads(names: Sequence[str]) -> Row:
    """Each column with a name of its own: the second `v` is `v (2)`."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(out)


def _decimal(cell: str) -> str:
    return cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell and number(cell) is None else cell


def _excel(path: Path) -> Table:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheets = {s.title: [tuple(map(_text, row)) for row in s.iter_rows(values_only=True)] for s in book.worksheets}
    finally:
        book.close()
    if len(sheets) == 1:
        return _with_head(next(iter(sheets.values())))
    columns: dict[str, None] = {"sheet": None}
    for rows in sheets.values():
        columns |= dict.fromkeys(_heads(rows[0]) if rows else ())
    out = []
    for title, rows in sheets.items():
        for row in rows[1:]:
            cells = dict(zip(_heads(rows[0]), row, strict=False))
            out.append((title, *(cells.get(name, "") for name in list(columns)[1:])))
    return Table(tuple(columns), out)


def _text(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) and value == value else _known(str(value))


def _known(cell: str) -> str:
    """Programs write no value as nothing or as NaN."""
    return "" if cell.lower() == "nan" else cell


def number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)  # Python alone takes 1_2 for 12
    except ValueError:
        return None
