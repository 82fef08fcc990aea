"""A started process and all that it starts: the interface, and what every platform has in common."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Protocol

from runner.frozen import frozen
from runner.process.entry import Entry
from runner.process.snapshot import Look

EXITED = "exited"


@frozen
class Ended:
    """How the leader ended. `code` is 128+n after signal n; None when somebody else took its exit status."""

    code: int | None
    signal: int | None = None
    cpu: float | None = None  # seconds, with all descendants that were waited for
    lost: bool = False  # a descendant that we adopted was ended by SIGKILL, and not by us
    memory: int | None = None  # bytes, the largest single process, where it is known


class OwnedTree(Protocol):
    """What `supervise` needs of a platform."""

    pid: int
    started: float | None

    def watch(self, queue: SimpleQueue[Any]) -> None:
        """Put EXITED into `queue` once the leader ended."""

    def stop_kindly(self, number: int, *, leader_only: bool) -> None:
        """Ask the leader, or all in its group, to stop."""

    def still_stopping(self) -> bool:
        """After a kind stop and the leader's end: whether another one that was asked is about to end by itself."""

    def kill(self) -> None:
        """End everything at once, and wait for it a while."""

    def end_leftovers(self, grace: float) -> list[Entry]:
        """After the leader's end: end what it left, and say what that was."""

    def members(self, look: Look) -> list[Entry]:
        """What lives of the tree, to be measured."""

    def collect(self) -> Ended:
        """After all that: the leader's exit status; the tree is not to be used any more."""


def in_thread(name: str, target: Any, *arguments: Any) -> threading.Thread:
    """A started thread that does not keep us from ending."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread
