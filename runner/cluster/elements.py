"""Numbers of an array's elements, as schedulers and people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def ranges(numbers: Iterable[int]) -> str:
    """0-3,7: as Slurm and people write it."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)


def indices_of(text: str) -> Iterator[int]:
    """Of `0-3,7,10-20:2%4`."""
    for part in text.partition("%")[0].split(","):
        if match := re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part):
            yield from range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1))
