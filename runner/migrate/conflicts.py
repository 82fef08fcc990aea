"""Which groups cannot go together, as far as that is certain before uv is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.environments.spec import normalised_group as normalised
from runner.migrate.facts import Facts
from runner.migrate.plan import Plan
from runner.migrate.versions import all_of, allows, minors

_PLAIN = re.compile(r"\d+(?:\.\d+)*")


def foreseen(plan: Plan, facts: Facts, versions: Mapping[str, frozenset[str] | None]) -> tuple[str, ...]:
    """The groups that have a version which the plan's own lines exclude; each saves a trial.

    `versions`: of each group, `name==version`. Whatever needs a marker, a build or a pre-release is left to uv.
    """
    asked = {one.key: one.specifier for one in plan.requirements if one.specifier and not (one.marker or one.url)}
    pythons = minors(all_of(facts.requires_python, plan.requires_python))
    return tuple(
        name
        for name, locked in versions.items()
        if any(_excluded(specifier, _of(key, locked)) for key, specifier in asked.items())
        and pythons & minors(_python_of(name, facts))
    )


def _of(package: str, locked: frozenset[str] | None) -> list[str]:
    parts = [text.partition("==") for text in locked or ()]
    return [version for name, _, version in parts if normalised(name) == package]


def _excluded(specifier: str, versions: list[str]) -> bool:
    """Whether all of them are plain releases that `specifier` does not allow."""
    if not versions or not all(_PLAIN.fullmatch(version) for version in versions):
        return False
    return not any(allows(specifier, version) for version in versions)


def _python_of(group: str, facts: Facts) -> str:
    settings = facts.data.get("tool", {}).get("uv", {}).get("dependency-groups", {})
    own = {normalised(str(key)): value.get("requires-python", "") for key, value in settings.items()}
    return all_of(facts.requires_python, str(own.get(normalised(group), "")))
