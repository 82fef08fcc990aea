"""From a recipe to the plan of its migration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.environments.spec import normalised_group
from runner.migrate.facts import Facts
from runner.migrate.lines import Converter
from runner.migrate.names import read_table
from runner.migrate.plan import Plan, Problem, Wishes
from runner.migrate.recipe_lines import Recipe


def make_plan(recipe: Recipe, facts: Facts, wishes: Wishes, table: Mapping[str, Any] | None = None) -> Plan:
    """Raises UsageError for a wish that makes no sense."""
    converter = Converter(recipe, facts, wishes, table if table is not None else read_table())
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


def _group_problems(group: str, facts: Facts, wishes: Wishes) -> list[Problem]:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", group):
        cure = "Give one of letters, digits, `-`, `_` and `.` with --group."
        return [Problem(f"{group!r} cannot be the name of a dependency group", cure)]
    if normalised_group(group) in facts.groups and not wishes.replace:
        there = facts.groups[normalised_group(group)]
        cure = "Give another name with --group, or --replace to write that group anew."
        return [Problem(f"pyproject.toml already has a group {there}", cure)]
    return []
