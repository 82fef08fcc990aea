"""The contract of whoever carries out what the loop starts: threads of this process, or the jobs of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol

from runner.executors.local import Finished, LocalExecutor
from runner.schedule import Start

if TYPE_CHECKING:
    from runner.executors.preparer import Preparer
    from runner.graph import Graph
    from runner.model import Segment
    from runner.runs.items import Over
    from runner.runs.many import ManyTasks
    from runner.runs.open import Opened


class Executor(Protocol):
    """Each start comes back as a Finished in the loop's events. What is not said otherwise is called by the loop."""

    detached: bool  # what it started goes on without us: a stop only leaves it
    waits: bool  # for what has not ended yet; otherwise the loop takes what is there, and leaves
    ours: bool  # False once another process has taken the run up: the record is not for us to write any more

    def ahead(self, graph: Graph) -> list[int]:
        """Segments that are handed over by `enter` before their turn has come, in order."""

    def frozen(self, segment: Segment) -> ManyTasks | None:
        """Its items where they are settled already; None: as they are now."""

    def told(self, segment: Segment) -> Collection[str]:
        """Items whose end an earlier process of this run has told."""

    def enter(self, segment: Segment, over: Over | None, *, one: bool) -> None:
        """What there is to do in a segment is known. Raises RunnerError."""

    def submit(self) -> None:
        """All that is handed over ahead is there. Raises RunnerError."""

    def start(self, start: Start, work: Callable[[int], Any]) -> int: ...

    def ended(self, finished: Finished) -> None: ...

    def submitted(self, number: int) -> bool:
        """Whether a segment goes on, or will, if we end now."""

    def cut(self, number: int) -> None:
        """Too many items of a segment failed: what runs of it is not waited for, where it is not ours alone."""

    @property
    def holds(self) -> bool:
        """Whether jobs go on, or will, if we end now."""

    def close(self) -> None:
        """Nothing of it is waited for any more."""


class Threads(LocalExecutor):
    """This machine: nothing is settled ahead, and nothing goes on without us."""

    detached = False
    waits = True
    ours = True
    holds = False

    def ahead(self, graph: Graph) -> list[int]:
        return []

    def frozen(self, segment: Segment) -> ManyTasks | None:
        return None

    def told(self, segment: Segment) -> Collection[str]:
        return ()

    def enter(self, segment: Segment, over: Over | None, *, one: bool) -> None:
        pass

    def submit(self) -> None:
        pass

    def submitted(self, number: int) -> bool:
        return False

    def cut(self, number: int) -> None:
        pass


Make = Callable[["Opened", "Preparer", Any], Executor]  # Any: the loop's events
