"""Cells that stand side by side, column by column, each against its tolerance."""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from _compare.cells import NONE, has_fractions, is_code, is_id, loose_number, whole
from _compare.table_head import Row

Pair = tuple[Row, Row]

RTOL = 1e-5  # of values with a fraction, when no limit is given; whole numbers must then be equal
SCALE = 1e-12  # of a column's median size: what counts as zero in it, left over from sums of larger numbers
BEYOND = 1.001  # times the tolerance: the least for whole numbers that differ and may not
LARGEST = 1e300
LISTED = 30
SHOWN = 80  # signs of a cell
NO_VALUE = "no value"
ROW_NAME = "row name"  # what a column without a name is called


@dataclass
class Tolerances:
    """What the user allows; None is what this module has for each kind of column."""

    rtol: float | None = None
    atol: float | None = None
    columns: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass
class Values:
    """What was found so far: cells beyond the tolerance, by column, and the largest difference over the tolerance."""

    tolerances: Tolerances
    unequal: int = 0
    over: float = 0.0
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    _worst: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list)  # a heap of a few

    def compare(self, pairs: Sequence[Pair], columns: Sequence[str], places: Sequence[int], line: str = "") -> None:
        """Take in pairs of rows; `places` are the keys, equal already, which name the rows, unless `line` does."""
        keys = set(places)
        for place, name in enumerate(columns):
            if place not in keys and any(a[place] != b[place] for a, b in pairs):
                self._column(pairs, place, name, lambda row: {"line": line} if line else named(row, columns, places))

    def _column(self, pairs: Sequence[Pair], place: int, name: str, names: Callable[[Row], dict[str, str]]) -> None:
        column = _Column.of(name, [(a[place], b[place]) for a, b in pairs], self.tolerances)
        beyond, most, largest = 0, 0.0, 0.0
        for one, two in pairs:
            if one[place] == two[place]:
                continue
            over, difference = column.over(one[place], two[place])
            if over == 0:
                continue
            self.unequal += 1
            self.over, largest, most = max(self.over, over), max(largest, over), max(most, difference)
            if over > 1:
                beyond += 1
                self._list({"column": name or ROW_NAME}, min(over, LARGEST), (one, two), place, names)
        if most or beyond:
            found = self.columns.setdefault(name, {"beyond": 0, "largest_difference": 0.0, "over": 0.0})
            found["beyond"] += beyond
            found["over"] = max(found["over"], min(largest, LARGEST))
            found["largest_difference"] = max(found["largest_difference"], min(most, LARGEST))
            found |= {"rtol": column.rtol, "atol": column.atol}

    def _list(self, cell: dict[str, Any], over: float, pair: Pair, place: int, names: Callable[[Row], Any]) -> None:
        """Keep a cell if it is one of the worst; of equal ones the first."""
        if len(self._worst) == LISTED and over <= self._worst[0][0]:
            return
        a, b = (_shown(row[place]) for row in pair)
        keep = heapq.heappushpop if len(self._worst) == LISTED else heapq.heappush
        keep(self._worst, (over, -self.unequal, {"row": names(pair[0]), **cell, "a": a, "b": b, "over": over}))

    def result(self) -> dict[str, Any]:
        """For the report."""
        return {
            "cells_unequal": self.unequal,
            "cells_beyond": sum(column["beyond"] for column in self.columns.values()),
            "over_tolerance": min(self.over, LARGEST),
            "columns": self.columns,
            "worst": [cell for _, _, cell in sorted(self._worst, reverse=True)],
        }


@dataclass
class _Column:
    """How the cells of one column are judged."""

    rtol: float
    atol: float
    measure: bool  # some have a fraction, so that whole numbers are measures too
    exact: bool  # no tolerance for whole numbers
    ids: bool  # nor are they ever a little different
    numbers: bool  # and nothing else, so that NA is no text there

    @classmethod
    def of(cls, name: str, cells: Sequence[tuple[str, str]], given: Tolerances) -> _Column:
        own = given.columns.get(name)
        measure = any(has_fractions(pair) for pair in cells)
        ids = own is None and (is_code(name) or (is_id(name) and not measure))
        own = own or {}
        rtol, atol = own.get("rtol", given.rtol), own.get("atol", given.atol)
        exact = ids or (rtol is None and atol is None and not measure)
        if atol is None:
            sizes = [abs(value) for a, _ in cells if (value := loose_number(a)) and math.isfinite(value)]
            atol = SCALE * statistics.median_low(sizes) if sizes and measure else 0.0
        numbers = all(loose_number(cell) is not None or cell.lower() in NONE for pair in cells for cell in pair)
        return cls(RTOL if rtol is None else rtol, atol, measure and not ids, exact, ids, numbers)

    def over(self, one: str, two: str) -> tuple[float, float]:
        """The difference over what is allowed, and the difference itself; text that differs is beyond any tolerance."""
        read = loose_number if self.measure else whole
        a, b = read(one), read(two)
        if a is None or b is None:
            none = self.numbers and NONE.issuperset((one.lower(), two.lower()))
            return 0.0 if none else math.inf, 0.0
        if a == b or (math.isnan(a) and math.isnan(b)):
            return 0.0, 0.0
        try:
            difference = float(abs(a - b))
            allowed = self.atol + self.rtol * float(max(abs(a), abs(b)))
        except OverflowError:
            return math.inf, math.inf
        if not math.isfinite(difference) or self.ids:
            return math.inf, difference
        over = difference / allowed if allowed else math.inf
        return max(over, BEYOND) if self.exact else over, difference


def _shown(cell: str) -> str:
    cell = " ".join(cell.split())
    return (cell if len(cell) <= SHOWN else f"{cell[: SHOWN // 2]} … {cell[-SHOWN // 2 :]}") or NO_VALUE


def named(row: Row, columns: Sequence[str], places: Sequence[int]) -> dict[str, str]:
    """The keys of a row, or else its first cells where there are several."""
    return {columns[p] or ROW_NAME: row[p][:SHOWN] for p in places or range(min(3, len(row)) if len(row) > 1 else 0)}
