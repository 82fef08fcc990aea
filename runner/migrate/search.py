"""Looks for a form of the plan that locks beside the other groups: which of them to declare in conflict with it.

What uv says decides each step; nothing outside of a scratch folder is written. The number of trials is bounded, and so
is their time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import tomlkit

from runner.environments.spec import normalised_group as normalised
from runner.migrate.conflicts import foreseen
from runner.migrate.facts import Facts
from runner.migrate.locking import Attempt, Workbench
from runner.migrate.mending import mended
from runner.migrate.plan import Clash, Plan
from runner.migrate.project import with_group, without_group
from runner.migrate.reasons import unlockable, unsound

MENDINGS = 60  # of one line each, most of them quick
TRIALS = 12  # beside the other groups
TOGETHER_SECONDS = 300.0  # for all of these; then the group is kept apart from every other

Versions = Mapping[str, frozenset[str] | None]  # of each group, `name==version`


@dataclass
class Found:
    """A plan that locks, with both files as they are to be."""

    plan: Plan
    pyproject: str
    lock: bytes


@dataclass
class Search:
    """One search; `progress` hears what is tried."""

    bench: Workbench
    facts: Facts
    progress: Callable[[str], None]
    seconds: float = TOGETHER_SECONDS  # for the trials beside the other groups

    def find(self, plan: Plan) -> Found:
        """Raises EnvironmentMissing with uv's reason when no form of the plan locks."""
        before = self._baseline(plan)
        plan = self._alone(plan)
        return self._together(plan.apart_from(foreseen(plan, self.facts, before), Clash.EXCLUDED), before)

    def _baseline(self, plan: Plan) -> Versions:
        """What the other groups have now."""
        self.progress("uv lock of the repository as it is")
        attempt = self.bench.lock(self._without(plan, whole=True))
        if not attempt.locked:
            raise unsound(attempt, self.facts)
        return {name: self.bench.versions(name) for name in self._others(plan)}

    def _alone(self, plan: Plan) -> Plan:
        """The plan in a form that locks with no other group beside it."""
        for _ in range(MENDINGS):
            self.progress(f"uv lock of the group {plan.group} alone")
            attempt = self.bench.lock(self._alone_text(plan), fresh=True)
            if attempt.locked:
                return plan
            better = mended(plan, attempt.said)
            if better is None:
                break
            plan = better
        raise unlockable(plan, attempt, self.facts, together=False)

    def _together(self, plan: Plan, before: Versions) -> Found:
        """With the pairs that it takes, found one trial after the other; with all pairs when that takes too long."""
        end = time.monotonic() + self.seconds
        for number in range(1, TRIALS + 1):
            if (left := end - time.monotonic()) <= 0:
                break
            self.progress(f"uv lock beside {_those(plan)}, trial {number}")
            text = self._text(plan)
            attempt = self.bench.lock(text, seconds=left)
            if not attempt.ended:
                break
            if not attempt.locked:
                others = self._named(attempt, plan)
                if not others:
                    raise unlockable(plan, attempt, self.facts, together=True)
                plan = plan.apart_from(others, Clash.CONTRADICTS)
            elif shifted := [name for name in before if name not in plan.conflicts and self._shifted(name, before)]:
                plan = plan.apart_from(shifted, Clash.SHIFTED)
            else:
                return self._found(plan, text, attempt)
        return self._apart(plan)

    def _apart(self, plan: Plan) -> Found:
        """In conflict with every other group: more than is needed, but the least work for uv."""
        plan = plan.apart_from(self._others(plan), Clash.UNTRIED)
        self.progress("uv lock with the group kept apart from all others")
        text = self._text(plan)
        attempt = self.bench.lock(text)
        if not attempt.locked:
            raise unlockable(plan, attempt, self.facts, together=True)
        return self._found(plan, text, attempt)

    def _found(self, plan: Plan, text: str, attempt: Attempt) -> Found:
        remarks = tuple(dict.fromkeys((*plan.remarks, *attempt.warnings)))
        plan = replace(plan, remarks=remarks, locked=self._versions(plan.group))
        return Found(plan, text, (self.bench.folder / "uv.lock").read_bytes())

    def _others(self, plan: Plan) -> list[str]:
        return [name for key, name in self.facts.groups.items() if key != normalised(plan.group)]

    def _shifted(self, name: str, before: Versions) -> bool:
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

    def _named(self, attempt: Attempt, plan: Plan) -> list[str]:
        """The other groups in uv's explanation that are not yet declared."""
        said = re.sub(r"\s+", " ", attempt.said)
        words = {normalised(name) for name in re.findall(rf"{re.escape(self.facts.name)}:([\w.-]+)", said)}
        declared = {normalised(name) for name in (*plan.conflicts, plan.group)}
        return [self.facts.groups[key] for key in self.facts.groups if key in words - declared]

    def _without(self, plan: Plan, *, whole: bool) -> str:
        there = normalised(plan.group) in self.facts.groups
        return without_group(self.facts.text, plan.group, whole=whole) if there else self.facts.text

    def _text(self, plan: Plan) -> str:
        return with_group(self._without(plan, whole=False), plan, self.facts.repo)

    def _alone_text(self, plan: Plan) -> str:
        """A project with this group and nothing else but the repository's settings for uv."""
        document = tomlkit.parse(self.facts.text.replace("\r\n", "\n"))
        data = document.unwrap()
        uv = data.get("tool", {}).get("uv", {})
        for key in ("conflicts", "dependency-groups", "sources", "default-groups", "workspace", "build-backend"):
            uv.pop(key, None)
        uv["package"] = False
        project = {key: data["project"][key] for key in ("name", "requires-python") if key in data["project"]}
        alone = {"project": {**project, "version": "0"}, "dependency-groups": {}, "tool": {"uv": uv}}
        return with_group(tomlkit.dumps(alone), replace(plan, conflicts={}), self.facts.repo)


def _those(plan: Plan) -> str:
    count = len(plan.conflicts)
    return f"the other groups ({count} in conflict)" if count else "the other groups"
