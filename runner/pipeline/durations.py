"""Times as people write them in a pipeline file: 90, 90s, 15m, 3h, 1d, 1h30m."""

from __future__ import annotations

import re

PATTERN = r"^\s*([0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*)+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BARE = re.compile(r"\s*[0-9]+(\.[0-9]+)?\s*")


def seconds_of(text: str) -> float:
    """Seconds in `text`; ValueError when it is no time."""
    if _BARE.fullmatch(text):
        return float(text)
    if not re.fullmatch(PATTERN, text):
        raise ValueError(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
