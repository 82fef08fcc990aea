"""Who holds a lock file, and whether that process can still be there."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import socket
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from runner.frozen import frozen
from runner.ground.told import number

# a lock of this host name from another start of the machine: may also be a second machine of the same name,
# whose heartbeat would then be seen within this time (seconds)
SAME_NAME_PATIENCE = 60.0
_TOKEN = re.compile(r"[\w-]{1,64}", re.ASCII)  # it becomes part of a file's name


@frozen
class Holder:
    """The content of a lock file."""

    token: str  # of this one lock, never used again
    host: str
    pid: int
    started: float | None  # creation time of the process, as runner.process.identity gives it
    boot: str  # start of the machine, and on Linux the process namespace
    user: str
    since: str  # ISO 8601 with offset
    what: str

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def __str__(self) -> str:
        """`ana@scope-3, process 4711, since 2025-09-19 14:03`."""
        return f"{self.who}, process {self.pid}, since {self.when}"

    @property
    def who(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def when(self) -> str:
        return self.since[:16].replace("T", " ")

    def age(self) -> float | None:
        """Seconds by this machine's clock since the lock was taken."""
        try:
            return datetime.now().timestamp() - datetime.fromisoformat(self.since).timestamp()
        except (ValueError, OverflowError):
            return None


def read_holder(data: bytes) -> Holder | None:
    """The holder that a lock file names; None for an empty or torn file, and for one with anything odd in it."""
    try:
        fields: dict[str, Any] = json.loads(data)
        holder = Holder(**{name: fields[name] for name in Holder.__dataclass_fields__})
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return holder if _is_sound(holder) else None


def _is_sound(holder: Holder) -> bool:
    texts = (holder.token, holder.host, holder.boot, holder.user, holder.since, holder.what)
    if not all(isinstance(text, str) for text in texts) or not _TOKEN.fullmatch(holder.token):
        return False
    if type(holder.pid) is not int or not 0 < holder.pid < 2**31:
        return False
    return holder.started is None or number(holder.started) is not None


def this_process(what: str) -> Holder:
    """A new holder with this process's identity and a token of its own."""
    pid = os.getpid()
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    host, boot, user = _machine()
    return Holder(os.urandom(8).hex(), host, pid, _started(pid), boot, user, since, what)


def is_this_process(holder: Holder) -> bool:
    pid = os.getpid()
    host, boot, _ = _machine()
    return (holder.host, holder.boot, holder.pid, holder.started) == (host, boot, pid, _started(pid))


def proven_dead(holder: Holder, silence: Callable[[], float], expiry: float) -> bool:
    """Whether `holder` cannot be running any more. `silence` gives the seconds since its last heartbeat."""
    from runner.process.identity import is_alive

    host, boot, _ = _machine()
    if holder.host != host:
        return silence() > expiry
    if boot and holder.boot and holder.boot != boot:
        return silence() > min(SAME_NAME_PATIENCE, expiry)
    return not is_alive(holder.pid, holder.started)


@cache
def _machine() -> tuple[str, str, str]:
    """Host name, boot and user; none changes while this process lives."""
    from runner.host import this_host
    from runner.process.identity import boot_id

    boot = boot_id(this_host(interactive=False))
    with contextlib.suppress(OSError):  # only Linux has it: a container counts its processes anew
        boot += " " + str(Path("/proc/self/ns/pid").readlink())
    return socket.gethostname(), boot, user()


@cache
def _started(pid: int) -> float | None:
    from runner.process.identity import process_started

    return process_started(pid)


def user() -> str:
    """Of this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return ""
