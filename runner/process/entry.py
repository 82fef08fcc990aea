"""One process of the machine, and what a tree of processes is known by."""

from __future__ import annotations

from runner.frozen import frozen


@frozen
class Entry:
    """One process. `started` as `identity.process_started` says, `memory` resident bytes, `cpu` seconds."""

    pid: int
    parent: int
    session: int
    started: float
    dead: bool
    memory: int
    cpu: float
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


@frozen
class Tree:
    """What we know a segment's processes by: its leader, the marker in their environment, and their tag."""

    pid: int
    started: float | None
    marker: str
    tag: int = 0
