"""From a recipe to the plan of its migration: every line, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.environments.spec import normalised_group
from runner.errors import UsageError
from runner.ground.words import joined
from runner.migrate.facts import Facts, Index
from runner.migrate.installed import Dist
from runner.migrate.names import Named, Names, Status, read_table
from runner.migrate.pip_options import PipOptions
from runner.migrate.plan import IndexSource, Item, Plan, Wishes
from runner.migrate.pythons import GroupPython
from runner.migrate.pytorch import Cuda, find_cuda, is_torch_index, split_local, uses_torch
from runner.migrate.recipe_lines import Line, Recipe, Source
from runner.migrate.requirement import MatchSpec, Requirement, parse_match_spec, parse_pip

_ANACONDA = ("defaults", "anaconda", "main", "r", "msys2", "pkgs/main", "pkgs/r")
_SUBDIR = re.compile(r"/(?:noarch|(?:linux|osx|win)-\w+)$")


def make_plan(recipe: Recipe, facts: Facts, wishes: Wishes, table: Mapping[str, Any] | None = None) -> Plan:
    """Raises UsageError for a wish that makes no sense."""
    converter = _Converter(recipe, facts, wishes, table if table is not None else read_table())
    items = converter.items()
    group = wishes.group or recipe.name
    problems = [*_group_problems(group, facts, wishes), *converter.python.problems]
    return Plan(
        recipe=recipe,
        group=group,
        requires_python=converter.python.specifier,
        items=tuple(items),
        indexes=tuple(converter.indexes),
        sources=tuple(dict.fromkeys(converter.sources)),
        candidates=tuple(converter.candidates),
        remarks=tuple(converter.remarks),
        problems=tuple(problems),
        pinned=wishes.pin,
        installed={key: dist.version for key, dist in wishes.installed.dists.items()} if wishes.installed else {},
    )


def _group_problems(group: str, facts: Facts, wishes: Wishes) -> list[UsageError]:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", group):
        cure = "Give one of letters, digits, `-`, `_` and `.` with --group."
        return [UsageError(f"{group!r} cannot be the name of a dependency group", cure)]
    if normalised_group(group) in facts.groups and not wishes.replace:
        there = facts.groups[normalised_group(group)]
        cure = "Give another name with --group, or --replace to write that group anew."
        return [UsageError(f"pyproject.toml already has a group {there}", cure)]
    return []


class _Converter:
    """Goes through the lines once; what they need beside requirements gathers in `indexes`, `sources`, …"""

    def __init__(self, recipe: Recipe, facts: Facts, wishes: Wishes, table: Mapping[str, Any]) -> None:
        self.recipe, self.facts, self.wishes, self.table = recipe, facts, wishes, table
        self.python = GroupPython(facts, wishes.python, wishes.installed.python if wishes.installed else "")
        self.cuda: Cuda = find_cuda(recipe, wishes.cuda, [index.url for index in facts.indexes], table)
        conda = {spec.name for line in recipe.lines if (spec := parse_match_spec(line.text))}
        has_gpu_wheels = bool(conda & set(table["cuda"]["gpu"]))
        self.names = Names(self.cuda.major, uses_torch(recipe, table), has_gpu_wheels, wishes.installed, table)
        self.indexes: list[Index] = []
        self.sources: list[IndexSource] = []
        self.candidates: list[Index] = []
        self.remarks: list[str] = [self.cuda.note] if self.cuda.note else []
        self.options = PipOptions(recipe, facts)
        self._used: set[str] = set()  # installed packages that a line stands for, by their own names

    def items(self) -> list[Item]:
        """One for each line, and for what --pin adds."""
        found = [self._item(line) for line in self.recipe.lines]
        self.python.from_installed()
        found = self.options.constrained(found)
        if self.wishes.pin and self.wishes.installed is not None:
            found += self._brought_along(found)
        self._torch_sources(found)
        self.sources += self.options.sources
        self.candidates += [index for index in self.options.indexes if not is_torch_index(index.url, self.table)]
        return found

    def _item(self, line: Line) -> Item:
        match line.source:
            case Source.CHANNEL:
                item = self._channel(line)
            case Source.SETTING:
                item = self._setting(line)
            case Source.PIP:
                item = self.options.item(line) or self._pip(line)
            case _:
                item = self._conda(line)
        requirements = tuple(one.with_marker(line.marker) for one in item.requirements)
        return replace(item, requirements=requirements).noted(line.remark)

    def _channel(self, line: Line) -> Item:
        licence = "Anaconda's channel, which has a licence of its own, is no longer used"
        note = joined("PyPI takes its place", licence if line.text.lower() in _ANACONDA else "")
        return Item(line, Status.REPLACED, note=note)

    def _setting(self, line: Line) -> Item:
        key, _, value = line.text.partition(":")
        if key == "variables":
            name, _, text = value.strip().partition("=")
            return Item(
                line, Status.LOST, note=f"a group sets no variables: write `env:` with `{name}: {text}` in its segments"
            )
        if key in ("channel_priority", "prefix", "platforms"):
            return Item(line, Status.REPLACED, note="of use to conda alone")
        return Item(line, Status.LOST, note="not understood" if not line.remark else "")

    def _conda(self, line: Line) -> Item:
        spec = parse_match_spec(line.text)
        if spec is None:
            return Item(line, Status.LOST, note=_why_no_package(line.text))
        if spec.name == "python":
            return Item(line, Status.KEPT, note=self.python.take(spec.specifier)).noted(spec.note)
        if spec.name in self.table["cuda"]["pins"]:
            return self._cuda_pin(line, spec)
        named = self.names.of(spec.name)
        if named.dist is not None:
            self._used.add(named.dist.key)
        if named.status is Status.SYSTEM:
            named = replace(named, note=joined(named.note, self._provider()))
        if named.requirement is None:
            return Item(line, named.status, note=named.note)
        requirement, note = self._versioned(named, spec)
        item = Item(line, named.status, tuple(self._split(requirement)), named.note).noted(note)
        channel = _SUBDIR.sub("", spec.channel)
        if channel and channel.rpartition("/")[2] not in ("conda-forge", "pytorch", "nvidia", *_ANACONDA):
            item = item.noted(f"was from the channel {channel}")
        lost = spec.build and not spec.name.startswith("pytorch")
        return item.noted("the build string has no counterpart" if lost else "")

    def _versioned(self, named: Named, spec: MatchSpec) -> tuple[Requirement, str]:
        assert named.requirement is not None
        if self.wishes.pin and named.dist is not None and named.status is not Status.SYSTEM:
            return self._pin(named.requirement, named.dist)
        note = spec.note
        if self.wishes.pin and named.status is not Status.SYSTEM:
            note = joined(note, "not in the installed environment: not pinned")
        specifier = "" if named.status is Status.SYSTEM else spec.specifier
        if specifier and named.versions == "none":
            return named.requirement, f"its versions are others: {specifier} was not taken over"
        if named.versions == "longer":
            specifier = re.sub(r"==(\d+(?:\.\d+)*)(?=,|$)", r"==\1.*", specifier)
        return replace(named.requirement, specifier=specifier), note

    def _pip(self, line: Line) -> Item:
        requirement = parse_pip(line.text)
        if requirement is None:
            return Item(line, Status.LOST, note="not understood as a requirement")
        installed = self.wishes.installed
        dist = installed.dists.get(requirement.key) if installed else None
        status = Status.GUESSED if line.remark else Status.KEPT
        note = ""
        if self.wishes.pin and dist is not None:
            requirement, note = self._pin(requirement, dist)
        elif self.wishes.pin:
            note = "not in the installed environment: not pinned"
        return Item(line, status, tuple(self._split(requirement)), note)

    def _pin(self, requirement: Requirement, dist: Dist) -> tuple[Requirement, str]:
        """What is really there: the version, or the commit."""
        if dist.editable:
            return requirement, "installed from a folder of the user's: not pinned"
        if dist.url:
            return replace(requirement, specifier="", url=dist.url), "pinned to what is installed"
        return replace(requirement, specifier=f"=={dist.version}", url=""), f"{dist.version} is installed"

    def _brought_along(self, items: list[Item]) -> list[Item]:
        """What the listed packages brought along, pinned on the system on which it was installed."""
        installed = self.wishes.installed
        assert installed is not None
        keys = {one.key for item in items for one in item.requirements} | self._used
        marker = f"sys_platform == '{installed.platform}'" if installed.platform else ""
        added = []
        for dist in installed.brought_along(keys):
            if dist.editable:
                continue
            line = Line(f"{dist.name} {dist.version}", Source.INSTALLED, installed.prefix, 0)
            pinned = self._split(self._pin(Requirement(dist.name, marker=marker), dist)[0])
            added.append(Item(line, Status.KEPT, tuple(pinned), "installed, though not in the recipe"))
        return added

    def _cuda_pin(self, line: Line, spec: MatchSpec) -> Item:
        if self.cuda.tag and self.names.has_torch:
            note = f"torch comes from PyTorch's index {self.cuda.tag} with its CUDA"
        elif self.names.has_gpu_wheels:
            note = f"chose the wheels for CUDA {self.cuda.major}; they need NVIDIA's driver"
        elif self.names.has_torch:
            note = "torch's wheel brings its CUDA"
        else:
            text = f"CUDA {spec.specifier or 'libraries'}: its wheels look for them in the system. {self._provider()}"
            return Item(line, Status.SYSTEM, note=text)
        return Item(line, Status.REPLACED, note=note)

    def _provider(self) -> str:
        return f"or `environment: {self.recipe.name}` (conda) for the segment that calls it"

    def _split(self, requirement: Requirement) -> list[Requirement]:
        return split_local(requirement, str(self.table["pytorch"]["marker"]))

    def _torch_sources(self, items: list[Item]) -> None:
        """PyTorch's packages of this group from the index of that CUDA; one that the repository has is used again."""
        if not self.cuda.tag:
            return
        wanted = frozenset(map(normalised_group, self.table["pytorch"]["packages"]))  # that its index has builds of
        used = dict.fromkeys(one.name for item in items for one in item.requirements if one.key in wanted)
        if not used:
            return
        settings = self.table["pytorch"]
        url = str(settings["index"]).format(tag=self.cuda.tag)
        known = next((one for one in self.facts.indexes if one.url.rstrip("/") == url and one.name), None)
        index = known or Index(str(settings["name"]).format(tag=self.cuda.tag), url)
        if known is None:
            self.indexes.append(index)
        self.sources += [IndexSource(name, index.name, marker=str(settings["marker"])) for name in used]


def _why_no_package(text: str) -> str:
    if re.search(r"\.(?:conda|tar\.bz2)(?:#|$)", text):
        return "a conda package by its address or file: write the PyPI package that it is, with its version"
    if re.match(r"[\w.-]+\s+-", text):
        return "not understood as a package: a `:` is missing before the list that hangs on it (`- pip:`)"
    return "not understood as a package"
