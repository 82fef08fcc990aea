"""The one call of Popen, and the list of what we started ourselves."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from runner.process import tag as tags
from runner.process.launch import Launch

# held from the fork to the entry in OURS, so that nobody takes a new child for an abandoned process
LOCK = threading.Lock()
OURS: set[int] = set()
_CREATE_SUSPENDED = 0x00000004
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_CREATE_NO_WINDOW = 0x08000000
_prepared = False


def spawn(
    launch: Launch,
    *,
    env: Mapping[str, str],
    cwd: str | None,
    stdin: int | None,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    hidden: bool = False,
    suspended: bool = False,
    tag: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a process as the leader of its own session (POSIX) or process group (Windows). Raises OSError.

    `tag` (Linux): what it and its descendants are known by.
    `hidden` and `suspended` are for Windows: no console window; not running until it is resumed.
    """
    prepare()
    flags = 0
    if sys.platform == "win32":
        flags = _CREATE_NEW_PROCESS_GROUP | (_CREATE_NO_WINDOW if hidden else 0)
        flags |= _CREATE_SUSPENDED if suspended else 0
    with LOCK:
        old = tags.put_on(tag)
        try:
            process = subprocess.Popen(
                launch.args,
                executable=launch.executable,
                env=env,
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                bufsize=0,
                start_new_session=sys.platform != "win32",
                creationflags=flags,
            )
        finally:
            tags.take_off(old)
        OURS.add(process.pid)
    return process


def forget(process: subprocess.Popen[bytes]) -> None:
    """To be called once the process is reaped: its pid may now be anybody's."""
    with LOCK:
        OURS.discard(process.pid)


def prepare() -> None:
    """Once: see to it that no descendant gets out of sight."""
    global _prepared
    if _prepared:
        return
    _prepared = True
    if sys.platform != "win32":
        _hear_of_exits()
    if sys.platform == "linux":
        _become_subreaper()
    elif sys.platform == "win32":
        from runner.process.jobs_windows import die_with_us

        die_with_us()


def _hear_of_exits() -> None:
    """Whoever started us may have had SIGCHLD ignored; the system would then throw our children's exit codes away."""
    if sys.platform != "win32":
        import signal

        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _become_subreaper() -> None:
    """Orphaned descendants become our children instead of init's (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def adopted() -> set[int] | None:
    """Linux: pids of orphans that became our children, dead ones included; None where the kernel does not list them.

    They are given to the main thread, as are the children of other threads once those end. The caller holds LOCK.
    """
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", "rb", buffering=0) as stream:  # noqa: PTH123
            return set(map(int, stream.read().split())) - OURS
    except OSError:
        return None


def adopted_before() -> frozenset[int]:
    """Linux: orphans that we have already, none of which the next tree leaves."""
    prepare()
    if sys.platform != "linux":
        return frozenset()
    with LOCK:
        return frozenset(adopted() or ())
