"""`--on CLUSTER`: the same command of the runner on a cluster, over the login that is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from runner.cli.common import error_console, make_site, pipeline_path, reports_errors
from runner.cli.completing import complete_clusters

_BRINGS_ALL = ("submit", "resume", "collect")  # the others bring receipts and logs alone: they are asked often


class OnCluster(click.Command):
    """A command with FILE that `--on CLUSTER` runs there."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        text = "Runs this on a cluster that `run-pipeline login CLUSTER` has opened."
        option = click.Option(["--on"], metavar="CLUSTER", help=text, shell_complete=complete_clusters)
        self.params.insert(len(self.params) - 1, option)

    def invoke(self, ctx: click.Context) -> Any:
        cluster = ctx.params.pop("on")
        return super().invoke(ctx) if cluster is None else _elsewhere(ctx, cluster)


@reports_errors
def _elsewhere(ctx: click.Context, name: str) -> int:
    from runner.errors import UsageError
    from runner.login.cluster import find_cluster
    from runner.login.remote import run_there

    given = ctx.params
    if given.get("records"):
        raise UsageError("--records and --on exclude each other", "There, records are kept beside the pipeline file.")
    site = make_site(given.get("repo"), interactive=False)
    cluster = find_cluster(name, site.repo, site.host)
    command = str(ctx.command.name)
    words = list(_words(ctx))
    if cluster.executor and "executor" in given and not given["executor"]:
        words += ["--executor", cluster.executor]
    console = error_console()
    return run_there(
        cluster,
        [command],
        pipeline_path(given["file"]),
        words,
        site,
        say=console.line,
        up=command == "submit",
        outputs=command in _BRINGS_ALL,
    )


def _words(ctx: click.Context) -> Iterator[str]:
    """The options as they were given, but for those that mean something on this computer alone."""
    for parameter in ctx.command.params:
        name = str(parameter.name)
        value = ctx.params.get(name)
        if name in ("on", "repo", "file") or ctx.get_parameter_source(name) != click.core.ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Argument):
            if value is not None:
                yield str(value)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            yield parameter.secondary_opts[0] if value is False else parameter.opts[0]
        else:
            for one in value if isinstance(value, tuple) else (value,):
                yield f"{max(parameter.opts, key=len)}={one}"
