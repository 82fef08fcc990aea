"""A segment made concrete: tokens resolved, environment read, working directory and outputs known."""

from __future__ import annotations

import glob
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import PurePath
from typing import Any

from runner.environments import Request, Site, kind
from runner.environments.spec import parse_environment
from runner.frozen import frozen
from runner.model import Command, EnvironmentSpec, Many, Pipeline, ResolvedEntry, Segment
from runner.pipeline.masking import Noting
from runner.pipeline.tokens import ITEM_TOKEN, resolve, resolve_entries, resolve_env, resolve_foreach


@frozen
class Task:
    """What one normal segment needs to be started."""

    segment: Segment
    spec: EnvironmentSpec
    entries: tuple[ResolvedEntry, ...]
    env: Mapping[str, str]
    cwd: str
    outputs: tuple[str, ...]  # globs, absolute or relative to cwd
    inputs: tuple[str, ...] = ()  # the same
    secrets: Mapping[str, str] = field(default_factory=dict)  # what of .env went into it
    many: Many | None = None  # of the segment, with tokens resolved
    item: str | None = None  # the key of the item that it is for
    base: str = ""  # what a relative cwd counts from
    folder: str = ""  # of the pipeline file: what a relative `foreach` counts from

    @property
    def environment_key(self) -> Hashable:
        """Equal for tasks that share an environment."""
        return kind(self.spec).key(self.spec, self.entries)

    def command(self, site: Site, *, dry: bool = False) -> Command:
        many = self.item is not None
        return kind(self.spec).wrap(Request(self.spec, self.entries, self.env, self.cwd, dry, many), site)

    def given(self, variables: Mapping[str, str]) -> Task:
        """The same with variables of what it was given of the machine; those of the segment itself win."""
        return replace(self, env={**variables, **self.env}) if variables else self

    def masked(self, value: Any, site: Site) -> Any:
        """`value` as it may be written down: with names for the values of .env."""
        if not self.secrets:
            return value
        from runner.pipeline.masking import masked

        return masked(value, self.secrets, windows=site.host.windows)


class Tasks(Mapping[int, Task]):
    """The tasks of a pipeline's normal segments by number, each made when it is first asked for."""

    def __init__(self, pipeline: Pipeline, site: Site, change: Callable[[Task], Task] | None = None) -> None:
        self.site = site
        self._pipeline = pipeline
        self._change = change
        self._segments = {s.number: s for s in pipeline.segments if not s.is_control}
        self._made: dict[int, Task] = {}

    def __getitem__(self, number: int) -> Task:
        if number not in self._made:
            job = make_task(self._segments[number], self._pipeline, self.site)
            self._made[number] = self._change(job) if self._change else job
        return self._made[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self._segments)

    def __len__(self) -> int:
        return len(self._segments)


def make_task(segment: Segment, pipeline: Pipeline, site: Site) -> Task:
    """`segment` of `pipeline` on `site`; reads nothing from disk."""
    host = site.host
    repo, folder, dotenv, windows = site.repo, pipeline.folder, Noting(site.dotenv), host.windows

    def plain(text: str) -> str:
        return resolve(text, repo=repo, folder=folder, dotenv=dotenv, windows=windows, items=segment.many is not None)

    cwd = host.path(repo)
    if segment.cwd:
        cwd /= host.path(plain(segment.cwd))
    of_item = segment.many is not None and ITEM_TOKEN.match(segment.cwd)  # then the item says where it is
    return Task(
        segment=segment,
        spec=parse_environment(plain(segment.environment), segment.distro, host.platform),
        entries=tuple(resolve_entries(segment, repo=repo, folder=folder, dotenv=dotenv, windows=windows)),
        env=resolve_env(segment, repo=repo, folder=folder, dotenv=dotenv, windows=windows),
        cwd=plain(segment.cwd) if of_item else str(cwd),
        outputs=_globs(segment.outputs, pipeline, site, dotenv, items=segment.many is not None),
        inputs=_globs(segment.inputs, pipeline, site, dotenv, items=segment.many is not None),
        many=segment.many and _resolved(segment.many, pipeline, site, dotenv),
        secrets=dotenv.used,
        base=str(repo),
        folder=str(folder),
    )


def _resolved(many: Many, pipeline: Pipeline, site: Site, dotenv: Noting) -> Many:
    if many.foreach is None:
        return many

    def plain(text: str) -> str:
        windows = site.host.windows
        return resolve(text, repo=site.repo, folder=pipeline.folder, dotenv=dotenv, windows=windows) if text else ""

    def pattern(text: str) -> str:
        return _globs((text,), pipeline, site, dotenv)[0] if text else ""

    return replace(many, foreach=resolve_foreach(many.foreach, plain, pattern))


def _globs(
    patterns: Sequence[str], pipeline: Pipeline, site: Site, dotenv: Noting, *, items: bool = False
) -> tuple[str, ...]:
    """Brackets in the name of a token's own folder are no pattern."""

    def quoted(path: PurePath) -> PurePath:
        return site.host.path(glob.escape(str(path)))

    repo, folder = quoted(site.repo), quoted(pipeline.folder)
    escaped = Noting({name: glob.escape(value) for name, value in site.dotenv.items()})
    windows = site.host.windows
    found = tuple(
        resolve(pattern, repo=repo, folder=folder, dotenv=escaped, windows=windows, items=items) for pattern in patterns
    )
    dotenv.used.update({name: dotenv[name] for name in escaped.used})
    return found
