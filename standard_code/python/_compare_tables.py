"""How far two tables lie apart: rows joined on keys, numbers of objects translated, values within a tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from _compare_table_files import Row, Table, number

IDS = ("label", "label_id", "object", "object_id", "objectnumber", "cell_id", "nucleus_id", "mask_id", "id", "roi")
PLACES = ("image", "file", "filename", "file_name", "path", "sheet", "time_point", "frame", "t", "time", "channel",
          "position", "well", "site", "series", "scene", "z", "slice")  # fmt: skip
TIMES = ("time_point", "frame", "t", "time")
LISTED = 30
ROW_NUMBERS = ("", "unnamed: 0")  # heads of columns that may hold nothing but the number of the row
NO_VALUE = "no value"
SCALE = 1e-6  # of a column's median size: what counts as zero in it

Translation = Mapping[tuple[int, ...], Mapping[int, int]]


def compare(
    one: Table, two: Table, *, rtol: float, atol: float | None, columns: Mapping[str, Mapping[str, float]],
    keys: Sequence[str], translation: Translation | None,
) -> dict[str, Any]:  # fmt: skip
    """What differs. `translation` turns objects' numbers in B into those of A; `columns` has its own tolerances."""
    one, two = _without_row_numbers(one, two)
    missing = [c for c in one.columns if c not in two.columns]
    extra = [c for c in two.columns if c not in one.columns]
    common = [c for c in one.columns if c in two.columns]
    result: dict[str, Any] = {
        "kind": "table",
        "rows_a": len(one.rows), "rows_b": len(two.rows), "columns_missing": missing, "columns_extra": extra,
        "columns_moved": common != [c for c in two.columns if c in one.columns],
    }  # fmt: skip
    left, right = _narrowed(one, common), _narrowed(two, common)
    used = [k for k in keys if k in common] or _keys(common, left)
    identity = next((k for k in used if k.lower() in IDS), None)
    translated = bool(translation) and identity is not None
    if translation and identity is not None:
        right = _translated(right, common, identity, translation)
    places = [common.index(k) for k in used]
    if not _unique(left, places) or not _unique(right, places):
        used, places = [], []
    joined, only_a, only_b = _join(left, right, places)
    result |= {
        "keys": used,
        "translated": translated,
        "rows_moved": [i for i, _, _ in joined] != sorted(i for i, _, _ in joined),
        "rows_missing": len(only_a),
        "rows_extra": len(only_b),
        "missing": [_named(left[i], common, places) for i in only_a[:LISTED]],
        "extra": [_named(right[i], common, places) for i in only_b[:LISTED]],
    }
    return result | _values([(left[i], right[j]) for j, i, _ in joined], common, places, rtol, atol, columns)


def _without_row_numbers(*tables: Table) -> Sequence[Table]:
    """Rows that are counted in front, as pandas and ImageJ do, say nothing; in another order they would differ."""
    for table in tables:
        first = [row[0] for row in table.rows if row]
        counted = any(first == [str(n) for n in range(start, start + len(first))] for start in (0, 1))
        if not counted or len(table.columns) < 2 or table.columns[0].lower() not in ROW_NUMBERS:
            return tables
    return [Table(table.columns[1:], [row[1:] for row in table.rows]) for table in tables]


def _narrowed(table: Table, common: Sequence[str]) -> list[Row]:
    places = [table.columns.index(c) for c in common]
    return [tuple(row[p] for p in places) for row in table.rows]


def _keys(columns: Sequence[str], rows: list[Row]) -> list[str]:
    """The place of a row (image, frame, ...) and its object; as few as make rows unique."""
    found = [c for c in columns if c.lower() in PLACES]
    for name in IDS:
        if match := next((c for c in columns if c.lower() == name), None):
            return [*found, match]
    if found and _unique(rows, [columns.index(c) for c in found]):
        return found
    for place, name in enumerate(columns):  # names of anything, as long as each is there once
        cells = [row[place] for row in rows]
        if cells and all(cells) and len(set(cells)) == len(cells) and not any(number(c) is not None for c in cells):
            return [name]
    return []


def _unique(rows: list[Row], places: list[int]) -> bool:
    return len({tuple(row[p] for p in places) for row in rows}) == len(rows) if places else False


def _translated(rows: list[Row], columns: Sequence[str], identity: str, translation: Translation) -> list[Row]:
    """Rows with A's numbers; what has no partner keeps its own, marked, so that it joins with nothing."""
    place = columns.index(identity)
    time = next((columns.index(c) for c in columns if c.lower() in TIMES), None)
    out = []
    for row in rows:
        own = number(row[place])
        moment = number(row[time]) if time is not None else None
        maps = [m for at, m in translation.items() if moment is None or len(at) != 1 or at[0] == moment]
        other = next((m[int(own)] for m in maps if own is not None and int(own) in m), None)
        out.append((*row[:place], f"B:{row[place]}" if other is None else str(other), *row[place + 1 :]))
    return out


def _join(
    left: list[Row], right: list[Row], places: list[int]
) -> tuple[list[tuple[int, int, Row]], list[int], list[int]]:
    """Pairs (row of B, row of A, key) in A's order, and the rows without a partner.

    Without keys, equal rows find each other wherever they stand; the rest pairs up in order.
    """

    def key(row: Row) -> Row:
        return tuple(_plain(row[p]) for p in places) if places else row

    waiting: dict[Row, list[int]] = {}
    for j in range(len(right) - 1, -1, -1):
        waiting.setdefault(key(right[j]), []).append(j)
    joined, only_a = [], []
    for i, row in enumerate(left):
        if found := waiting.get(key(row)):
            joined.append((found.pop(), i, key(row)))
        else:
            only_a.append(i)
    only_b = sorted(j for found in waiting.values() for j in found)
    if not places:
        joined += [(j, i, ()) for i, j in zip(only_a, only_b, strict=False)]
        both = min(len(only_a), len(only_b))
        only_a, only_b = only_a[both:], only_b[both:]
        joined.sort(key=lambda pair: pair[1])
    return joined, only_a, only_b


def _plain(cell: str) -> str:
    """1 and 1.0 are one key."""
    value = number(cell)
    return str(int(value)) if value is not None and math.isfinite(value) and value == int(value) else cell


def _named(row: Row, columns: Sequence[str], places: list[int]) -> dict[str, str]:
    return {columns[p]: row[p] for p in places or range(min(3, len(row)))}


def _values(
    pairs: list[tuple[Row, Row]], columns: Sequence[str], places: list[int], rtol: float, atol: float | None,
    own: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:  # fmt: skip
    """Cells beyond the tolerance by column, the worst of them, and the largest difference over the tolerance."""
    by_column: dict[str, dict[str, Any]] = {}
    cells: list[dict[str, Any]] = []
    largest, unequal = 0.0, 0
    for place, name in enumerate(columns):
        if place in places:
            continue
        numbers = [(number(a[place]), number(b[place])) for a, b in pairs]
        sizes = sorted(abs(a) for a, _ in numbers if a and math.isfinite(a))
        relative = own.get(name, {}).get("rtol", rtol)
        fixed = own.get(name, {}).get("atol", atol)
        absolute = SCALE * (sizes[len(sizes) // 2] if sizes else 0.0) if fixed is None else fixed
        beyond, most = 0, 0.0
        for (a, b), (row_a, row_b) in zip(numbers, pairs, strict=True):
            if row_a[place] == row_b[place]:
                continue
            over = _over(a, b, relative, absolute)
            if over == 0:
                continue
            unequal += 1
            largest = max(largest, over)
            if a is not None and b is not None:
                most = max(most, abs(a - b) if math.isfinite(a - b) else math.inf)
            if over > 1:
                beyond += 1
                where = _named(row_a, columns, places)
                one, two = row_a[place] or NO_VALUE, row_b[place] or NO_VALUE
                cells.append({"row": where, "column": name, "a": one, "b": two, "over": min(over, 1e300)})
        if most or beyond:
            by_column[name] = {
                "beyond": beyond,
                "largest_difference": min(most, 1e300),
                "rtol": relative,
                "atol": absolute,
            }
    cells.sort(key=lambda cell: -cell["over"])
    return {
        "cells_unequal": unequal,
        "cells_beyond": sum(c["beyond"] for c in by_column.values()),
        "over_tolerance": min(largest, 1e300),
        "columns": by_column,
        "worst": cells[:LISTED],
    }


def _over(a: float | None, b: float | None, rtol: float, atol: float) -> float:
    """The difference over what is allowed; text that differs is beyond any tolerance."""
    if a is None or b is None:
        return math.inf
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    allowed = atol + rtol * max(abs(a), abs(b))
    return abs(a - b) / allowed if allowed else math.inf
