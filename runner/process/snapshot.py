"""All processes of the machine at one moment, and which of them belong to a tree."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from runner.process.entry import Entry, Tree
from runner.process.identity import ticks_to_seconds
from runner.process.launch import MARKER, carries
from runner.process.tag import below, tag_of

_PAGE = 4096  # bytes
if sys.platform != "win32":
    _PAGE = os.sysconf("SC_PAGE_SIZE")


def snapshot() -> dict[int, Entry]:
    """Every process that can be seen, by pid; on Windows not measured."""
    if sys.platform == "win32":
        from runner.process.running_windows import all_entries

        entries = all_entries()
    else:
        entries = _from_proc() if sys.platform == "linux" else _from_psutil()
    return {entry.pid: entry for entry in entries}


class Look:
    """The machine at one moment, for as many trees as there are."""

    @cached_property
    def entries(self) -> dict[int, Entry]:
        return snapshot()

    @cached_property
    def rows(self) -> list[tuple[int, int, str]]:
        """Windows: pid, parent's pid and name of each."""
        from runner.process.running_windows import running

        return list(running())

    @cached_property
    def tags(self) -> dict[int, int]:
        return {pid: tag for pid in self.entries if (tag := tag_of(pid))}

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        return _children(self.entries)

    def members(self, tree: Tree, *, thorough: bool = False, but: Iterable[int] = ()) -> list[Entry]:
        """The living processes of `tree`: leader, its session, who has its tag, and their descendants; never ourselves.

        `thorough` also reads every process's environment for the marker, which finds those that broke away.
        """
        entries = self.entries
        leader = entries.get(tree.pid)
        reused = leader is not None and tree.started is not None and abs(leader.started - tree.started) > 1.0
        found: set[int] = set()
        if tree.pid and not reused:
            found = {e.pid for e in entries.values() if tree.pid in (e.pid, e.session)}
        if tree.tag:
            found |= {pid for pid, tag in self.tags.items() if below(tag, tree.tag)}
        if thorough:
            found |= {pid for pid in entries if pid not in found and carries(marker_of(pid), tree.marker)}
        found = _below(found, entries, self._children) - {*_our_line(entries), *but}
        return [entries[pid] for pid in sorted(found) if not entries[pid].dead]


def _our_line(entries: dict[int, Entry]) -> set[int]:
    """We and those that started us: a shell that a killed run left may be the one that we were called from."""
    line = [os.getpid()]
    entry = entries.get(line[0])
    while (
        entry and (parent := entries.get(entry.parent)) and parent.started <= entry.started and parent.pid not in line
    ):
        line.append(parent.pid)
        entry = parent
    return set(line)


def with_descendants(pids: set[int], entries: dict[int, Entry]) -> set[int]:
    """`pids` and all that were started below them.

    Windows keeps a parent's pid when that parent is gone and another process has it: a child is never the older one.
    """
    return _below(pids, entries, _children(entries))


def _children(entries: dict[int, Entry]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in entries.values():
        children.setdefault(entry.parent, []).append(entry.pid)
    return children


def _below(pids: set[int], entries: dict[int, Entry], children: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            born = entries[pid].started if pid in entries else 0.0
            waiting.extend(child for child in children.get(pid, ()) if entries[child].started >= born)
    return found


def marker_of(pid: int) -> str | None:
    """The marker in the environment that `pid` was started with; None when there is none or it may not be read."""
    if sys.platform == "linux":
        try:
            data = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return None
        _, found, rest = (b"\0" + data).partition(b"\0" + MARKER.encode() + b"=")
        return rest.partition(b"\0")[0].decode("ascii", "replace") if found else None
    import psutil

    try:
        return psutil.Process(pid).environ().get(MARKER)
    except (psutil.Error, OSError, RuntimeError):
        return None


def _from_proc() -> list[Entry]:
    entries = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as stream:  # noqa: PTH123
                text = stream.read()
        except OSError:
            continue
        entries.append(parse_stat(int(name), text))
    return entries


def parse_stat(pid: int, text: bytes) -> Entry:
    """One /proc/PID/stat, proc_pid_stat(5)."""
    head, _, tail = text.rpartition(b")")
    field = tail.decode("ascii").split()
    return Entry(
        pid=pid,
        parent=int(field[1]),
        session=int(field[3]),
        started=ticks_to_seconds(field[19]),
        dead=field[0] in ("Z", "X"),
        memory=int(field[21]) * _PAGE,
        cpu=ticks_to_seconds(field[11]) + ticks_to_seconds(field[12]),
        name=head.partition(b"(")[2].decode("utf-8", "replace"),
    )


def _from_psutil() -> list[Entry]:
    import psutil

    entries = []
    for process in psutil.process_iter(["ppid", "create_time", "status", "memory_info", "cpu_times", "name"]):
        info = process.info
        times, memory = info["cpu_times"], info["memory_info"]
        entries.append(
            Entry(
                pid=process.pid,
                parent=info["ppid"] or 0,
                session=_session(process.pid),
                started=float(info["create_time"] or 0.0),
                dead=info["status"] == psutil.STATUS_ZOMBIE,
                memory=memory.rss if memory else 0,
                cpu=times.user + times.system if times else 0.0,
                name=info["name"] or "?",
            )
        )
    return entries


def _session(pid: int) -> int:
    if sys.platform == "win32":
        return -1
    try:
        return os.getsid(pid)
    except OSError:
        return -1
