"""What a cell of a table says: a whole number, a number with a fraction, or text. `00123` and `0E5` are text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal

DIGITS = 4000  # of a number; more are text
# no value among numbers, as R, pandas, Excel, SQL and C write it
NONE = {"", "na", "n/a", "#n/a", "<na>", "null", "none", "-nan"}
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d*)", re.ASCII)
# no program writes a number as 1E5, so that is a well or a plate; as 1.0E5 and 1e+05 they do
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.\d*|\.\d+)(?:e[+-]?\d+)?|\d+e[+-]\d+|inf(?:inity)?)", re.ASCII | re.IGNORECASE)
_RUST = re.compile(r"[+-]?[1-9]e\d{1,2}", re.ASCII)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CODES = {"id", "ids", "uuid", "label", "labels", "barcode", "code", "name", "sample", "plate", "parent"}
_COUNTED = {"number", "nr", "num", "no", "index", "idx", "object", "objects"}  # may also be the name of a measure
_THINGS = {"cell", "nucleus", "track", "spot", "roi", "mother", "daughter", "lineage", "cluster", "class", "group",
           "well", "frame", "slice", "image", "region", "segment"}  # alone, the number of one  # fmt: skip
_JOINED = re.compile(r"(?:cell|object|track|image|spot|nucleus|label|parent|roi|sample|plate|well)ids?")


def number(text: str) -> float | None:
    """The number that a program wrote there."""
    if not (_WHOLE.fullmatch(text) or _NUMBER.fullmatch(text)):
        return None
    value = float(text)
    too_large = math.isinf(value) and text[-1].isdigit()  # then 1e+400 would be 1e+500
    return None if too_large else value


def loose_number(text: str) -> float | None:
    """As `number`, in a column that is known to hold measures: Rust's 1e16 is a number there."""
    return float(text) if _RUST.fullmatch(text) else number(text)


def whole(text: str) -> int | None:
    """The whole number that is written there, to the last digit, also as 3.0 or 3e+00."""
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) <= DIGITS else None
    value = number(text)
    if value is None or not math.isfinite(value):
        return None
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else None


def plain(text: str) -> str:
    """1 and 1.0 are one key; 01 is another."""
    if _is_plain(text):
        return text
    value = whole(text)
    return text if value is None else str(value)


def _is_plain(text: str) -> bool:
    """What most cells of keys are, told in a moment: digits alone, or a word."""
    return text.isalpha() or (text.isascii() and text.isdigit() and text[0] != "0")


def has_fractions(cells: Iterable[str]) -> bool:
    """Whether these are measures: at least one has digits behind the point."""
    return any(not _is_plain(cell) and number(cell) is not None and whole(cell) is None for cell in cells)


def is_code(name: str) -> bool:
    """Whether a column or key of this name holds names, so that 1.1 and 1.10 are two of them."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return bool(words) and (words[-1] in _CODES or words[0] == "parent" or bool(_JOINED.fullmatch(words[-1])))


def is_id(name: str) -> bool:
    """Whether whole numbers in a column or key of this name tell which one, and not how much."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return is_code(name) or (bool(words) and (words[-1] in _COUNTED or (len(words) == 1 and words[0] in _THINGS)))
