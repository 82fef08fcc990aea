"""What is known of a segment that ended: one file, written whole or not at all, read back with every value checked."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from runner import __version__
from runner.frozen import frozen
from runner.ground.files import Syncer
from runner.ground.told import number, read_json, text, whole, write_json
from runner.model import Output
from runner.records.reading import counts, environment, outputs

SCHEMA = 1
NAME = "receipt.json"


class Result(StrEnum):
    """How a segment, or one item of it, came out."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    NOT_RUN = "not run"  # of an item: what it needs failed
    ANEW = "to be made anew"  # an item was done; what it is made of is made anew
    SUBMITTED = "submitted"  # it waits or runs on a cluster, and nobody waits for it here


@frozen
class Receipt:
    """Of a segment that ended. None and empty: not known."""

    segment: int | None = None
    name: str = ""
    content_hash: str = ""
    state: str = ""
    explanation: str = ""  # plain words, "" when it succeeded
    exit_code: int | None = None
    signal: int | None = None
    started: str = ""
    seconds: float | None = None
    peak_memory: int | None = None  # bytes, as gpu_memory
    cpu_time: float | None = None
    gpu_memory: int | None = None
    leftovers: Sequence[str] = ()  # processes that it left running, which we ended
    command: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[Output] = ()
    attempts: Sequence[Mapping[str, Any]] = ()
    items: Mapping[str, int] = field(default_factory=dict)  # how many of them came out how
    log: str = ""
    runner: str = __version__

    @property
    def succeeded(self) -> bool:
        return self.state == Result.SUCCEEDED

    @property
    def measured(self) -> dict[str, Any]:
        """What was measured, as the event of its end tells it."""
        names = ("exit_code", "signal", "started", "seconds", "peak_memory", "cpu_time", "gpu_memory", "leftovers")
        return {name: getattr(self, name) for name in names}

    def write(self, folder: Path, syncer: Syncer | None = None) -> None:
        """Raises StateError."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        write_json(folder / NAME, {"schema": SCHEMA, **own, **machine()}, syncer)


def read_receipt(path: Path) -> Receipt | None:
    """None where there is no map in the file; a value of the wrong kind counts as not there."""
    data = read_json(path)
    if data is None:
        return None
    found = {name: value for name, check in _CHECKS.items() if (value := check(data.get(name))) is not None}
    return Receipt(**({"runner": ""} | found))


_CHECKS: Mapping[str, Any] = {
    **dict.fromkeys(("name", "content_hash", "state", "explanation", "started", "runner", "log"), text),
    **dict.fromkeys(("segment", "exit_code", "peak_memory", "gpu_memory"), whole),
    **dict.fromkeys(("seconds", "cpu_time"), number),
    "environment": environment,
    "outputs": outputs,
    "items": counts,
}


@cache
def machine() -> dict[str, str]:
    """Which computer, system and user this is."""
    import socket

    from runner.state.holder import user

    return {"host": socket.gethostname(), "user": user(), "platform": _system()}


def _system() -> str:
    """As `platform.platform()`, which on Linux starts a program to learn of a processor that it does not name."""
    import platform

    if sys.platform != "linux":
        return platform.platform()
    own = os.uname()
    return f"{own.sysname}-{own.release}-{own.machine}-with-{''.join(platform.libc_ver())}"
