"""What uv's message lets us put right in a plan: names behind URLs, indexes for single packages, pins too narrow."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from runner.environments.spec import normalised_group as normalised
from runner.migrate.names import Status
from runner.migrate.plan import IndexSource, Item, Plan
from runner.migrate.recipe_lines import Source

_WRONG_NAME = re.compile(r"`(?P<real>[^`]+)` does not match given name `(?P<given>[^`]+)`")
_NOT_FOUND = re.compile(
    r"Because (?P<name>[\w.-]+)(?:\[[^\]]*\])?(?:\{[^}]*\})? was not found in the (?:package registry|cache)"
)
_NO_VERSION = re.compile(
    r"(?:no versions? of|following versions of|Because only) (?P<name>[\w.-]+?)(?=[\[{=<>!~\s])"
    r".*?depends? on (?P=name)(?:\[[^\]]*\])?(?:\{[^}]*\})?==(?P<version>[^\s,]+)"
)


def mended(plan: Plan, said: str) -> Plan | None:
    """The plan put right after what uv said; None when nothing in it tells how."""
    said = re.sub(r"\n\s+", " ", said)
    if found := _WRONG_NAME.search(said):
        return _renamed(plan, found["given"], found["real"])
    if found := _NOT_FOUND.search(said):
        return _from_candidate(plan, found["name"]) or _left_open(plan, found["name"], "not on PyPI")
    if found := _NO_VERSION.search(said):
        name, version = found["name"], found["version"]
        looser = _looser(plan, name) or _from_candidate(plan, name)
        return looser or _left_open(plan, name, f"PyPI has no {version}")
    return None


def _changed(plan: Plan, name: str, change: Callable[[Item], Item]) -> Plan | None:
    """With `change` made to the items that ask for `name`; None where that changes none."""
    key = normalised(name)
    items = [change(item) if any(one.key == key for one in item.requirements) else item for item in plan.items]
    return replace(plan, items=tuple(items)) if tuple(items) != plan.items else None


def _renamed(plan: Plan, given: str, real: str) -> Plan | None:
    """A URL's package has the name that its own metadata says."""

    def change(item: Item) -> Item:
        new = tuple(replace(one, name=real) if one.key == normalised(given) else one for one in item.requirements)
        return replace(item, requirements=new).noted(f"its own metadata names it {real}")

    return _changed(plan, given, change)


def _from_candidate(plan: Plan, name: str) -> Plan | None:
    """Take `name` from the first extra index of the recipe that was not tried for it yet."""
    tried = {source.index for source in plan.sources if normalised(source.package) == normalised(name)}
    index = next((one for one in plan.candidates if one.name not in tried), None)
    if index is None:
        return None
    plan = _changed(plan, name, lambda item: item.noted(f"from the index {index.name}")) or plan
    sources = [one for one in plan.sources if normalised(one.package) != normalised(name)]
    indexes = plan.indexes if index in plan.indexes else (*plan.indexes, index)
    return replace(plan, sources=(*sources, IndexSource(name, index.name)), indexes=indexes)


def _looser(plan: Plan, name: str) -> Plan | None:
    """A pin that PyPI does not have: the releases that begin so (4.10.0 of conda is 4.10.0.84 there)."""

    def change(item: Item) -> Item:
        pin = next(one for one in item.requirements if one.key == normalised(name))
        if not (found := re.fullmatch(r"==(\d+(?:\.\d+)*)", pin.specifier)):
            return item
        new = [replace(one, specifier=f"{one.specifier}.*") if one == pin else one for one in item.requirements]
        status = Status.GUESSED if item.status is Status.KEPT else item.status
        item = replace(item, requirements=tuple(new), status=status)
        return item.noted(f"PyPI has no {found[1]}: a release of {found[1]}.*")

    return _changed(plan, name, change) if plan.pinned else None


def _left_open(plan: Plan, name: str, why: str) -> Plan | None:
    """A package that --pin added, and that cannot be had: what needs it may choose another version."""

    def change(item: Item) -> Item:
        added = item.line.source is Source.INSTALLED
        return replace(item, requirements=(), status=Status.LOST).noted(f"{why}: not pinned") if added else item

    return _changed(plan, name, change)
