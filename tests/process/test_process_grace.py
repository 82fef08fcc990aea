"""The grace of what lives on when the leader is gone, as with uv.exe and cmd.exe, which a Ctrl-Break ends at once."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any

from runner.model import Command
from runner.process.entry import Entry
from runner.process.snapshot import Look
from runner.process.stop import StopRequest
from runner.process.supervise import _Run
from runner.process.suspend import awake
from runner.process.tree import EXITED, Ended


class Tree:
    """A tree whose leader dies of the kind stop, and whose others need `seconds` more."""

    pid = 4711
    started: float | None = None

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: float | None = None
        self.queue: SimpleQueue[Any] = SimpleQueue()

    def watch(self, queue: SimpleQueue[Any]) -> None:
        self.queue = queue

    def stop_kindly(self, number: int, *, leader_only: bool) -> None:
        self.asked = time.monotonic()
        self.queue.put(EXITED)

    def still_stopping(self) -> bool:
        return self.asked is not None and time.monotonic() < self.asked + self.seconds

    def kill(self) -> None:
        raise AssertionError("it was to have its grace")

    def end_leftovers(self, grace: float) -> list[Entry]:
        return []

    def members(self, look: Look) -> list[Entry]:
        return []

    def collect(self) -> Ended:
        return Ended(0)


def waited(seconds: float, *, grace: float, stop: StopRequest | None = None) -> float:
    """How long the runner follows a tree after its time-out."""
    tree = Tree(seconds)
    run = _Run(tree, Command(("x",), "/"), stop or StopRequest(), 0.1, grace, awake())
    tree.watch(run.events)
    run.follow(None, None)
    if run.samples is not None:
        run.samples.stop()
    assert tree.asked is not None
    return time.monotonic() - tree.asked


def test_the_runner_waits_until_all_that_were_asked_have_ended() -> None:
    assert 0.7 < waited(0.8, grace=30) < 10


def test_it_waits_no_longer_than_the_grace() -> None:
    assert 0.4 < waited(60, grace=0.5) < 10


def test_where_nobody_is_left_it_goes_on_at_once() -> None:
    assert waited(0, grace=30) < 5


def test_a_second_ctrl_c_ends_the_waiting() -> None:
    stop = StopRequest()
    threading.Timer(0.6, lambda: stop.now("Ctrl-C")).start()
    assert waited(60, grace=60, stop=stop) < 20
