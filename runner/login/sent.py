"""How files were when we sent or brought them: what is different by now was changed by somebody else."""

from __future__ import annotations

from pathlib import Path

from runner.ground.told import read_json, write_json


def same_time(one: int, other: int) -> bool:
    """Times of two disks, in ns: NTFS counts in 100 ns, some shares in seconds, FAT in two of them."""
    apart = abs(one - other)
    return apart < 100 or (apart <= 2 * 10**9 and (one % 10**9 == 0 or other % 10**9 == 0))


class Known:
    """Size and time of files by their names, in a file of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        told = read_json(path) or {}
        self._files = {name: row for name, row in told.items() if _is_row(row)}
        self._changed = False

    def is_ours(self, name: str, size: int, changed: int) -> bool:
        """Whether the file is as we left it."""
        row = self._files.get(name)
        return row is not None and row[0] == size and same_time(row[1], changed)

    def beside(self, name: str) -> str:
        """Where the file was put in the place of its own; "" where it lies there."""
        row = self._files.get(name)
        return str(row[2]) if row and len(row) > 2 else ""

    def note(self, name: str, size: int, changed: int, beside: str = "") -> None:
        self._files[name] = [size, changed, beside] if beside else [size, changed]
        self._changed = True

    def save(self) -> None:
        """Raises StateError."""
        if self._changed:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._path, self._files)
            self._changed = False


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) in (2, 3)
        and all(type(one) is int for one in row[:2])
        and all(isinstance(one, str) for one in row[2:])
    )
