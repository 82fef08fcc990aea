"""Where a table's header is: below titles and comments, one name short as R writes it, of several lines, or nowhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from _compare.cells import NONE, number
from _program.files import UserError

Row = tuple[str, ...]

MOST = 100_000_000  # cells of a table
SEEN = 50  # rows that tell which columns hold numbers
ROW_NUMBERS = ("", "unnamed: 0")  # heads of a first column that may hold nothing but the number of the row
INDEX = "__index_level_0__"  # the same in a Parquet file of pandas, at any place
NUMBERED = "\0"  # what such a column is called when it does; no file has this name


@dataclass
class Table:
    """`above` are titles and comments; `heads` are lines below the names that are no rows, such as one of units.

    Between the rows there may be `blank` ones, without a value.
    """

    columns: Row
    rows: list[Row]
    above: list[Row] = field(default_factory=list)
    heads: list[Row] = field(default_factory=list)
    blank: int = 0


def with_head(lines: Iterable[Sequence[str]]) -> Table:
    """The table in lines of cells. Raises UserError for one that is too large."""
    given, before, blank = [], [], 0
    for line in lines:
        if any(line):
            given.append(line)
            before.append(blank)
            blank = 0
        else:
            blank += 1
    rows = [_trimmed(line) for line in given]
    if not rows:
        return Table((), [])
    usual = max((count, width) for width, count in Counter(map(len, given)).items())[1]
    wide = max(len(row) for row, line in zip(rows, given, strict=True) if len(line) == usual)
    numeric = _numeric(rows)
    lengths = list(map(len, given))  # with the blanks at the end: a mark too many is no name too few
    last_other = max((n for n, length in enumerate(lengths) if length != wide), default=-1)
    one_short = last_other if _is_one_short(rows, lengths, last_other, wide, numeric) else -1
    first = next((n for n, row in enumerate(rows) if len(row) >= wide or n == one_short), 0)
    if not _is_named(rows[first], numeric):  # there may be names for some of the columns
        first = next((n for n in range(first - 1, -1, -1) if len(rows[n]) > 1 and _heads(rows[n], numeric)), first)
    if not _is_named(rows[first], numeric):
        return _table((), rows[first:], rows[:first], [], sum(before[first + 1 :]))
    end, names = _block(rows, first, numeric)
    block = rows[first:end]
    heads = [row for row in block if row is not names and not row[0].startswith("#") and len(row) >= wide - 1]
    above = [row for row in block if row is not names and row not in heads]
    own = next(lengths[n] for n in range(first, end) if rows[n] is names)
    if len(names) == own == wide - 1 and last_other < end < len(rows):
        names = ("", *names)
    names = (names[0].lstrip("# "), *names[1:])
    return _table(names, rows[end:], rows[:first] + above, heads, sum(before[end + 1 :]))


def _block(rows: list[Row], first: int, numeric: set[int]) -> tuple[int, Row]:
    """Where the rows begin, and which line of the header has the names: words, each another one."""
    found, place = [rows[first]], first + 1
    end = place
    while place < len(rows) and (_heads(rows[place], numeric) or _has_word(rows[place], numeric)):
        place += 1
        if _heads(rows[place - 1], numeric):
            found = [*found, rows[place - 1]] if end == place - 1 else [rows[place - 1]]  # facts end at the last number
            end = place
    return end, min(found, key=_unlike_names)


def _unlike_names(row: Row) -> tuple[bool, int, int, int]:
    """Names are words, each another one, and seldom several."""
    return row[0].startswith("#"), sum(map(_is_no_word, row)), -len(set(row)), sum(" " in cell for cell in row)


def _is_no_word(cell: str) -> bool:
    return cell != "" and not any(map(str.isalpha, cell))


def _has_word(row: Row, numeric: set[int]) -> bool:
    """Whether words stand where numbers follow."""
    return any(number(row[p]) is None and row[p].lower() not in NONE for p in numeric if p < len(row))


def _trimmed(line: Sequence[str]) -> Row:
    end = len(line)
    while end and not line[end - 1]:
        end -= 1
    return tuple(line[:end])


def _numeric(rows: list[Row]) -> set[int]:
    """The columns that hold numbers, judged by the last rows."""
    last = rows[-min(SEEN, max(1, len(rows) // 2)) :]
    filled: Counter[int] = Counter()
    numbers: Counter[int] = Counter()
    for row in last:
        filled.update(place for place, cell in enumerate(row) if cell)
        numbers.update(place for place, cell in enumerate(row) if number(cell) is not None)
    return {place for place, count in numbers.items() if count * 2 >= filled[place]}


def _is_one_short(rows: list[Row], lengths: list[int], place: int, wide: int, numeric: set[int]) -> bool:
    """Whether that row is a header of R's, one cell less than in all rows below; not a title above the real one."""
    if not 0 <= place < len(rows) - 1 or rows[place][0].startswith("#"):
        return False
    return len(rows[place]) == lengths[place] == wide - 1 and not _heads(rows[place + 1], numeric)


def _heads(row: Row, numeric: set[int]) -> bool:
    """Whether it can only be a line of a header: a comment, or words alone where numbers follow."""
    return row[0].startswith("#") or (_has_word(row, numeric) and all(number(cell) is None for cell in row))


def _is_named(row: Row, numeric: set[int]) -> bool:
    """Whether it has names; a matrix has numbers from its first line on. Without a name in front, it has row names."""
    return not row[0] or not numeric or _has_word(row, numeric)


def _table(names: Row, rows: list[Row], above: list[Row], heads: list[Row], blank: int) -> Table:
    """Every column that has a name or a cell; rows of one width."""
    known = [place for place, name in enumerate(names) if name]
    used = {
        place for row in (*rows, *heads) if len(row) > len(names) for place in range(len(names), len(row)) if row[place]
    }
    unnamed = [place for place, name in enumerate(names) if not name]
    used |= {place for place in unnamed if any(place < len(row) and row[place] for row in (*rows, *heads))}
    places = sorted({*known, *used})
    if len(rows) * len(places) > MOST:
        raise UserError(f"holds {len(rows):,} rows of {len(places):,} columns, too many to be compared")
    columns = [names[p] if p < len(names) and (names[p] or p == 0) else f"unnamed {p + 1}" for p in places]

    def full(some: list[Row]) -> list[Row]:
        if places == list(range(len(places))):
            return [row + ("",) * (len(places) - len(row)) for row in some]
        return [tuple(row[p] if p < len(row) else "" for p in places) for row in some]

    return replace(named(columns, full(rows), full(heads)), above=above, blank=blank)


def named(names: Sequence[str], rows: list[Row], heads: Sequence[Row] = ()) -> Table:
    """A table whose names are known; a column of nothing but row numbers gets a name that says so."""
    counted = [n for n, name in enumerate(names) if name == INDEX or (n == 0 and name.lower() in ROW_NUMBERS)]
    columns = list(names)
    for place in counted:
        if any(row[place] for row in heads):
            continue
        if len(names) > 1 and any(all(r[place] == str(n) for n, r in enumerate(rows, start)) for start in (0, 1)):
            columns[place] = NUMBERED
    return Table(_unique(columns), rows, heads=list(heads))


def _unique(names: Sequence[str]) -> Row:
    """Each column with a name of its own: the second `v` is `v (2)`."""
    known, seen = set(names), Counter[str]()
    out = []
    for name in names:
        seen[name] += 1
        own = name
        while seen[name] > 1 and (own := f"{name} ({seen[name]})") in known:
            seen[name] += 1
        known.add(own)
        out.append(own)
    return tuple(out)
