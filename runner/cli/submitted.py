"""What the commands share that go on with a run which was submitted to a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from runner.cli.common import usual
from runner.cli.completing import complete_files, complete_segments

if TYPE_CHECKING:
    from runner.cluster.follow import How
    from runner.environments import Site
    from runner.errors import ExitCode
    from runner.site_file import ExecutorSettings

executor_option = click.option(
    "--executor",
    metavar="NAME",
    help="Where it runs: local, slurm, pbs, or a name of run-pipeline.toml (default: what that says, else local).",
)
records_option = click.option(
    "--records", metavar="DIR", help="Where the run records are kept, if not beside the file."
)


def selecting(function: Any) -> Any:
    """--from, --only, --item and --retry-failed: what of a pipeline is to run."""
    options = (
        click.option(
            "--from",
            "start",
            metavar="SEGMENT",
            shell_complete=complete_segments,
            help="Run this segment and all that follow.",
        ),
        click.option("--only", metavar="SEGMENT", shell_complete=complete_segments, help="Run this segment alone."),
        click.option(
            "--item",
            "items",
            multiple=True,
            metavar="PATTERN",
            help="Of segments over many items, only these; repeatable.",
        ),
        click.option(
            "--retry-failed", is_flag=True, help="Of segments over many items, only those that failed last time."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def on_a_submitted_run(function: Any) -> Any:
    """FILE, --records, --json and --repo."""
    file = click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
    return file(records_option(usual(function)))


def executor_settings(site: Site, name: str | None) -> ExecutorSettings | None:
    """Of a cluster; None for this machine. Raises UsageError."""
    from runner.site_file import site_file_of

    settings = site_file_of(site).executor_named(name)
    return None if settings.kind == "local" else settings


def go_on(file: str, records: str | None, repo: str | None, how: How, *, as_json: bool) -> ExitCode:
    """Take up the run that was left, as `how` says. Raises RunnerError."""
    from runner.cli.common import make_site, pipeline_path
    from runner.cli.options import open_reporter, records_of, request_for
    from runner.cluster.session import in_place, submitted_run, take_up
    from runner.process.stop import StopRequest, install_signal_handlers

    path, site, stop = pipeline_path(file), make_site(repo, interactive=False), StopRequest()
    record, submitted, pipeline = submitted_run(records_of(path, records), path.name)
    pipeline = replace(pipeline, path=in_place(path, record, submitted, how))
    asked: dict[str, Any] = {"selection": submitted.selection, "executor": submitted.settings.name}
    reporter = open_reporter(as_json=as_json, verbose=False)
    request = request_for(pipeline, site, reporter=reporter, stop=stop, prepare_ahead=False, **asked)
    request = replace(request, records=record.folder.parent)
    with install_signal_handlers(stop):
        return take_up(request, record, submitted, how)
