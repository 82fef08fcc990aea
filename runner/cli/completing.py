"""What the shell's Tab key offers: pipeline files, segments, groups, programs. Errors offer nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from runner.environments import Site

_Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offers(function: Callable[[click.Context, str], Iterable[CompletionItem]]) -> _Offer:
    """What `function` gives, as click wants it; a repository or pipeline that cannot be read offers nothing."""

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with contextlib.suppress(Exception):
            return list(function(ctx, incomplete))
        return []

    return offer


def pipeline_files(incomplete: str) -> Iterator[CompletionItem]:
    """YAML files that are no status files, and the folders that could hold some."""
    from runner.state.status import pipeline_of

    head, slash, start = incomplete.replace("\\", "/").rpartition("/")
    folder = Path(head + slash).expanduser() if slash else Path()
    for path in sorted(folder.iterdir()):
        if not path.name.lower().startswith(start.lower()) or (path.name.startswith(".") and not start):
            continue
        shown = incomplete[: len(incomplete) - len(start)] + path.name
        if path.is_dir():
            yield CompletionItem(shown + "/")
        elif path.suffix.lower() in (".yaml", ".yml") and pipeline_of(path) is None:
            yield CompletionItem(shown)


@_offers
def complete_files(_: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    yield from pipeline_files(incomplete)


@_offers
def complete_clusters(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """The names that run-pipeline.toml knows."""
    from runner.cli.common import make_site
    from runner.site_file import site_file_of

    site = make_site(ctx.params.get("repo"), interactive=False)
    for name, cluster in site_file_of(site).clusters.items():
        if name.startswith(incomplete):
            yield CompletionItem(name, help=cluster.host)


@_offers
def complete_segments(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    """The numbers of the file's segments, with their names; a name itself once it was begun."""
    from runner.cli.common import pipeline_path
    from runner.pipeline.reader import read_pipeline

    file = ctx.params.get("file") or ctx.args[0]  # click stops reading at an option that still lacks its value
    for segment in read_pipeline(pipeline_path(file)).segments:
        if segment.is_control:
            continue
        number, name = str(segment.number), segment.name
        if number.startswith(incomplete):
            yield CompletionItem(number, help=name)
        if incomplete and name.lower().startswith(incomplete.lower()):
            yield CompletionItem(name)


def _site(ctx: click.Context) -> Site:
    from runner.cli.common import make_site

    return make_site(ctx.params.get("repo"), interactive=False)


def _groups(ctx: click.Context) -> list[str]:
    from runner.environments.uv.groups import read_project

    written = read_project(Path(_site(ctx).repo)).groups.values()
    return [name for name in written if name != "dev"]


def _programs(ctx: click.Context) -> list[str]:
    from runner.pipeline.programs import all_programs

    site = _site(ctx)
    return [facts["program"].removesuffix(".py") for facts in all_programs(site.repo, site.host)]


def _beginning(names: Callable[[click.Context], Iterable[str]]) -> _Offer:
    return _offers(lambda ctx, incomplete: map(CompletionItem, filter(lambda n: n.startswith(incomplete), names(ctx))))


complete_groups = _beginning(_groups)
complete_programs = _beginning(_programs)


def complete_groups_and_files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [*complete_groups(ctx, parameter, incomplete), *complete_files(ctx, parameter, incomplete)]


@_offers
def complete_environments(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    below, plus, begun = incomplete.rpartition(" + ")  # `conda:NAME + uv:GROUP`
    forms = [*(f"uv:{group}" for group in _groups(ctx)), *(["script"] if plus else [])]
    yield from (CompletionItem(f"{below}{plus}{form}") for form in forms if form.startswith(begun))


@_offers
def complete_tasks(ctx: click.Context, incomplete: str) -> Iterator[CompletionItem]:
    from runner.pipeline.new_file import TASKS

    for name, (says, _) in TASKS.items():
        if name.startswith(incomplete):
            yield CompletionItem(name, help=says)
