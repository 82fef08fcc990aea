"""Tables of several formats, their cells as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from _compare.sources import in_words, refuse_empty
from _compare.table_head import MOST, Row, Table, named, with_head
from _compare.table_text import read_rows
from _program.files import UserError

UNPACKED = 4 << 30  # bytes of a sheet; a small file can claim any number
TEXTS = 512 << 20  # bytes of a workbook's texts, which openpyxl holds in memory


def read(path: Path, side: str) -> Table:
    """The table in `path`, called `side` in errors, its cells as text. Raises UserError."""
    with in_words(side, "table"):
        ending = path.suffix.lower()
        if ending == ".xlsx":
            refuse_empty(path)
            return _excel(path)
        if ending == ".parquet":
            refuse_empty(path)
            return _parquet(path)
        return with_head([[_known(cell) for cell in row] for row in read_rows(path)])


def _parquet(path: Path) -> Table:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        about = file.metadata
        if about.num_rows * max(1, about.num_columns) > MOST:
            raise UserError(f"holds {about.num_rows:,} rows of {about.num_columns:,} columns, too many to be compared")
        data = file.read()
    columns = [[_text(v) for v in column.to_pylist()] for column in data.columns]
    return named(data.column_names, [tuple(row) for row in zip(*columns, strict=True)])


def _excel(path: Path) -> Table:
    """All sheets that hold anything; several become one table with a column that names the sheet."""
    formulas = _look_inside(path)
    found = {title: with_head(rows) for title, rows in _sheets(path, formulas=formulas)}
    sheets = {title: table for title, table in found.items() if table.columns}
    if len(sheets) == 1:
        return next(iter(sheets.values()))
    columns = list(dict.fromkeys(name for table in sheets.values() for name in table.columns))
    every = named(("sheet", *columns) if sheets else (), [])
    for title, table in sheets.items():
        place = {name: n for n, name in enumerate(table.columns)}
        order = [place.get(name) for name in columns]
        for rows, own in ((every.rows, table.rows), (every.heads, table.heads)):
            rows += [(title, *("" if p is None else row[p] for p in order)) for row in own]
        every.above += [(title, *row) for row in table.above]
        every.blank += table.blank
    return every


def _look_inside(path: Path) -> bool:
    """Whether a workbook has formulas. Raises UserError when it would unpack to more than can be held."""
    with zipfile.ZipFile(path) as packed:
        for part in packed.infolist():
            limit = TEXTS if part.filename.endswith("sharedStrings.xml") else UNPACKED
            if part.file_size > limit:
                raise UserError(f"unpacks to {part.file_size / 2**30:.1f} GB, too much to be compared")
        sheets = [n for n in packed.namelist() if n.startswith("xl/worksheets/") and n.endswith(".xml")]
        return any(_holds_formula(packed, name) for name in sheets)


def _holds_formula(packed: zipfile.ZipFile, name: str) -> bool:
    end = b""
    with packed.open(name) as sheet:
        while block := sheet.read(1 << 20):
            if b"<f>" in end + block or b"<f " in end + block:
                return True
            end = block[-2:]
    return False


def _sheets(path: Path, *, formulas: bool) -> Iterator[tuple[str, Iterator[Row]]]:
    """The rows of each sheet without the blanks at their ends. A formula without a value stands for itself."""
    import openpyxl

    books = [
        openpyxl.load_workbook(path, read_only=True, data_only=d) for d in ((True, False) if formulas else (True,))
    ]
    try:
        for sheets in zip(*(book.worksheets for book in books), strict=True):
            for sheet in sheets:
                sheet.reset_dimensions()  # what a file claims of its size may be too little as well as too much
            yield sheets[0].title, _filled(zip(*(s.iter_rows(values_only=True) for s in sheets), strict=True))
    finally:
        for book in books:
            book.close()


def _filled(rows: Iterable[tuple[tuple[Any, ...], ...]]) -> Iterator[Row]:
    cells = 0
    for values, *formulas in rows:
        end = len(values)
        own = formulas[0] if formulas else values
        while end and (own[end - 1] is None or str(own[end - 1]).isspace()):
            end -= 1
        cells += end
        if cells > MOST:
            raise UserError(f"holds more than {MOST:,} cells, too many to be compared")
        yield tuple(_text(own[n] if values[n] is None else values[n]) for n in range(end))


def _text(value: Any) -> str:
    if isinstance(value, float) and value == value:
        return repr(value)
    text = "" if value is None else str(getattr(value, "text", value))  # an array formula has its own in `text`
    return "" if text.isspace() else _known(text)


def _known(cell: str) -> str:
    """Programs write no value as nothing or as NaN."""
    return "" if cell.lower() == "nan" else cell
