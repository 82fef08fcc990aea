"""The Python of a recipe as the group's `requires-python`, held against what the project allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from runner.errors import UsageError
from runner.ground.words import joined
from runner.migrate.facts import Facts
from runner.migrate.versions import minors


@dataclass
class GroupPython:
    """Filled while the lines are read."""

    facts: Facts
    option: str = ""
    installed: str = ""  # version of the installed environment's
    specifier: str = ""
    problems: list[UsageError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.option:
            return
        if not re.fullmatch(r"3\.\d+", self.option):
            raise UsageError(f"--python {self.option}: no minor version of Python", "Give one such as 3.12.")
        self.specifier = f"=={self.option}.*"
        self._check()

    def take(self, specifier: str) -> str:
        """A line `python…` of the recipe; what is to be said about it."""
        if self.option:
            asked = f"the recipe's {specifier}" if specifier else "any Python"
            return f"--python {self.option} was asked for instead of {asked}: compare the results"
        if not specifier and self.from_installed():
            return f"requires-python = {self.specifier!r}, as installed"
        note = ""
        if found := re.fullmatch(r"==(3\.\d+)\.\d+(?:\.\*)?", specifier):
            specifier, note = f"=={found[1]}.*", "any release of that Python"
        self.specifier = specifier
        self._check()
        return joined(f"requires-python = {specifier!r}" if specifier else "any Python", note)

    def from_installed(self) -> bool:
        """Take that of the installed environment, where the recipe names none and there is one."""
        found = re.match(r"3\.\d+", self.installed)
        if self.specifier or self.option or not found:
            return False
        self.specifier = f"=={found[0]}.*"
        self._check()
        return True

    def _check(self) -> None:
        """uv locks a group whose Python the project excludes as if it were empty, so it is refused here."""
        ours = minors(self.facts.requires_python)
        if minors(self.specifier) & ours or not self.specifier:
            return
        oldest, wanted = min(ours), self.specifier.removeprefix("==").removesuffix(".*")
        self.problems.append(
            UsageError(
                f"the recipe wants Python {wanted}, but [project] of this repository allows "
                f"{self.facts.requires_python} only, and its groups cannot have another",
                f"Try --python 3.{oldest} and compare the results, or leave this environment in conda.",
            )
        )
