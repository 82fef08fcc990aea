"""Looks for a form of the plan that locks: conflicts as pairs, names behind URLs, indexes for single packages.

What uv says decides each step; nothing outside of a scratch folder is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from runner.environments.spec import normalised_group as normalised
from runner.errors import EnvironmentMissing
from runner.migrate.facts import Facts
from runner.migrate.locking import Attempt, Workbench
from runner.migrate.names import Status
from runner.migrate.plan import IndexSource, Plan
from runner.migrate.project import with_group, without_group
from runner.migrate.reasons import unlockable
from runner.migrate.recipe import Source

ROUNDS = 60
_WRONG_NAME = re.compile(r"`(?P<real>[^`]+)` does not match given name `(?P<given>[^`]+)`")
_NOT_FOUND = re.compile(
    r"Because (?P<name>[\w.-]+)(?:\[[^\]]*\])?(?:\{[^}]*\})? was not found in the (?:package registry|cache)"
)
_NO_VERSION = re.compile(
    r"(?:no versions? of|following versions of|Because only) (?P<name>[\w.-]+?)(?=[\[{=<>!~\s])"
    r".*?depends? on (?P=name)(?:\[[^\]]*\])?(?:\{[^}]*\})?==(?P<version>[^\s,]+)"
)


@dataclass
class Found:
    """A plan that locks, with both files as they are to be."""

    plan: Plan
    pyproject: str
    lock: bytes


class Search:
    """One search; `progress` hears what is tried."""

    def __init__(self, bench: Workbench, facts: Facts, progress: Callable[[str], None]) -> None:
        self.bench, self.facts, self.progress = bench, facts, progress

    def find(self, plan: Plan) -> Found:
        """Raises EnvironmentMissing with uv's reason when no form of the plan locks."""
        base = self._baseline(plan)
        before = {name: self.bench.versions(name) for name in self.facts.groups.values()} if base.locked else {}
        before.pop(self.facts.groups.get(normalised(plan.group), ""), None)
        plan = self._alone(plan)
        for _ in range(ROUNDS):
            self.progress(f"uv lock with {_others(plan)}")
            text = self._text(plan)
            attempt = self.bench.lock(text)
            if not attempt.locked:
                others = self._named(attempt, plan)
                if not others:
                    raise unlockable(plan, attempt, self.facts, together=True)
                plan = replace(plan, conflicts=(*plan.conflicts, *others))
                continue
            shifted = [name for name in before if name not in plan.conflicts and self._shifted(name, before)]
            if not shifted:
                remarks = tuple(dict.fromkeys((*plan.remarks, *attempt.warnings)))
                plan = replace(plan, remarks=remarks, locked=self._versions(plan.group))
                return Found(plan, text, (self.bench.folder / "uv.lock").read_bytes())
            plan = replace(plan, conflicts=(*plan.conflicts, *shifted), shifted=(*plan.shifted, *shifted))
        raise EnvironmentMissing(
            f"the group {plan.group} could not be locked within {ROUNDS} attempts", "Declare its conflicts by hand."
        )

    def _baseline(self, plan: Plan) -> Attempt:
        """The repository as it is, locked: what the other groups have now."""
        text = self.facts.text
        if normalised(plan.group) in self.facts.groups:
            text = without_group(text, plan.group, whole=True)
        self.progress("uv lock of the repository as it is")
        attempt = self.bench.lock(text)
        if not attempt.locked and "No solution found" in attempt.said:
            raise EnvironmentMissing(
                "the repository's own pyproject.toml does not lock, even without the new group",
                "Mend that first: `uv lock` in the repository tells the reason.",
            )
        return attempt

    def _shifted(self, name: str, before: dict[str, frozenset[str] | None]) -> bool:
        """Whether a group that locked before would now get other versions. One that uv cannot show counts as no."""
        old, new = before[name], self.bench.versions(name)
        return old is not None and new is not None and old != new

    def _versions(self, group: str) -> dict[str, str]:
        """Name -> version; several where platforms or Pythons differ."""
        found: dict[str, list[str]] = {}
        for text in sorted(self.bench.versions(group) or ()):
            name, _, version = text.partition("==")
            if version:
                found.setdefault(normalised(name), []).append(version)
        return {name: " or ".join(versions) for name, versions in found.items()}

    def _alone(self, plan: Plan) -> Plan:
        """The plan in a form that locks with no other group beside it."""
        for _ in range(ROUNDS):
            self.progress(f"uv lock of the group {plan.group} alone")
            attempt = self.bench.lock(self._alone_text(plan), fresh=True)
            if attempt.locked:
                return plan
            mended = self._mended(plan, attempt)
            if mended is None:
                raise unlockable(plan, attempt, self.facts, together=False)
            plan = mended
        raise unlockable(plan, attempt, self.facts, together=False)

    def _mended(self, plan: Plan, attempt: Attempt) -> Plan | None:
        """What uv's message lets us put right; None when it does not."""
        said = re.sub(r"\n\s+", " ", attempt.said)
        if found := _WRONG_NAME.search(said):
            return _renamed(plan, found["given"], found["real"])
        if found := _NOT_FOUND.search(said):
            return _from_candidate(plan, found["name"]) or _left_open(plan, found["name"], "not on PyPI")
        if found := _NO_VERSION.search(said):
            name, version = found["name"], found["version"]
            looser = _looser(plan, name) or _from_candidate(plan, name)
            return looser or _left_open(plan, name, f"PyPI has no {version}")
        return None

    def _named(self, attempt: Attempt, plan: Plan) -> list[str]:
        """The other groups in uv's explanation that are not yet declared."""
        said = re.sub(r"\s+", " ", attempt.said)
        words = {normalised(name) for name in re.findall(rf"{re.escape(self.facts.name)}:([\w.-]+)", said)}
        declared = {normalised(name) for name in (*plan.conflicts, plan.group)}
        return [self.facts.groups[key] for key in self.facts.groups if key in words - declared]

    def _text(self, plan: Plan) -> str:
        text = self.facts.text
        if normalised(plan.group) in self.facts.groups:
            text = without_group(text, plan.group)
        return with_group(text, plan, self.facts.repo)

    def _alone_text(self, plan: Plan) -> str:
        """A project with this group and nothing else but the repository's settings for uv."""
        import tomlkit

        document = tomlkit.parse(self.facts.text.replace("\r\n", "\n"))
        data = document.unwrap()
        uv = data.get("tool", {}).get("uv", {})
        for key in ("conflicts", "dependency-groups", "sources", "default-groups", "workspace", "build-backend"):
            uv.pop(key, None)
        uv["package"] = False
        project = {key: data["project"][key] for key in ("name", "requires-python") if key in data["project"]}
        alone = {"project": {**project, "version": "0"}, "dependency-groups": {}, "tool": {"uv": uv}}
        return with_group(tomlkit.dumps(alone), replace(plan, conflicts=()), self.facts.repo)


def _others(plan: Plan) -> str:
    if not plan.conflicts:
        return "all groups"
    return f"all groups, in conflict with {', '.join(plan.conflicts)}"


def _renamed(plan: Plan, given: str, real: str) -> Plan | None:
    """A URL's package has the name that its own metadata says."""
    items, changed = [], False
    for item in plan.items:
        new = tuple(replace(one, name=real) if one.key == normalised(given) else one for one in item.requirements)
        if new != item.requirements:
            item, changed = replace(item, requirements=new).noted(f"its own metadata names it {real}"), True
        items.append(item)
    return replace(plan, items=tuple(items)) if changed else None


def _from_candidate(plan: Plan, name: str) -> Plan | None:
    """Take `name` from the first extra index of the recipe that was not tried for it yet."""
    tried = {source.index for source in plan.sources if normalised(source.package) == normalised(name)}
    index = next((one for one in plan.candidates if one.name not in tried), None)
    if index is None:
        return None
    items = [
        item.noted(f"from the index {index.name}")
        if any(one.key == normalised(name) for one in item.requirements)
        else item
        for item in plan.items
    ]
    sources = [one for one in plan.sources if normalised(one.package) != normalised(name)]
    indexes = plan.indexes if index in plan.indexes else (*plan.indexes, index)
    return replace(plan, items=tuple(items), sources=(*sources, IndexSource(name, index.name)), indexes=indexes)


def _looser(plan: Plan, name: str) -> Plan | None:
    """A pin that PyPI does not have: the releases that begin so (4.10.0 of conda is 4.10.0.84 there)."""
    items, changed = [], False
    for item in plan.items if plan.pinned else ():
        pin = next((one for one in item.requirements if one.key == normalised(name)), None)
        if pin is not None and (found := re.fullmatch(r"==(\d+(?:\.\d+)*)", pin.specifier)):
            new = tuple(
                replace(one, specifier=f"{one.specifier}.*") if one == pin else one for one in item.requirements
            )
            status = Status.GUESSED if item.status is Status.KEPT else item.status
            item = replace(item, requirements=new, status=status)
            item, changed = item.noted(f"PyPI has no {found[1]}: a release of {found[1]}.*"), True
        items.append(item)
    return replace(plan, items=tuple(items)) if changed else None


def _left_open(plan: Plan, name: str, why: str) -> Plan | None:
    """A package that --pin added, and that cannot be had: what needs it may choose another version."""
    items, changed = [], False
    for item in plan.items:
        added = item.line.source is Source.INSTALLED and item.requirements
        if added and any(one.key == normalised(name) for one in item.requirements):
            item, changed = replace(item, requirements=(), status=Status.LOST).noted(f"{why}: not pinned"), True
        items.append(item)
    return replace(plan, items=tuple(items)) if changed else None
