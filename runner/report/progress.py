"""How far a segment over many items has come. Each item costs the same little, whether there are ten or 100,000."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from runner.ground.words import time_text

_ENDS = 200  # of items that the speed is reckoned from: the newest, so that it follows what changes
_FIRST = 3  # items that have ended before anybody reckons


def shown(text: str) -> str:
    """A name with nothing in it that a terminal would obey, or that hides what it is."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


@dataclass(frozen=True)
class Started:
    since: float
    gpus: tuple[str, ...] = ()


class Progress:
    """`clock` stands still while the runner is suspended."""

    def __init__(self, number: int, name: str, to_run: int, clock: Callable[[], float]) -> None:
        self.title = f"{number}. {name or '(no name)'}"
        self.to_run = to_run
        self.good = self.failed = self.not_run = 0
        self.running: dict[str, Started] = {}  # longest first
        self._clock = clock
        self.since = clock()
        self._ends = deque([self.since], maxlen=_ENDS)

    def start(self, key: str, gpus: tuple[str, ...] = ()) -> None:
        self.running[key] = Started(self._clock(), gpus)

    def end(self, key: str, state: str) -> None:
        self.running.pop(key, None)
        if state == "succeeded":
            self.good += 1
        elif state in ("failed", "timed out"):
            self.failed += 1
        else:
            self.not_run += 1
            return
        self._ends.append(self._clock())

    @property
    def ended(self) -> int:
        return self.good + self.failed + self.not_run

    @property
    def seconds(self) -> float:
        return self._clock() - self.since

    def so_far(self, item: Started) -> float:
        return self._clock() - item.since

    @property
    def rate(self) -> float:
        """Items in a second; 0 while nobody can tell."""
        took = self._clock() - self._ends[0]
        return (len(self._ends) - 1) / took if self.good + self.failed >= _FIRST and took > 0 else 0.0

    def longest(self, count: int) -> Iterator[tuple[str, Started]]:
        return islice(self.running.items(), count)

    def parts(self) -> Iterator[str]:
        """What is told of it."""
        yield f"{self.ended:,} of {self.to_run:,}"
        if self.failed:
            yield f"{self.failed:,} failed"
        left, rate = self.to_run - self.ended, self.rate
        if rate:
            yield rate_text(rate)
        if left > 0 and rate:
            yield f"about {_roughly(left / rate)} left"


def rate_text(rate: float) -> str:
    """`38/min`, `4/h`, `120/s`."""
    each, unit = rate * 3600, "h"
    if rate * 60 >= 0.95:
        each, unit = (rate, "s") if rate >= 9.95 else (rate * 60, "min")
    return (f"{each:,.0f}" if each >= 9.95 else f"{each:.1f}".removesuffix(".0")) + f"/{unit}"


def _roughly(seconds: float) -> str:
    """No seconds where it takes many minutes: nobody knows it so well."""
    return time_text(round(seconds / 60) * 60 if seconds >= 600 else max(1, round(seconds)))
