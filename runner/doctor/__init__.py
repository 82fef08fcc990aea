"""Looks at a machine before a long run: each check gives lines with a state, what was seen, and a cure.

A check writes nothing (only `--gpu` prepares the environment that it tries), and asks programs through
`Context.site.host.capture`, which never waits long. Which checks there are: `runner.doctor.checks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Any

from runner.environments import Site, kind, parts
from runner.errors import PipelineError, RunnerError
from runner.ground.registry import Registry, read_registry
from runner.model import EnvironmentSpec, Pipeline
from runner.tasks import Task


class State(Enum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Line:
    """One finding. An `ok` line may have a cure too: a hint."""

    state: State
    text: str
    cure: str = ""


def ok(text: str, cure: str = "") -> Line:
    """All is well."""
    return Line(State.OK, text, cure)


def warning(text: str, cure: str) -> Line:
    """A run may still go well."""
    return Line(State.WARNING, text, cure)


def problem(text: str, cure: str) -> Line:
    """A run will not go well."""
    return Line(State.PROBLEM, text, cure)


def from_error(error: RunnerError) -> Line:
    """What somebody else found, with one line of uv's own words at most: the page is to stay a page."""
    lines = error.cure.splitlines()
    said = [line for line in lines if line.startswith("uv: ")]
    kept = next((line for line in said if "error:" in line), "")
    return problem(error.message, "\n".join([line for line in lines if line not in said] + ([kept] if kept else [])))


@dataclass(frozen=True)
class Context:
    """What the checks look at."""

    site: Site
    pipeline: Pipeline | None = None  # FILE, where one was given and could be read
    jobs: tuple[Task, ...] = ()  # of FILE
    refused: PipelineError | None = None  # FILE could not be read
    records: Path | None = None  # the root of FILE's run records
    gpu: bool = False  # --gpu
    registry: Registry = read_registry
    deadline: float = float("inf")  # of this check, on the monotonic clock

    def remaining(self) -> float:
        """Seconds that this check still has."""
        return self.deadline - time.monotonic()

    @property
    def has_file(self) -> bool:
        return self.pipeline is not None or self.refused is not None

    def uses(self, tool: str) -> list[Task]:
        """The jobs of FILE whose environment needs this tool of the machine; of one put together, with that part."""
        each = [(job, part) for job in self.jobs for part in parts(job.spec) if kind(part).tool == tool]
        return [job if part is job.spec else replace(job, spec=part) for job, part in each]

    def output_folders(self) -> Iterator[PurePath]:
        """The fixed beginning of each pattern in `outputs:`."""
        from runner.items.globs import output_globs

        for job in self.jobs:
            for pattern in output_globs(job.outputs, job.many, job.cwd, job.base, job.folder):
                first, *rest = (self.site.host.path(job.cwd) / pattern).parts
                yield self.site.host.path(first).joinpath(*takewhile(lambda part: not set(part) & set("*?["), rest))

    def uv_groups(self) -> list[EnvironmentSpec]:
        """The uv groups of FILE; without FILE every group but `dev`. None of a project that cannot be read."""
        from runner.environments.spec import parse_environment
        from runner.environments.uv.groups import read_project
        from runner.errors import EnvironmentMissing
        from runner.ground.disk import on_disk

        if self.has_file:
            return list(dict.fromkeys(job.spec for job in self.uses("uv") if not kind(job.spec).by_commands))
        try:
            groups = read_project(on_disk(self.site.repo)).groups
        except EnvironmentMissing:
            return []
        return [parse_environment(f"uv:{name}", "", self.site.host.platform) for name in groups if name != "dev"]

    def locked(self) -> Iterator[tuple[EnvironmentSpec, str, list[dict[str, Any]]]]:
        """Those, each with its name as written and its packages; what is wrong with the lock another line tells."""
        from runner.environments.uv.groups import group_packages, read_project
        from runner.errors import EnvironmentMissing
        from runner.ground.disk import on_disk

        repo = on_disk(self.site.repo)
        with suppress(EnvironmentMissing):
            project = read_project(repo)
            for spec in self.uv_groups():
                if spec.name in project.groups:
                    yield spec, project.groups[spec.name], group_packages(repo, spec.name, project)


@dataclass(frozen=True)
class Check:
    """One thing to look at. `run` gives no line where there is nothing to look at on this machine."""

    title: str
    why: str  # one sentence for the docs
    run: Callable[[Context], list[Line]]
    limit: float = 12.0  # seconds, then "did not answer"


def check(title: str, why: str, limit: float = 12.0) -> Callable[[Callable[[Context], list[Line]]], Check]:
    """Makes what stands below it a check."""
    return lambda run: Check(title, why, run, limit)
