"""The plan of a migration: what becomes of every line, and the group that comes out. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from runner.errors import UsageError
from runner.ground.words import joined, shown
from runner.migrate.facts import Index
from runner.migrate.installed import Installed
from runner.migrate.names import Status
from runner.migrate.recipe_lines import Line, Recipe
from runner.migrate.requirement import Requirement, merged


@dataclass(frozen=True)
class Item:
    """What became of one line of the recipe."""

    line: Line
    status: Status
    requirements: tuple[Requirement, ...] = ()
    note: str = ""

    @property
    def result(self) -> str:
        return ", ".join(map(str, self.requirements))

    def noted(self, note: str) -> Item:
        return replace(self, note=joined(self.note, note))


@dataclass(frozen=True)
class IndexSource:
    """[tool.uv.sources]: where this group takes a package from."""

    package: str
    index: str = ""  # its name
    path: str = ""  # a folder or file, relative to the repository
    editable: bool = False
    marker: str = ""


class Clash(Enum):
    """Why a group is kept apart from this one."""

    CONTRADICTS = "cannot be locked with it"
    EXCLUDED = "has a version that it does not allow"
    SHIFTED = "would have got other versions"
    UNTRIED = "was not tried by itself"


@dataclass(frozen=True)
class Plan:
    """What is to be written into pyproject.toml."""

    recipe: Recipe
    group: str
    requires_python: str
    items: tuple[Item, ...]
    indexes: tuple[Index, ...] = ()  # new ones
    sources: tuple[IndexSource, ...] = ()
    candidates: tuple[Index, ...] = ()  # which package comes from these is found by locking
    remarks: tuple[str, ...] = ()
    problems: tuple[UsageError, ...] = ()  # why nothing can be written
    pinned: bool = False
    conflicts: Mapping[str, Clash] = field(default_factory=dict)  # groups to be declared as pairs with this one
    locked: Mapping[str, str] = field(default_factory=dict)  # name as PyPI compares it -> version, once it locks
    installed: Mapping[str, str] = field(default_factory=dict)  # the same of the conda environment

    @property
    def requirements(self) -> list[Requirement]:
        """The lines of the group."""
        return merged(one for item in self.items for one in item.requirements)

    def apart_from(self, groups: Iterable[str], why: Clash) -> Plan:
        """With these groups in conflict too; what is known of one already stays."""
        new = {name: why for name in groups if name not in self.conflicts}
        return replace(self, conflicts={**self.conflicts, **new})


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for."""

    group: str = ""
    python: str = ""  # another Python than the recipe's
    cuda: str = ""
    pin: bool = False
    replace: bool = False
    installed: Installed | None = None


def recipe_in(repo: Path, path: Path) -> str:
    """How messages and comments name a file: relative to the repository where it lies in it."""
    there = path.resolve()
    return shown(there, repo.resolve()) if there.is_relative_to(repo.resolve()) else str(path)
