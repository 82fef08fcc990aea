"""Runs the checks side by side; one that hangs costs its own time limit and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from runner.doctor import Check, Context, Line, from_error, warning
from runner.doctor.patience import LONGEST, Patience, reading
from runner.errors import RunnerError, StateError
from runner.ground.words import time_text

TOTAL = 27.0  # seconds; with the start of Python and the page, less than 30
_WAIT = 0.2  # a longer one could not be broken off by Ctrl-C on Windows

T = TypeVar("T")
Done = SimpleQueue[tuple[int, list[Line], float]]


@dataclass(frozen=True)
class Result:
    check: Check
    lines: tuple[Line, ...]
    seconds: float


def examine(
    checks: Sequence[Check], context: Context, *, total: float = TOTAL, longest: float = LONGEST
) -> list[Result]:
    """The results in the order of `checks`, after `total` seconds at the latest."""
    began = time.monotonic()
    patience = Patience(context.site.host.capture, longest)
    limits = [min(check.limit, total) for check in checks]
    done: Done = SimpleQueue()
    found: dict[int, Result] = {}
    try:
        for number, check in enumerate(checks):
            deadline = began + limits[number]
            host = replace(context.site.host, capture=patience.until(deadline))
            own = replace(context, site=replace(context.site, host=host), deadline=deadline)
            # daemons: a thread that waits for a dead share would keep the program alive
            Thread(target=_work, args=(number, check, own, done), name=check.title, daemon=True).start()
        while len(found) < len(checks):
            try:
                number, lines, seconds = done.get(timeout=_WAIT)
                found.setdefault(number, Result(checks[number], tuple(lines), seconds))
            except Empty:
                pass
            spent = time.monotonic() - began
            for number, limit in enumerate(limits):
                if spent > limit and number not in found:
                    found[number] = Result(checks[number], (_mute(limit),), spent)
    finally:
        patience.close()
    return [found[number] for number in range(len(checks))]


def within(limit: float, read: Callable[[], T]) -> T:
    """What `read` gives, or its error. Raises StateError after `limit` seconds: a share does not answer."""
    done = reading(read)
    deadline = time.monotonic() + limit
    while not done.done():
        if time.monotonic() > deadline:
            raise StateError(
                f"the repository or the pipeline file could not be read within {time_text(limit)}",
                "Its drive or network share does not answer: look at it in the file manager, then try again.",
            )
        time.sleep(0.005)
    return done.result()


def _work(number: int, check: Check, context: Context, done: Done) -> None:
    began = time.monotonic()
    try:
        lines = list(dict.fromkeys(check.run(context)))  # what several environments have wrong is told once
    except RunnerError as error:
        lines = [from_error(error)]
    except Exception as error:  # one check that fails must not hide what the others saw
        lines = [
            warning(
                f"this could not be looked at: {type(error).__name__}: {error}",
                "Tell those who keep the runner; the other lines are not touched by it.",
            )
        ]
    done.put((number, lines, time.monotonic() - began))


def _mute(limit: float) -> Line:
    return warning(
        f"did not answer within {time_text(limit)}",
        "A program or a network drive hangs. Look for it in the Task Manager, or try again when the drive is back.",
    )
