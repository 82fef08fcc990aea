"""Linux: a number that all descendants of a process keep, whatever becomes of their environment and session.

It is the soft limit RLIMIT_LOCKS, which no kernel heeds since 2.4.25; fork, exec, setsid and `env -i` hand it on.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from functools import cache

from runner.frozen import frozen
from runner.process.launch import new_marker

_LIMIT = 10  # RLIMIT_LOCKS, getrlimit(2)
# the low bits that are free below a run's tag, a tree's, that of a run inside a tree, and of a tree inside that
_FREE = (34, 18, 6, 0)
_OURS = 1 << 62  # no limit that a person sets is as high
_in_use: set[int] = set()
_lock = threading.Lock()
_turn = 0


@frozen
class RunMark:
    """What the processes of a run are known by, also once the runner was killed: see `ending.end_tree`.

    To be made once a run, written into its record, and given to `supervise.run` with each child.
    """

    marker: str  # in their environment; each tree has one of its own below it
    tag: int  # 0 where there is none


def new_run_mark(environ: Mapping[str, str]) -> RunMark:
    """For a new run; `environ` is the runner's own, which tells of a runner around it."""
    return RunMark(new_marker(environ), new_run_tag())


def new_run_tag() -> int:
    """A run's tag, below the one that we carry ourselves; 0 where there are none, or no room below ours."""
    if sys.platform != "linux" or _limits() is None:
        return 0
    random = int.from_bytes(os.urandom(4), "big")
    if not _OUTER:
        return _OURS | 1 + random % ((1 << 28) - 1) << _FREE[0]
    return _OUTER | 1 + random % ((1 << 12) - 1) << _FREE[2] if _level(_OUTER) == 1 else 0


@cache
def own_run_tag() -> int:
    """For what is started without a run, such as a short question."""
    return new_run_tag()


def new_tree_tag(run: int) -> int:
    """A tag below a run's, which no other living tree has; 0 without one. Give it back with `release`."""
    global _turn
    if not run:
        return 0
    level = _level(run) + 1
    room = (1 << _FREE[level - 1] - _FREE[level]) - 1
    with _lock:
        for _ in range(room):
            _turn += 1
            tag = run | 1 + _turn % room << _FREE[level]
            if tag not in _in_use:
                _in_use.add(tag)
                return tag
    return 0


def release(tag: int) -> None:
    """The tree is no more; its number may be given to another."""
    with _lock:
        _in_use.discard(tag)


def tag_of(pid: int) -> int:
    """The tag that a process carries, a dead one included; 0 for none, and where it may not be asked."""
    if sys.platform != "linux":
        return 0
    import resource

    try:
        limit = resource.prlimit(pid, _LIMIT)[0]
    except (OSError, ValueError):
        return 0
    return limit if limit >= _OURS else 0


def below(tag: int, ancestor: int) -> bool:
    """Whether a process with `tag` belongs to the run or tree `ancestor`, or to one that was started inside it."""
    return bool(ancestor) and tag >> (free := _FREE[_level(ancestor)]) == ancestor >> free


def put_on(tag: int) -> tuple[int, int] | None:
    """From now on our children get this tag: to be undone with `take_off`. The caller holds `spawn.LOCK`."""
    old = _limits() if tag else None
    if sys.platform == "linux" and old is not None:
        import resource

        resource.setrlimit(_LIMIT, (tag, old[1]))
    return old


def take_off(old: tuple[int, int] | None) -> None:
    """Undo `put_on`."""
    if sys.platform == "linux" and old is not None:
        import resource

        resource.setrlimit(_LIMIT, old)


def _level(tag: int) -> int:
    return next(level for level, free in enumerate(_FREE) if tag % (1 << free) == 0)


def _limits() -> tuple[int, int] | None:
    """Ours; None where a tag would be above the hard limit."""
    if sys.platform != "linux":
        return None
    import resource

    soft, hard = resource.getrlimit(_LIMIT)
    return (soft, hard) if hard == resource.RLIM_INFINITY else None


_OUTER = tag_of(os.getpid())  # what we were started with, before anything is put on
