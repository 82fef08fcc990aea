"""A segment made concrete: tokens resolved, environment read, working directory and outputs known."""

from __future__ import annotations

import glob
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import PurePath
from typing import Any

from runner.environments import Request, Site, kind
from runner.environments.spec import parse_environment, split_at_plus, with_modules
from runner.frozen import frozen
from runner.model import Command, EnvironmentSpec, Many, Pipeline, ResolvedEntry, Segment
from runner.pipeline.masking import Noting
from runner.pipeline.tokens import ITEM_TOKEN, Where, resolve, resolve_entries, resolve_env, resolve_foreach


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
        return kind(self.spec).wrap(Request(self.spec, self.entries, self.env, self.cwd, dry=dry, many=many), site)

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
    host, dotenv = site.host, Noting(site.dotenv)
    where = Where(repo=site.repo, folder=pipeline.folder, dotenv=dotenv, windows=host.windows)
    plain = partial(resolve, **where, items=segment.many is not None)
    globs = partial(_globs, site=site, where=where, items=segment.many is not None)
    cwd = host.path(site.repo)
    if segment.cwd:
        cwd /= host.path(plain(segment.cwd))
    many = segment.many
    if many and many.foreach:
        own = resolve_foreach(many.foreach, partial(resolve, **where), lambda text: _globs((text,), site, where)[0])
        many = replace(many, foreach=own)
    below, above = split_at_plus(segment.environment)
    of_item = segment.many is not None and ITEM_TOKEN.match(segment.cwd)  # then the item says where it is
    return Task(
        segment=segment,
        spec=with_modules(
            parse_environment(plain(below) + above, segment.distro, host.platform), segment.resources.modules
        ),
        entries=tuple(resolve_entries(segment, **where)),
        env=resolve_env(segment, **where),
        cwd=plain(segment.cwd) if of_item else str(cwd),
        outputs=globs(segment.outputs),
        inputs=globs(segment.inputs),
        many=many,
        secrets=dotenv.used,
        base=str(site.repo),
        folder=str(pipeline.folder),
    )


def _globs(patterns: Sequence[str], site: Site, where: Where, *, items: bool = False) -> tuple[str, ...]:
    """Brackets in the name of a token's own folder are no pattern."""

    def quoted(path: PurePath) -> PurePath:
        return site.host.path(glob.escape(str(path)))

    escaped = Noting({name: glob.escape(value) for name, value in site.dotenv.items()})
    repo, folder = quoted(where["repo"]), quoted(where["folder"])
    own = Where(repo=repo, folder=folder, dotenv=escaped, windows=where["windows"])
    found = tuple(resolve(pattern, **own, items=items) for pattern in patterns)
    for name in escaped.used:
        _ = where["dotenv"][name]  # noted as used
    return found
