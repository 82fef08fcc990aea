"""`compare DIR_A DIR_B`: what lies in two folders."""

from __future__ import annotations

from pathlib import Path

from runner.compare.measuring import Measurer, climb
from runner.compare.pairing import items_below, join
from runner.compare.results import Comparison, Part
from runner.errors import UsageError


def compare_folders(a: Path, b: Path, measurer: Measurer) -> Comparison:
    """Pairs of all files below, a part for each subfolder of the first level. Raises RunnerError."""
    ignore = measurer.settings.ignore
    try:
        pairs = join(items_below(a, ignore), items_below(b, ignore))
    except OSError as error:
        raise UsageError(
            f"{error.filename} cannot be read: {error.strerror}", "Check the drive and your rights."
        ) from error
    if not pairs:
        raise UsageError(f"there is no file in {a} and none in {b}", "Check the names of the folders.")
    parts: dict[str, Part] = {}
    for pair in pairs:
        name = pair.name.partition("/")[0] if "/" in pair.name else "(top)"
        parts.setdefault(name, Part(name)).pairs.append(pair)
    for name, part in parts.items():
        below = "" if name == "(top)" else name
        part.a.outputs, part.b.outputs = [str(a / below)], [str(b / below)]
    climb(pairs, measurer)
    return Comparison(str(a), str(b), list(parts.values()), pipelines=False)
