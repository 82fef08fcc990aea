"""`frozen` for records: what `dataclass(frozen=True)` gives, made when the first one is: most are not in most starts.

Making 70 dataclasses took a seventh of a start, since each compiles a text for each of its methods. Here that is
`__init__` alone; that nothing is assigned to the fields is seen to by the type checker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """A dataclass that is equal by its values. None inherits from another one."""
    made: Any = cls
    names = tuple(cls.__annotations__)
    values: Callable[[object], Any] = attrgetter(*names)

    def make() -> None:
        """In two threads at once it comes to the same."""
        given = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        own = {"__annotations__": cls.__annotations__, "__module__": cls.__module__, "__doc__": "has one", **given}
        like: Any = dataclass(eq=False, repr=False, match_args=False)(type(cls.__name__, (), own))
        made.__dataclass_fields__ = like.__dataclass_fields__
        made.__init__ = like.__init__

    def first(self: Any, *args: Any, **keys: Any) -> None:
        make()
        self.__init__(*args, **keys)

    def equal(self: object, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is cls else NotImplemented

    def text(self: object) -> str:
        return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    made.__dataclass_fields__, made.__init__ = _Fields(make), first
    made.__eq__, made.__hash__, made.__repr__ = equal, lambda self: hash(values(self)), text
    return cls


class _Fields:
    """Of a class that has not been made yet; `dataclasses.fields` may ask before there is a record."""

    def __init__(self, make: Callable[[], None]) -> None:
        self._make = make

    def __get__(self, record: object, cls: Any) -> dict[str, Field[Any]]:
        self._make()
        made: dict[str, Field[Any]] = cls.__dataclass_fields__
        return made
