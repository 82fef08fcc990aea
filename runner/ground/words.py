"""Sizes and times in words: the one way to show them to people, and to read a size that one of them wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_NUMBER = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_MOST = 1 << 62  # more than any machine has
_HOW = "write a size such as 500 MB, 16 GB or 2 GiB"


def size_text(size: float | None) -> str:
    """`200 B`, `1.5 KiB`, `340 MiB`, `2 GiB`; "" where unknown."""
    if size is None:
        return ""
    for unit in _UNITS:
        digits = 0 if unit == "B" or size >= 99.95 else 1
        shown = f"{size:.{digits}f}".removesuffix(".0")
        if float(shown) < 1024:
            break
        size /= 1024
    return f"{shown} {unit}"


def time_text(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `2 h 7 min`; "" where unknown."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f}".removesuffix(".0") + " s"
    total = round(seconds)
    if total >= 3600:
        total = round(total / 60) * 60
    hours, rest = divmod(total, 3600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{value} {unit}" for value, unit in parts if value)


def size_of(text: str, whole: int | None = None) -> int:
    """Bytes in what a person wrote: `16 GB` (thousands), `2GiB` (1024s), `1.5 G`, `1000`; `50%` of `whole`.

    Raises ValueError, which says what is wrong.
    """
    if text.strip().endswith("%"):
        share = share_of(text)
        if whole is None:
            raise ValueError(f"{text!r} is a share, of which nothing is known here; {_HOW}")
        return int(whole * share)
    found = re.fullmatch(_NUMBER + r"\s*(?:([kmgt])(i?)b?|b|bytes?)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError(_wrong(text))
    number, letter, binary = found.groups()
    power = " kmgt".index(letter.lower()) if letter else 0
    size = float(number) * (1024.0 if binary else 1000.0) ** power
    if size > _MOST:
        raise ValueError(f"{text!r} is more than any machine has")
    return round(size)


def share_of(text: str) -> float:
    """`90%` -> 0.9. Raises ValueError, which says what is wrong."""
    found = re.fullmatch(_NUMBER + r"\s*%", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no share; write one such as 90%")
    share = float(found[1]) / 100
    if share > 1:
        raise ValueError(f"{text!r} is more than 100%")
    return share


def _wrong(text: str) -> str:
    if not text.strip():
        return f"it is empty; {_HOW}"
    if text.strip().startswith("-"):
        return f"{text!r} is less than nothing; {_HOW}"
    if re.fullmatch(r"[0-9]+(,[0-9]+)+\s*[a-z]*", text.strip(), re.IGNORECASE):
        return f"{text!r} has a comma; write a decimal point, and nothing between thousands"
    if number := re.match(r"[0-9.]+\s*([a-zµ]+)$", text.strip(), re.IGNORECASE):
        return f"{text!r}: {number[1]} is no unit of size (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB)"
    return f"{text!r} is no size; {_HOW}"


def counted(count: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {what}{'s' * (count != 1)}"


def joined(*notes: str) -> str:
    """Those that say something, side by side."""
    return "; ".join(note for note in notes if note)


def some(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shown(path: Path, repo: Path) -> str:
    """As messages and records name a file: by its place in the repository, where it is there."""
    return path.relative_to(repo).as_posix() if path.is_relative_to(repo) else str(path)
