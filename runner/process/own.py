"""Which kind of tree a started process leads: that of its platform."""

from __future__ import annotations

import subprocess
import sys

from runner.process.tree import OwnedTree


def own(process: subprocess.Popen[bytes], marker: str, tag: int, before: frozenset[int]) -> OwnedTree:
    """The tree that `process`, just started, leads.

    `tag`: what was put on it (0: nothing), `before`: the orphans that we had adopted by then, where it has none.
    """
    if sys.platform == "win32":
        from runner.process.tree_windows import WindowsTree

        return WindowsTree(process, marker)
    else:  # noqa: RET505 (so that mypy for Windows leaves it out)
        from runner.process.tree_posix import PosixTree

        return PosixTree(process, marker, tag, before)
