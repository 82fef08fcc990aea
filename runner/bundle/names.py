"""What an environment is called in a bundle; where two would have one name, the manifest's counts (`-2` behind it)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runner.environments import kind, parts
from runner.model import EnvironmentSpec, ResolvedEntry
from runner.tasks import Task

RUNNER = "runner"  # the runner's own; no other has a name without a minus sign
_LONGEST = 40  # Windows' paths are short


def name_of(task: Task) -> str:
    """Of the environment that the commands of `task` run in; of a combined one, what stands above."""
    return part_name(parts(task.spec)[-1], task.entries)


def part_name(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry] = ()) -> str:
    """Of an environment that is not put together: uv-segment-er, uv-cells-py3.12, script-measure, conda-er."""
    first, told = kind(spec).tool, spec.name
    if kind(spec).by_commands:
        key = kind(spec).key(spec, entries)
        first, told = "script", str(key[1]) if isinstance(key, tuple) else ""
    own = re.split(r"[/\\]", told.rstrip("/\\"))[-1].removesuffix(".py")
    words = (first, _plain(own)[:_LONGEST], spec.python and f"py{_plain(spec.python)}")
    return "-".join(word for word in words if word)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
