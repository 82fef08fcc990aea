"""What a process is called, asked of one that may end meanwhile."""

from __future__ import annotations

from contextlib import suppress

import psutil


def words_of(process: psutil.Process) -> list[str]:
    """Its command line, or nothing of one that is gone."""
    with suppress(psutil.Error, OSError):
        return process.cmdline()
    return []


def name_of(process: psutil.Process) -> str:
    """Its program's name, or nothing of one that is gone."""
    with suppress(psutil.Error, OSError):
        return process.name()
    return ""


def parent_of(process: psutil.Process) -> psutil.Process | None:
    """What started it, or nothing where one of the two is gone."""
    with suppress(psutil.Error, OSError):
        return process.parent()
    return None


def runs(process: psutil.Process | int) -> bool:
    """Whether it, or the one of this number, is there and no zombie."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(process) if isinstance(process, int) else process
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
