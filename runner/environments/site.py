"""The surroundings of one invocation, and what it was asked: each question once, also where two threads need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import field
from pathlib import PurePath
from typing import Generic, TypeVar, TypeVarTuple, cast

from runner.environments.store import Store
from runner.frozen import frozen
from runner.host import Host

T = TypeVarTuple("T")
V = TypeVar("V")


@frozen
class Site:
    """The surroundings of one invocation, the same for every segment."""

    host: Host
    repo: PurePath  # holds pyproject.toml, uv.lock, .env, standard_code/
    dotenv: Mapping[str, str]  # of the repository
    environments: PurePath  # the folder of our own environments, normally REPO/.venvs; of a store, this system's
    store: Store | None = None  # on a share, where one is in force
    asked: Asked = field(default_factory=lambda: Asked())  # answers found once an invocation: see Once
    notes: Notes = field(default_factory=lambda: Notes())  # warnings met on the way


class Once(Generic[*T, V]):
    """Around a function that finds something out (where conda is): it does so once for a Site.

    Another thread that needs the same answer waits for it. What raises is asked again: a network may be back.
    """

    def __init__(self, find: Callable[[Site, *T], V]) -> None:
        self.anew = find  # the function itself

    def __call__(self, site: Site, *args: *T) -> V:
        return site.asked.answer((self, args), lambda: self.anew(site, *args))

    def known(self, site: Site, *args: *T) -> V | None:
        """The answer, where there is one by now."""
        return cast("V | None", site.asked.answers.get((self, args)))

    def tell(self, site: Site, answer: V, *args: *T) -> None:
        """`answer` counts from here on: a person gave it."""
        site.asked.answers[(self, args)] = answer


class Asked:
    """The answers to all questions of `Once`."""

    def __init__(self) -> None:
        self.answers: dict[Hashable, object] = {}
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.RLock] = {}

    def answer(self, question: Hashable, find: Callable[[], V]) -> V:
        if question not in self.answers:
            with self._lock:
                own = self._locks.setdefault(question, threading.RLock())
            with own:
                if question not in self.answers:
                    self.answers[question] = find()
        return cast(V, self.answers[question])


class Notes:
    """Warnings for the user, each to be shown once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._new: list[str] = []

    def add(self, note: str) -> None:
        with self._lock:
            if note not in self._told:
                self._told.add(note)
                self._new.append(note)

    def take(self) -> list[str]:
        """Those that are new since the last call."""
        with self._lock:
            new, self._new = self._new, []
            return new

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._new))
