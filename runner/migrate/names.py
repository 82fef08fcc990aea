"""A package's name on PyPI: the installed environment's own word, then a curated table, then the same name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from runner.environments.spec import normalised_group as normalised
from runner.ground.words import joined
from runner.migrate.installed import Dist, Installed
from runner.migrate.requirement import Requirement, parse_pip


class Status(Enum):
    """What became of a line of the recipe."""

    KEPT = "kept"
    RENAMED = "renamed"
    GUESSED = "guessed"
    REPLACED = "not needed"  # something else brings it
    SYSTEM = "needs a system package"
    LOST = "lost"


@lru_cache(maxsize=1)
def read_table() -> Mapping[str, Any]:
    """names.toml, which is part of the package."""
    return tomllib.loads((Path(__file__).with_name("names.toml")).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Named:
    """What stands for a conda package: its requirement (without version), or why there is none."""

    status: Status
    requirement: Requirement | None
    note: str = ""
    dist: Dist | None = None  # that is installed under that name
    versions: str = ""  # as in names.toml: "none", "longer"


@dataclass(frozen=True)
class Names:
    """The ladder. `installed` is its first rung, where there is such an environment."""

    cuda_major: int
    has_torch: bool = False
    has_gpu_wheels: bool = False  # of packages that take their CUDA libraries from wheels
    installed: Installed | None = None
    table: Mapping[str, Any] = field(default_factory=read_table)

    @cached_property
    def _same(self) -> frozenset[str]:
        return frozenset(map(normalised, self.table["same"]))

    def of(self, conda_name: str) -> Named:
        """What `conda_name` (lower case) is on PyPI."""
        special = self._special(conda_name)
        if special is not None and special.requirement is None:
            return special
        if self.installed is not None and (seen := self._seen(conda_name, special)):
            return seen
        if special is not None:
            return special
        if normalised(conda_name) in self._same:
            return Named(Status.KEPT, Requirement(conda_name))
        if known := self._not_python(conda_name):
            return known
        note = "the same name on PyPI is a guess: look whether it is the same tool"
        return Named(Status.GUESSED, Requirement(conda_name), note)

    def _seen(self, conda_name: str, special: Named | None) -> Named | None:
        """What conda-meta and the metadata of the installed packages say."""
        assert self.installed is not None
        dist = self.installed.dist_of(conda_name)
        if dist is None and special is not None and special.requirement is not None:
            dist = self.installed.dists.get(special.requirement.key)
        if dist is None:
            package = self.installed.packages.get(conda_name)
            if special is None and package is not None and not package.python and not package.empty:
                known = self._not_python(conda_name)
                if known and known.status is Status.REPLACED:
                    return known
                told = f"{known.note}; " if known else ""
                note = f"{told}no Python package: its files in the installed environment say so"
                return Named(Status.SYSTEM, None, note)
            return None
        # PyPI splits by CUDA what conda splits by build (cupy-cuda12x): the table knows, the metadata does not
        if special is not None and special.requirement is not None and special.requirement.key.startswith(dist.key):
            return replace(special, dist=dist)
        same = normalised(conda_name) == dist.key
        return Named(Status.KEPT if same else Status.RENAMED, Requirement(dist.name), "", dist)

    def _special(self, name: str) -> Named | None:
        """What the curated table says beyond "the same"."""
        table = self.table
        if name in table["lost"]:
            return Named(Status.LOST, None, table["lost"][name])
        if name in table["within"]:
            return Named(Status.REPLACED, None, table["within"][name])
        if name in table["system"]:
            return self._system(table["system"][name])
        if name == "cudnn" and self.has_torch:
            return Named(Status.REPLACED, None, "the wheel of torch brings it")
        if entry := table["cuda"]["packages"].get(name):
            if not (self.has_gpu_wheels or name in table["cuda"]["gpu"]):
                return Named(Status.SYSTEM, None, "which wheel looks for it is not known: most look in the system")
            to = entry["to"].format(major=self.cuda_major)
            return Named(Status.RENAMED, Requirement(to, marker=entry["marker"]), f"for CUDA {self.cuda_major}")
        entry = table["noted"].get(name) or {"to": table["renamed"].get(name)}
        if not entry["to"]:
            return None
        requirement = _requirement(entry["to"]).with_marker(entry.get("marker", ""))
        status = Status.KEPT if requirement.key == normalised(name) else Status.RENAMED
        return Named(status, requirement, entry.get("note", ""), versions=entry.get("versions", ""))

    def _not_python(self, name: str) -> Named | None:
        """A program, a compiler, a package of another language, a library: by its name."""
        for kind in self.table["foreign"]:
            if any(re.fullmatch(pattern, name) for pattern in kind["names"]):
                return Named(Status.SYSTEM, None, str(kind["note"]))
        known = self.table["libraries"]
        is_one = any(re.fullmatch(pattern, name) for pattern in known["names"])
        return Named(Status.REPLACED, None, str(known["note"])) if is_one else None

    def _system(self, entry: Mapping[str, str]) -> Named:
        systems = {"windows": "Windows", "linux": "Linux", "macos": "macOS"}
        places = [f"{title}: {entry[system]}" for system, title in systems.items() if system in entry]
        instead = _requirement(entry["instead"]) if "instead" in entry else None
        return Named(Status.SYSTEM, instead, joined(entry.get("note", ""), ", ".join(places)))


def _requirement(text: str) -> Requirement:
    found = parse_pip(text)
    if found is None or re.search(r"[<>=]", text):
        raise ValueError(f"names.toml: {text!r} is no name of a package")
    return found
