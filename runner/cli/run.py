"""`run-pipeline FILE.yaml`: read, plan, check, run."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.common import holds_window, offline_option, usual
from runner.cli.completing import complete_files
from runner.cli.submitted import executor_option, selecting

if TYPE_CHECKING:
    from runner.environments import Site
    from runner.errors import ExitCode
    from runner.model import Diagnostic, Pipeline
    from runner.records.journal import Reporter
    from runner.runs.look import Look
    from runner.site_file import ExecutorSettings


@click.command(
    name="run",
    epilog="SEGMENT is a segment's number (from 1, as --dry-run shows it) or its name.",
)
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, its reasons and the command lines; run nothing.")
@click.option("--print-hash", "-ph", is_flag=True, help="Print the status file as it would be; run nothing.")
@click.option("--force", "-f", "--force_reprocessing", "force", is_flag=True, help="Run everything, done or not.")
@selecting
@click.option("--canary", is_flag=True, help="One item through all segments first, then the rest, with a forecast.")
@click.option("--jobs", "-j", type=click.IntRange(1), metavar="N", help="At most so many at once (default: all cores).")
@executor_option
@click.option("--shard", metavar="I/N", help="Part I of N that as many computers of a share do, each its own.")
@click.option("--accept", is_flag=True, help="Mark what would run as done, without running it.")
@click.option(
    "--prepare-ahead/--no-prepare-ahead",
    default=True,
    help="Prepare later environments while an earlier segment runs (default: yes).",
)
@click.option("--records", metavar="DIR", help="Keep run records in DIR instead of .run-pipeline beside the file.")
@click.option("--verbose", "-v", is_flag=True, help="Show each segment's command line.")
@holds_window
@offline_option
@usual
def command(file: str, **options: Any) -> int:
    """Run the segments of FILE.yaml that are not done yet.

    The first segment that is new or changed starts the part that runs: it and all that follow.
    """
    from runner.cli.common import pipeline_path

    if options["shard"] is not None:
        from runner.cli.shard import run_shard

        return run_shard(file, options)
    if options["print_hash"]:
        return _print_hashes(pipeline_path(file), options["records"])

    def settings(site: Site) -> ExecutorSettings | None:
        from runner.cli.submitted import executor_settings

        return None if options["accept"] else executor_settings(site, options["executor"])

    return execute(file, options, settings)


def execute(
    file: str, options: Mapping[str, Any], settings: Callable[[Site], ExecutorSettings | None], *, waits: bool = True
) -> int:
    """What `options` ask for of FILE, on this machine or where `settings` say. Raises RunnerError."""
    from runner.checks import find_warnings
    from runner.cli.common import make_site, pipeline_path
    from runner.cli.options import open_reporter, select
    from runner.pipeline.reader import read_pipeline

    path, dry_run = pipeline_path(file), options.get("dry_run", False)
    # a dry run asks nobody
    site = make_site(options["repo"], interactive=False if dry_run or options["as_json"] else None)
    elsewhere = settings(site)
    pipeline = read_pipeline(path)
    gc.freeze()  # it stays: the collector would only look through all of it
    flags = {name: options[name] for name in ("force", "accept", "retry_failed", "items")}
    selection = select(pipeline, options["start"], options["only"], **flags)
    show_warnings(find_warnings(pipeline, site))
    asked = {"selection": selection, "records": options["records"]}
    if dry_run:
        from runner.cli.dry_run import show_plan
        from runner.cli.options import request_for
        from runner.runs.look import look_at

        name = elsewhere.name if elsewhere is not None else ""
        look = look_at(request_for(pipeline, site, executor=name, **asked))
        return show_plan(look, elsewhere, as_json=options["as_json"])
    asked |= {name: options[name] for name in ("prepare_ahead", "jobs", "canary") if name in options}
    reporter = open_reporter(as_json=options["as_json"], verbose=options["verbose"])
    return int(run_pipeline(pipeline, site, reporter, cluster=elsewhere, waits=waits, **asked))


def run_pipeline(
    pipeline: Pipeline,
    site: Site,
    reporter: Reporter,
    *,
    cluster: ExecutorSettings | None = None,
    waits: bool = True,
    **asked: Any,
) -> ExitCode:
    """A run as `request_for` takes it: questions first, then what would stop it, then the run. Raises RunnerError.

    `cluster`: where it runs, if not here; `waits`: for its jobs.
    """
    from runner.cli.options import request_for
    from runner.errors import ExitCode
    from runner.process.stop import StopRequest, install_signal_handlers
    from runner.runs.look import look_at

    stop = StopRequest()
    if site.host.interactive:
        from runner.cli.finish import wait_for_enter

        asked["wait_for_enter"] = partial(wait_for_enter, stop)
    if cluster is not None:
        asked |= {"prepare_ahead": False, "executor": cluster.name}
    request = request_for(pipeline, site, reporter=reporter, stop=stop, **asked)
    look = look_at(request)
    if not look.plan.to_run and not look.must_write:
        _nothing_to_do(look, look.plan.warnings)
        return ExitCode.DONE
    if site.host.interactive:  # where conda or Fiji is, when only a person can tell; asked before anything runs
        from runner.cli.asking import ask_user

        ask_user((job.spec for job in look.to_run), site)
    show_warnings(look.problems())
    from runner.runs.drive import drive
    from runner.runs.open import run

    if cluster is not None:
        from runner.cluster.follow import How
        from runner.cluster.session import start

        with install_signal_handlers(stop):
            return start(request, cluster, look, How(waits=waits))
    with install_signal_handlers(stop):
        code, record = run(request, drive, look)
    if record is None:
        _nothing_to_do(look_at(request))
    return code


def show_warnings(warnings: Sequence[Diagnostic]) -> None:
    from runner.cli.common import error_console, show_diagnostics

    if warnings:
        show_diagnostics(warnings, error_console())


def _print_hashes(path: Path, records: str | None) -> int:
    """Of the file as the Go runner would read it, whatever environments it names."""
    from runner.cli.options import records_of
    from runner.pipeline.reader import read_pipeline
    from runner.records.layout import latest_run
    from runner.records.recovery import unrecorded
    from runner.state.status import Entry, entry_text, status_of, status_text

    pipeline = read_pipeline(path, hashes_only=True)
    show_warnings(pipeline.warnings)
    entries = status_of(path).entries
    done = {
        e.content_hash: e for e in (*entries, *unrecorded(latest_run(records_of(path, records)), entries)) if e.done
    }
    texts = [
        entry_text(done.get(s.content_hash) or Entry(s.name, s.content_hash))
        for s in pipeline.segments
        if not s.is_control
    ]
    sys.stdout.buffer.write(status_text(texts, {}).encode("utf-8", "backslashreplace"))
    return 0


def _nothing_to_do(look: Look, warnings: Sequence[str] = ()) -> None:
    from runner.model import Action

    journal, count = look.request.journal, len(look.jobs)
    journal.say("begin", pipeline=str(look.path), segments=count, to_run=0)
    for text in warnings:
        journal.warn(text)
    for step in look.plan.steps:
        if step.action in (Action.STOP, Action.PAUSE):
            journal.say("control", step.segment, action=step.action.value, text=step.segment.message)
    look.inputs.adopt(look.stays_done)
    news = look.news()
    for text in news:
        journal.note(text)
    if count and not news:
        journal.note("Nothing to run. --force runs everything again, --from SEGMENT a part.")
