"""Where a segment says that it writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.frozen import frozen
from runner.ground.patterns import fits, fixed_part, full_pattern, unescaped
from runner.inputs.flags import output_values
from runner.model import ResolvedEntry


@frozen
class Told:
    """A file or folder with all that lies in it; with a pattern (`rest`), what that matches below `root`."""

    root: str
    rest: str = ""

    def covers(self, path: str) -> bool:
        """Whether the segment may write `path`."""
        path, root = os.path.normcase(path), os.path.normcase(self.root)
        if path == root:
            return not self.rest
        if not path.startswith(root if root.endswith(os.sep) else root + os.sep):
            return False
        parts = Path(path[len(root) :].lstrip(os.sep)).parts
        pattern = Path(self.rest).parts
        return not pattern or any(fits(parts[:end], pattern) for end in range(1, len(parts) + 1))


def absolute(value: str, cwd: str) -> str:
    """`value` as a path, `..` and `~` followed, links not."""
    return os.path.abspath(os.path.join(cwd, os.path.expanduser(value)))  # noqa: PTH100, PTH111, PTH118


def of_pattern(pattern: str, cwd: str) -> Told:
    """A glob as in `inputs` and `outputs`, or a plain path."""
    full = full_pattern(pattern, cwd)
    root, rest = fixed_part(full)
    return Told(absolute(str(root), cwd), rest) if rest else Told(absolute(unescaped(full), cwd))


def told_by(entries: Sequence[ResolvedEntry], outputs: Iterable[str], cwd: str) -> tuple[Told, ...]:
    """By its declared `outputs`, and by the flags that name an output."""
    declared = [of_pattern(pattern, cwd) for pattern in outputs]
    return tuple(dict.fromkeys([*declared, *(Told(absolute(value, cwd)) for value in output_values(entries))]))
