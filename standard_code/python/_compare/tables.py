"""How far two tables lie apart: rows joined on keys, numbers of objects translated, values within a tolerance."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from _compare.cells import has_fractions, plain, whole
from _compare.table_head import NUMBERED, Row, Table
from _compare.values import LISTED, Tolerances, Values, named
from _program.files import UserError

IDS = ("label", "label_id", "object", "object_id", "objectnumber", "cell_id", "nucleus_id", "mask_id", "id", "roi")
PLACES = ("image", "imagenumber", "image_number", "file", "filename", "file_name", "path", "sheet", "time_point",
          "frame", "t", "time", "channel", "position", "well", "site", "series", "scene", "z", "slice")  # fmt: skip
TIMES = ("time_point", "frame", "t", "time")

Translation = Mapping[tuple[int, ...], Mapping[int, int]]


def compare(
    one: Table, two: Table, *, tolerances: Tolerances, keys: Sequence[str] = (), ignore: Sequence[str] = (),
    translation: Translation | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What differs. `translation` turns objects' numbers in B into those of A. Raises UserError."""
    one, two = _without(one, ignore), _without(two, ignore)
    one, two = _without_row_numbers(one, two), _without_row_numbers(two, one)
    in_a, in_b = set(one.columns), set(two.columns)
    common = [c for c in one.columns if c in in_b]
    result: dict[str, Any] = {
        "kind": "table",
        "rows_a": len(one.rows), "rows_b": len(two.rows), "blank_rows": [one.blank, two.blank],
        "columns_missing": [c for c in one.columns if c not in in_b],
        "columns_extra": [c for c in two.columns if c not in in_a],
        "columns_moved": common != [c for c in two.columns if c in in_a],
    }  # fmt: skip
    left, right = (_chosen(table.rows, table.columns, common) for table in (one, two))
    used = [k for k in keys if k in common] or _keys(common, left, right)
    fractions = [k for k in used if _is_measure(common.index(k), left, right)]
    used = [k for k in used if k not in fractions]
    identity = next((k for k in used if _plain_name(k) in IDS), None)
    translated = bool(translation) and identity is not None
    if translation and identity is not None:
        right = _translated(right, common, identity, translation)
    places = [common.index(k) for k in used]
    if not _unique(left, places) or not _unique(right, places):
        used, places = [], []
    joined, only_a, only_b = _join(left, right, places)
    result |= {
        "keys": used,
        "keys_with_fractions": fractions,
        "translated": translated,
        "rows_moved": [i for i, _, _ in joined] != sorted(i for i, _, _ in joined),
        "rows_missing": len(only_a),
        "rows_extra": len(only_b),
        "missing": [named(left[i], common, places) for i in only_a[:LISTED]],
        "extra": [named(right[i], common, places) for i in only_b[:LISTED]],
    }
    values = Values(tolerances)
    values.compare([(left[i], right[j]) for j, i, _ in joined], common, places)
    _above_rows(one, two, common, ignore, values)
    return result | values.result()


def _without(table: Table, patterns: Sequence[str]) -> Table:
    """Without the columns that are to be left out. Raises UserError when none is left."""
    places = [n for n, name in enumerate(table.columns) if not _matches(name, patterns)]
    if len(places) == len(table.columns):
        return table
    if not places:
        raise UserError("no column is left to compare; see `ignore-columns`")
    return _narrowed(table, places)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """A pattern is a name too: brackets are common in names of columns."""
    return any(name == p or fnmatch.fnmatchcase(name, p) for p in patterns)


def _narrowed(table: Table, places: list[int]) -> Table:
    rows, heads = ([tuple(row[p] for p in places) for row in some] for some in (table.rows, table.heads))
    return replace(table, columns=tuple(table.columns[p] for p in places), rows=rows, heads=heads)


def _without_row_numbers(table: Table, other: Table) -> Table:
    """Rows counted in front, as pandas, R and ImageJ do, say nothing, unless the other file has names there."""
    if NUMBERED not in table.columns:
        return table
    names = next((c for c in other.columns if c == "" or c.lower() == "unnamed: 0"), None)
    if names is None:
        return _narrowed(table, [n for n, c in enumerate(table.columns) if c != NUMBERED])
    return replace(table, columns=tuple(names if c == NUMBERED else c for c in table.columns))


def _chosen(rows: list[Row], columns: Sequence[str], common: Sequence[str]) -> list[Row]:
    if tuple(common) == tuple(columns):
        return rows
    place = {name: n for n, name in enumerate(columns)}
    places = [place[name] for name in common]
    return [tuple(row[p] for p in places) for row in rows]


def _plain_name(name: str) -> str:
    return name.lower().replace(" ", "_")


def _is_measure(place: int, *tables: list[Row]) -> bool:
    return any(has_fractions(row[place] for row in rows) for rows in tables)


def _keys(columns: Sequence[str], left: list[Row], right: list[Row]) -> list[str]:
    """The place of a row (image, frame, ...) and its object; as few as make rows unique. A fraction is no key."""
    known = {n: _plain_name(c) for n, c in enumerate(columns)}
    places = [n for n, name in known.items() if name in PLACES and not _is_measure(n, left, right)]
    ids = [n for name in (*IDS, "") for n in known if known[n] == name and _may_name(n, left, right)]
    for found in ([*places, *([n] if n is not None else [])] for n in (*ids, None)):
        if _unique(left, found) and _unique(right, found):
            return [columns[p] for p in found]
    if ids:
        return [columns[p] for p in (*places, ids[0])]
    for n in known:  # names of anything, as long as each is there once
        cells = [row[n] for row in left]
        if cells and all(cells) and len(set(cells)) == len(cells) and _may_name(n, left, right, numbers=False):
            return [columns[n]]
    return []


def _may_name(place: int, left: list[Row], right: list[Row], *, numbers: bool = True) -> bool:
    """Whether a column can tell which row it is: no fractions; of text, something that both files have."""
    if _is_measure(place, left, right):
        return False
    one, two = ({plain(row[place]) for row in rows} for rows in (left, right))
    if any(whole(cell) is not None for cell in one):
        return numbers
    return not one.isdisjoint(two) or not one or not two


def _unique(rows: list[Row], places: list[int]) -> bool:
    return len({tuple(plain(row[p]) for p in places) for row in rows}) == len(rows) if places else False


def _translated(rows: list[Row], columns: Sequence[str], identity: str, translation: Translation) -> list[Row]:
    """Rows with A's numbers; what has no partner keeps its own, marked, so that it joins with nothing."""
    place = columns.index(identity)
    times = (n for n, c in enumerate(columns) if _plain_name(c) in TIMES and not _is_measure(n, rows))
    time = next(times, None)
    out = []
    for row in rows:
        own = whole(row[place])
        moment = whole(row[time]) if time is not None else None
        maps = [m for at, m in translation.items() if moment is None or len(at) != 1 or at[0] == moment]
        other = next((m[own] for m in maps if own is not None and own in m), None)
        out.append((*row[:place], f"B:{row[place]}" if other is None else str(other), *row[place + 1 :]))
    return out


def _join(
    left: list[Row], right: list[Row], places: list[int]
) -> tuple[list[tuple[int, int, Row]], list[int], list[int]]:
    """Pairs (row of B, row of A, key) in A's order, and the rows without a partner.

    Without keys, equal rows find each other wherever they stand; the rest pairs up in order.
    """

    def key(row: Row) -> Row:
        return tuple(plain(row[p]) for p in places) if places else row

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


def _above_rows(one: Table, two: Table, common: Sequence[str], ignore: Sequence[str], values: Values) -> None:
    """What stands above the rows: further lines of the header, titles and comments."""
    heads_a, heads_b = (_chosen(table.heads, table.columns, common) for table in (one, two))
    for line, pair in enumerate(zip_longest(heads_a, heads_b, fillvalue=("",) * len(common)), 2):
        values.compare([pair], common, (), f"{line} of the header")
    for line, pair in enumerate(zip_longest(one.above, two.above, fillvalue=()), 1):
        name = f"line {line} above the header"
        if not _matches(name, ignore):
            values.compare([((a,), (b,)) for a, b in zip_longest(*pair, fillvalue="")], [name], ())
