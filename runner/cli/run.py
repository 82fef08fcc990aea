"""`run-pipeline FILE.yaml`: read, plan, check, run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.common import holds_window, json_option, repo_option, reports_errors
from runner.cli.completing import complete_files, complete_segments

if TYPE_CHECKING:
    from runner.cli.options import Loaded
    from runner.environments import Site
    from runner.errors import ExitCode
    from runner.jobs import Jobs
    from runner.model import Diagnostic
    from runner.plan import Plan, Selection
    from runner.report import Reporter


@click.command(
    name="run",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="SEGMENT is a segment's number (from 1, as --dry-run shows it) or its name.",
)
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan, its reasons and the command lines; run nothing.")
@click.option("--print-hash", "-ph", is_flag=True, help="Print the status file as it would be; run nothing.")
@click.option("--force", "-f", "--force_reprocessing", "force", is_flag=True, help="Run everything, done or not.")
@click.option(
    "--from", "start", metavar="SEGMENT", shell_complete=complete_segments, help="Run this segment and all that follow."
)
@click.option("--only", metavar="SEGMENT", shell_complete=complete_segments, help="Run this segment alone.")
@click.option("--accept", is_flag=True, help="Mark what would run as done, without running it.")
@click.option(
    "--prepare-ahead/--no-prepare-ahead",
    default=True,
    help="Prepare later environments while an earlier segment runs (default: yes).",
)
@click.option("--records", metavar="DIR", help="Keep run records in DIR instead of .run-pipeline beside the file.")
@click.option("--verbose", "-v", is_flag=True, help="Show each segment's command line.")
@json_option
@repo_option
@holds_window
@reports_errors
def command(file: str, **options: Any) -> int:
    """Run the segments of FILE.yaml that are not done yet.

    The first segment that is new or changed starts the part that runs: it and all that follow.
    """
    return run_file(file, options)


def run_file(file: str, options: dict[str, Any]) -> int:
    """A run with the command's options; `to_stderr` among them leaves standard output to somebody else."""
    from runner.cli.common import make_site, pipeline_path
    from runner.cli.options import load, plan_for, select
    from runner.jobs import find_warnings
    from runner.pipeline.reader import read_pipeline

    path = pipeline_path(file)
    if options["print_hash"]:
        return _print_hashes(path, options)
    # a dry run asks nobody
    site = make_site(options["repo"], interactive=False if options["dry_run"] or options["as_json"] else None)
    pipeline = read_pipeline(path)
    _show_warnings(find_warnings(pipeline, site))
    selection = select(pipeline, options["start"], options["only"], force=options["force"], accept=options["accept"])
    loaded = load(path, options["records"], pipeline)
    plan, jobs = plan_for(loaded, selection, site)
    if options["dry_run"]:
        from runner.cli.dry_run import show_plan

        return show_plan(plan, jobs, loaded, site, as_json=options["as_json"])
    reporter = _reporter(options)
    if not plan.to_run and not loaded.recovered and not loaded.status.broken and not _must_rewrite(plan, loaded):
        return _nothing_to_do(plan, loaded, reporter)
    _ask(plan, jobs, site)
    stop_on_problems(plan, jobs, loaded, site)
    return int(_with_lock(loaded, selection, site, reporter, options))


def _show_warnings(warnings: Sequence[Diagnostic]) -> None:
    from runner.cli.common import error_console, show_diagnostics

    if warnings:
        show_diagnostics(warnings, error_console())


def _print_hashes(path: Path, options: dict[str, Any]) -> int:
    from runner.cli.options import load
    from runner.pipeline.reader import read_pipeline
    from runner.state.status import Entry, entry_text, status_text

    pipeline = read_pipeline(path, hashes_only=True)
    _show_warnings(pipeline.warnings)
    done = {e.content_hash: e for e in load(path, options["records"], pipeline).status.entries if e.done}
    texts = [
        entry_text(done.get(s.content_hash) or Entry(s.name, s.content_hash))
        for s in pipeline.segments
        if not s.is_control
    ]
    sys.stdout.buffer.write(status_text(texts, {}).encode("utf-8", "backslashreplace"))
    return 0


def _reporter(options: dict[str, Any]) -> Reporter:
    import os

    from runner.report.console import open_console

    if options["as_json"]:
        from runner.report.events import EventReporter

        return EventReporter(sys.stdout, open_console(sys.stderr, os.environ).raw)
    from runner.report.lines import LineReporter

    console = open_console(sys.stderr if options.get("to_stderr") else sys.stdout, os.environ)
    return LineReporter(console, windows=sys.platform == "win32", verbose=options["verbose"])


def _must_rewrite(plan: Plan, loaded: Loaded) -> bool:
    from runner.plan import same_entries

    return not same_entries(plan.keep, loaded.status.entries)


def _nothing_to_do(plan: Plan, loaded: Loaded, reporter: Reporter) -> int:
    from runner.model import Action

    count = sum(1 for s in loaded.pipeline.segments if not s.is_control)
    reporter.begin(str(loaded.path), count, 0)
    for text in plan.warnings:
        reporter.warn(text)
    for step in plan.steps:
        if step.action in (Action.STOP, Action.PAUSE):
            reporter.control(step.segment, step.action.value, step.segment.message)
    if count:
        reporter.note("Nothing to run. --force runs everything again, --from SEGMENT a part.")
    return 0


def _ask(plan: Plan, jobs: Jobs, site: Site) -> None:
    """Where conda or Fiji is, when only a person can tell; asked before anything runs."""
    from runner.cli.asking import ask_user
    from runner.model import Action

    if site.host.interactive:
        ask_user((jobs[step.segment.number].spec for step in plan.steps if step.action is Action.RUN), site)


def stop_on_problems(plan: Plan, jobs: Jobs, loaded: Loaded, site: Site) -> None:
    """Raises PipelineError with all findings; nothing was written by then. Shows what are but warnings."""
    from runner.cli.common import error_console, show_diagnostics
    from runner.errors import ExitCode, PipelineError
    from runner.jobs import errors, find_problems
    from runner.model import Action

    to_run = [jobs[step.segment.number] for step in plan.steps if step.action is Action.RUN]
    problems = find_problems(to_run, loaded.pipeline, site)
    count = len(errors(problems))
    if not count:
        if problems:
            show_diagnostics(problems, error_console())
        return
    error = PipelineError(
        f"{count} problem{'s' if count > 1 else ''} found; nothing was run",
        problems,
        "`--dry-run` shows the whole plan.",
    )
    if any(problem.is_environment for problem in errors(problems)):
        error.exit_code = ExitCode.ENVIRONMENT
    raise error


def _with_lock(
    loaded: Loaded, selection: Selection, site: Site, reporter: Reporter, options: dict[str, Any]
) -> ExitCode:
    from runner.cli.options import load, plan_for
    from runner.state.locks import LockFile

    lock = loaded.status_file.with_name(loaded.status_file.name + ".lock")
    _still_there(loaded)
    with LockFile(lock, f"run-pipeline {loaded.path.name}").acquire(wait=0) as held:
        _still_there(loaded)
        if held.taken_from is not None:
            reporter.note(f"took over the lock of {held.taken_from}, which broke off")
        # what another run finished between our look and the lock counts
        loaded = load(loaded.path, options["records"], loaded.pipeline)
        plan, jobs = plan_for(loaded, selection, site)
        return _start(loaded, plan, jobs, selection, site, reporter, options)


def _still_there(loaded: Loaded) -> None:
    from runner.errors import UsageError

    if not loaded.path.exists():
        raise UsageError(f"{loaded.path} was removed meanwhile; nothing was run", "Put it back and start again.")


def _start(
    loaded: Loaded,
    plan: Plan,
    jobs: Jobs,
    selection: Selection,
    site: Site,
    reporter: Reporter,
    options: dict[str, Any],
) -> ExitCode:
    from runner.cli.finish import wait_for_enter
    from runner.cli.start import adopt, close, open_book, open_run
    from runner.engine import Session, walk
    from runner.errors import ExitCode
    from runner.ground.files import Syncer
    from runner.process.keep_awake import kept_awake
    from runner.process.stop import StopRequest, install_signal_handlers

    adopt(loaded, site, reporter)
    for text in plan.warnings:
        reporter.warn(text)
    book = open_book(loaded, plan, reporter)
    if not plan.to_run:
        _nothing_to_do(plan, loaded, reporter)
        return ExitCode.DONE
    syncer = Syncer()
    run, durations = open_run(loaded, plan, selection, site, syncer)
    stop = StopRequest()
    session = Session(
        name=str(loaded.path),
        plan=plan,
        jobs=jobs,
        site=site,
        book=book,
        run=run,
        reporter=reporter,
        stop=stop,
        wait_for_enter=(lambda: wait_for_enter(stop)) if site.host.interactive else None,
        prepare_ahead=options["prepare_ahead"],
        only=selection.only is not None,
        durations=durations,
        syncer=syncer,
    )
    code = ExitCode.INTERNAL
    try:
        with install_signal_handlers(stop), kept_awake(site.host.environ):
            code = walk(session)
    finally:
        close(session, loaded, site, code)
    return code
