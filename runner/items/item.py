"""One item of a segment, and the way its path is read. There may be 100,000: each holds little."""

from __future__ import annotations

import re
from dataclasses import dataclass

# How an item was when it was looked at: of a file its size and time; () where there is nothing to look at
Mark = tuple[int, ...]
Combination = tuple[tuple[str, str], ...]  # of `matrix`: parameter and value

# `.ome.tif` and `.nii.gz` are one ending. An ending has a letter: of `scan_0.5` and `scan.001` all is the stem.
_ENDING = re.compile(r"(?:\.ome|\.nii(?=\.gz$)|\.tar(?=\.\w+$))?\.(?=[0-9_]*[a-z])[a-z0-9_]{1,12}$", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Item:
    """`key` identifies it for good, `text` is %ITEM%."""

    key: str
    text: str
    relative: str = ""  # to the fixed part of the pattern, with `/`; else its key
    columns: tuple[str, ...] = ()  # names of the CSV's columns, one tuple for all
    cells: tuple[str, ...] = ()
    is_file: bool = False  # found by a pattern: a file or folder
    mark: Mark | None = None  # as it was when it was found, None where nobody looked yet
    index: int = 0  # from 1
    combination: Combination = ()
    label: str = ""  # of the combination: %MATRIX%

    def __post_init__(self) -> None:
        self.relative = self.relative or self.key

    def column(self, name: str) -> str:
        """The cell in the column `name`, or the value of that parameter of `matrix`."""
        for parameter, value in self.combination:
            if parameter == name:
                return value
        return self.cells[self.columns.index(name)]


def parent_and_name(text: str, windows: bool) -> tuple[str, str]:
    """`text` cut at its last separator; the root keeps its own."""
    bare = text.rstrip("/\\" if windows else "/") or text
    cut = max(bare.rfind("/"), bare.rfind("\\") if windows else -1)
    if cut < 0:
        return "", bare
    parent = bare[:cut]
    return (bare[: cut + 1] if not parent or (windows and parent.endswith(":")) else parent), bare[cut + 1 :]


def stem_of(name: str) -> str:
    """`name` without its ending."""
    found = _ENDING.search(name, 1)
    return name[: found.start()] if found else name
