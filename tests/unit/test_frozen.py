"""Records as `dataclass(frozen=True)` makes them, made when the first one is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, field, fields, replace
from functools import cached_property

import pytest

from runner.frozen import frozen


@frozen
class Place:
    line: int
    column: int = 1
    marks: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def both(self) -> int:
        return self.line + self.column


@frozen
class Other:
    line: int
    column: int = 1
    marks: Mapping[str, int] = field(default_factory=dict)


def test_it_is_made_of_values_and_equal_by_them() -> None:
    first = Place(3)
    assert (first.line, first.column, first.marks) == (3, 1, {})
    assert first.marks is not Place(3).marks
    assert first.both == 4
    assert first == Place(line=3, column=1)
    assert first != Place(3, 2)
    assert first != Other(3)
    assert replace(first, column=7) == Place(3, 7)
    assert repr(first) == "Place(line=3, column=1, marks={})"
    assert hash(Place(1, 2, ())) == hash(Place(1, 2, ()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'line'"):
        Place()  # type: ignore[call-arg]


def test_its_fields_can_be_asked_for_before_there_is_one() -> None:
    @frozen
    class Asked:
        value: int
        more: str = ""

    assert [one.name for one in fields(Asked)] == ["value", "more"]
    assert asdict(Asked(1)) == {"value": 1, "more": ""}


def test_several_threads_may_make_the_first_ones() -> None:
    for _ in range(50):

        @frozen
        class One:
            value: int
            more: Mapping[str, int] = field(default_factory=dict)

        found: list[One] = []
        start = threading.Barrier(8)

        def make(made: type[One] = One, into: list[One] = found, start: threading.Barrier = start) -> None:
            start.wait()
            into.append(made(5))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [One(5)] * 8
