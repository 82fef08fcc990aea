"""Who works in a virtual environment: changed or removed under a running program, it fails at its next import."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import Busy

if TYPE_CHECKING:
    import psutil


def programs_in(folder: Path) -> list[str]:
    """The processes of this machine that run from an environment, as `name (process 4711)`."""
    import psutil

    found = []
    for process in psutil.process_iter(["name", "exe", "cmdline"]):
        if process.pid != os.getpid() and _runs_from(process, folder):
            found.append(f"{process.info['name']} (process {process.pid})")
    return found


def in_use(what: str, programs: Sequence[str]) -> Busy:
    """That `what` cannot be changed while these run from it."""
    return Busy(f"{what} is in use by {', '.join(programs[:3])}", "Wait until that has ended, or end it first.")


def _runs_from(process: psutil.Process, folder: Path) -> bool:
    import psutil

    start = os.path.normcase(str(folder) + os.sep)
    words = [process.info["exe"] or "", *(process.info["cmdline"] or [])[:1]]
    if any(os.path.normcase(word).startswith(start) for word in words):
        return True
    if "python" not in Path(words[0] or process.info["name"] or "").name.lower():
        return False  # an editor, say, that was started where the environment was active
    try:
        own = process.environ().get("VIRTUAL_ENV", "")
    except (psutil.Error, OSError):
        return False  # another user's: its program tells, or nothing does
    return bool(own) and os.path.normcase(own) == os.path.normcase(str(folder))
