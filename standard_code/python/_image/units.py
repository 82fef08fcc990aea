"""Units of length and of time, as OME, UDUNITS (OME-Zarr), ImageJ and the people who use them write them."""

from __future__ import annotations

import html
import re
import unicodedata
from contextlib import suppress
from functools import cache

# What stands where an image has no unit: its numbers are pixels, or nothing that is known.
NONE = frozenset(
    {"", "pixel", "pixels", "px", "pix", "voxel", "voxels", "none", "null", "unknown", "n/a", "-", "?"}
    | {"frame", "frames", "reference frame", "gray value", "arbitrary", "unit", "units"}
)
_PREFIXES = (
    ("Y", "yotta", 24), ("Z", "zetta", 21), ("E", "exa", 18), ("P", "peta", 15), ("T", "tera", 12), ("G", "giga", 9),
    ("M", "mega", 6), ("k", "kilo", 3), ("h", "hecto", 2), ("da", "deca", 1), ("da", "deka", 1), ("", "", 0),
    ("d", "deci", -1), ("c", "centi", -2), ("m", "milli", -3), ("μ", "micro", -6), ("u", "micro", -6),
    ("n", "nano", -9), ("p", "pico", -12), ("f", "femto", -15), ("a", "atto", -18), ("z", "zepto", -21),
    ("y", "yocto", -24),
)  # fmt: skip
# Micrometres. A point is that of printing; the last four are OME's too.
_LENGTHS = {
    "micron": 1.0, "microns": 1.0, "μ": 1.0, "A": 1e-4, "å": 1e-4, "angstrom": 1e-4, "angstroms": 1e-4,
    "ångström": 1e-4, "ångstrom": 1e-4, "ångströms": 1e-4, "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
    '"': 25400.0, "thou": 25.4, "mil": 25.4, "mils": 25.4, "li": 25400 / 12, "ft": 304800.0, "foot": 304800.0,
    "feet": 304800.0, "yd": 914400.0, "yard": 914400.0, "yards": 914400.0, "mi": 1609344e3, "mile": 1609344e3,
    "miles": 1609344e3, "pt": 25400 / 72, "ua": 149597870700e6, "ly": 9460730472580800e6, "pc": 3.0856775814913673e22,
    "parsec": 3.0856775814913673e22,
}  # fmt: skip
_TIMES = {
    "sec": 1.0, "secs": 1.0, "msec": 1e-3, "msecs": 1e-3, "usec": 1e-6, "μsec": 1e-6, "nsec": 1e-9,
    "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hrs": 3600.0,
    "hour": 3600.0, "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip


def micrometres(unit: str) -> float | None:
    """How many micrometres one `unit` is; None where it is no unit of length."""
    return _found(unit, _lengths())


def seconds(unit: str) -> float | None:
    """How many seconds one `unit` is; None where it is no unit of time."""
    return _found(unit, _times())


def is_none(unit: str) -> bool:
    """Whether this says that there is no unit, rather than one that is not known here."""
    return plain(unit).casefold() in NONE


def plain(unit: str) -> str:
    """`unit` with one sign for each letter, whatever a program made of its µ and Å."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), html.unescape(unit))
    with suppress(UnicodeError):
        text = text.encode("cp1252").decode()  # UTF-8 that was read as Windows' text: Âµm
    return unicodedata.normalize("NFKC", text).strip(" \t\r\n\0.[]()")


def _found(unit: str, known: dict[str, float]) -> float | None:
    """Capitals count where they make a difference, as in mm and Mm; MM and Micron are told by their small letters."""
    text = plain(unit)
    return known.get(text) or known.get(text.casefold())


@cache
def _lengths() -> dict[str, float]:
    return _prefixed("m", ("meter", "meters", "metre", "metres"), 6) | _LENGTHS


@cache
def _times() -> dict[str, float]:
    return _prefixed("s", ("second", "seconds"), 0) | _TIMES


def _prefixed(symbol: str, names: tuple[str, ...], power: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for short, long, each in _PREFIXES:
        found |= dict.fromkeys([short + symbol, *(long + name for name in names)], float(f"1e{each + power}"))
    return found
