"""What a segment with `foreach` or `matrix` goes over."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from runner.errors import UsageError
from runner.items.item import Item
from runner.items.matrix import with_matrix
from runner.items.table import absolute, read_table
from runner.items.walk import walk
from runner.model import Foreach, Many

ID_COLUMN = "id"


def expand(many: Many, folder: str) -> list[Item]:
    """All items, in the same order on every system: files by the parts of their paths, others as written.

    The texts of `many.foreach` have Go's tokens resolved (folders that stand for one escaped as in a glob, where it is
    a pattern); what is relative counts from `folder`. Raises UsageError.
    """
    items = _of_foreach(many.foreach, folder) if many.foreach is not None else [Item("", "")]
    if many.matrix:
        _check_parameters(many, items)
        items = with_matrix(items, many)
    _refuse_twice(items)
    for number, item in enumerate(items, 1):
        item.index = number
    return items


def _of_foreach(foreach: Foreach, folder: str) -> list[Item]:
    if foreach.pattern:
        return [Item(relative, path, is_file=True, mark=mark) for relative, path, mark in walk(foreach.pattern, folder)]
    if foreach.csv:
        return _of_table(absolute(foreach.csv, folder))
    values = map(str, range(foreach.count)) if foreach.count is not None else foreach.values
    return [Item(value, value) for value in values]


def _of_table(path: str) -> list[Item]:
    """%ITEM% is the cell in the column `id`, or the first one; without that column, an item is all of its line."""
    names, rows = read_table(path)
    by_id = next((number for number, name in enumerate(names) if name.casefold() == ID_COLUMN), None)
    lines: dict[str, int] = {}
    found = []
    for line, cells in rows:
        key = cells[by_id] if by_id is not None else _line_of(cells)
        text = cells[by_id or 0]
        if not key.strip():
            raise UsageError(f"{path}, line {line}: the column `{names[by_id or 0]}` is empty", "Give the line an id.")
        if key in lines:
            what = f"the id `{key}`" if by_id is not None else "the same line"
            raise UsageError(
                f"{path}, line {line}: {what} stands in line {lines[key]} too",
                "Each line is an item of its own: delete one, or make them differ.",
            )
        lines[key] = line
        found.append(Item(key, text, columns=names, cells=cells))
    return found


def _line_of(cells: Iterable[str]) -> str:
    return ",".join('"' + cell.replace('"', '""') + '"' if '"' in cell or "," in cell else cell for cell in cells)


def checksum_of(cells: Sequence[str]) -> int:
    return zlib.crc32(_line_of(cells).encode("utf-8", "surrogatepass"))


def _check_parameters(many: Many, items: Sequence[Item]) -> None:
    columns = items[0].columns if items else ()
    for name, _ in many.matrix:
        if name in columns:
            raise UsageError(
                f"`{name}` is a parameter of `matrix` and a column of the file too",
                f"Give one of them another name: %COL:{name}% could mean both.",
            )


def _refuse_twice(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise UsageError(f"the item {item.key} comes twice", "Each item is known by its name: delete one.")
        seen.add(item.key)
