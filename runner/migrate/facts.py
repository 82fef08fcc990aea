"""What the repository's pyproject.toml says that a new group must fit to."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.environments.spec import normalised_group
from runner.environments.uv.workspace import workspace_root
from runner.errors import UsageError
from runner.migrate.recipe_lines import read_text


@dataclass(frozen=True)
class Index:
    """A [[tool.uv.index]]."""

    name: str
    url: str
    flat: bool = False


@dataclass(frozen=True)
class Facts:
    """Of pyproject.toml."""

    repo: Path
    text: str
    name: str
    requires_python: str
    groups: Mapping[str, str]  # normalised -> as written
    indexes: tuple[Index, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def read_facts(repo: Path) -> Facts:
    """Raises UsageError when pyproject.toml is not there or is not valid, or another one's uv.lock would be written."""
    path = repo / "pyproject.toml"
    text = read_text(path)
    facts = facts_of(text, repo)
    if "project" not in facts.data:
        raise UsageError(f"{path} has no [project]", "uv needs `[project]` with name, version and requires-python.")
    if (root := workspace_root(repo)) != repo:
        raise UsageError(
            f"{repo} belongs to the workspace of {root}, whose uv.lock is that of all its members",
            f"So that it has its own: add the line `[tool.uv.workspace]` to {path}, and run `run-pipeline env lock`.",
        )
    return facts


def facts_of(text: str, repo: Path) -> Facts:
    """As `read_facts`, of a text."""
    path = repo / "pyproject.toml"
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "Correct that line.") from None
    project = data.get("project", {})
    indexes = data.get("tool", {}).get("uv", {}).get("index", [])
    return Facts(
        repo=repo,
        text=text,
        name=str(project.get("name", "")),
        requires_python=str(project.get("requires-python", "")),
        groups={normalised_group(name): name for name in data.get("dependency-groups", {})},
        indexes=tuple(Index(str(one.get("name", "")), str(one.get("url", ""))) for one in indexes),
        data=data,
    )
