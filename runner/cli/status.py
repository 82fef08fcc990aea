"""`run-pipeline status FILE`: what is done, when, how long it took, and what would run. Writes nothing."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from runner.cli.common import json_option, repo_option, reports_errors
from runner.cli.completing import complete_files

if TYPE_CHECKING:
    from runner.cli.options import Loaded
    from runner.model import Segment, Step
    from runner.plan import Plan


@click.command(name="status", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
@click.option("--records", metavar="DIR", help="Where the run records are kept, if not beside the file.")
@json_option
@repo_option
@reports_errors
def command(file: str, records: str | None, as_json: bool, repo: str | None) -> int:
    """Show each segment: done or not, when, how long it took, why it would run again; and the last run."""
    from runner.cli.common import make_site, pipeline_path
    from runner.cli.options import load, plan_for
    from runner.pipeline.reader import read_pipeline
    from runner.plan import Selection

    path = pipeline_path(file)
    site = make_site(repo, interactive=False)
    loaded = load(path, records, read_pipeline(path))
    plan, _ = plan_for(loaded, Selection(), site)
    rows = [_row(step, loaded) for step in plan.steps if not step.segment.is_control]
    if as_json:
        for row in rows:
            print(json.dumps({"event": "status", **row}))
    else:
        _show(rows, plan, loaded)
    return 0


def _row(step: Step, loaded: Loaded) -> dict[str, Any]:
    from runner.go.duration import from_go

    entry = next((e for e in loaded.status.entries if e.done and e.content_hash == step.segment.content_hash), None)
    return {
        "segment": step.segment.number,
        "name": step.segment.name,
        "done": step.action.value == "skip" and entry is not None,
        "when": entry.last_processed if entry else None,
        "seconds": from_go(entry.run_duration) if entry else None,
        "action": step.action.value,
        "reason": step.reason,
    }


def _show(rows: list[dict[str, Any]], plan: Plan, loaded: Loaded) -> None:
    from runner.ground.words import time_text
    from runner.report.console import open_console

    console = open_console(sys.stdout, os.environ)
    console.line(f"{loaded.path}")
    width = min(48, max((len(row["name"]) for row in rows), default=0))
    for row in rows:
        mark, style = ("✓ done    ", "green") if row["done"] else ("· would run", "bold")
        took = time_text(row["seconds"] or None)
        text = f"{row['segment']:>3}. {row['name'][:width]:<{width}}  {mark:<11}"
        text += f"  {row['when'] or '':<10}  {took:>12}" if row["done"] else f"  {row['reason']}"
        console.line(console.style(text.rstrip(), style))
    for text in plan.warnings:
        console.line(console.style(f"warning: {text}", "yellow"))
    if loaded.status.broken:
        text = f"warning: the status file could not be read ({loaded.status.broken}): nothing counts as done"
        console.line(console.style(text, "yellow"))
    _last_run(loaded)


def _running(loaded: Loaded) -> Segment | None:
    """The segment whose program runs now; None between two of them."""
    child = loaded.last.child() if loaded.last else None
    segment = next((one for one in loaded.pipeline.segments if child and one.number == child.segment), None)
    if loaded.last is None or segment is None:
        return None
    ended = loaded.last.segment_folder(segment.number, segment.name) / "receipt.json"
    return None if ended.exists() else segment


def _last_run(loaded: Loaded) -> None:
    from runner.errors import StateError
    from runner.report.console import open_console
    from runner.state.locks import LockFile
    from runner.state.records import RUNNING

    console = open_console(sys.stdout, os.environ)
    lock = loaded.status_file.with_name(loaded.status_file.name + ".lock")
    file = LockFile(lock, loaded.path.name)
    try:
        holder = file.held()
    except StateError as error:
        holder = None
        console.line(console.style(f"warning: {error.message}", "yellow"))
    if holder is not None:
        console.line(f"It is being run: {holder}.")
        if segment := _running(loaded):
            console.line(console.style(f"Now: {segment.number}. {segment.name}".rstrip(), "bold"))
    if loaded.last is None:
        return
    state = loaded.last.state
    if state == RUNNING and holder is None:
        state = "killed before it could finish"
    console.line(f"Last run: {loaded.last.started[:16].replace('T', ' ')}, {state}; record: {loaded.last.folder}")
