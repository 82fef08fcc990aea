"""What `run-pipeline status` does."""

from __future__ import annotations

from typing import Any

from runner.cli.common import make_site, pipeline_path, print_json, screen
from runner.cli.dry_run import show_news
from runner.cli.options import load
from runner.cli.status_items import show, tell
from runner.errors import StateError
from runner.go.duration import from_go
from runner.ground.words import time_text
from runner.model import Step
from runner.records.layout import RUNNING, SUBMITTED
from runner.records.view import running_now
from runner.report.console import Console
from runner.runs.look import Look
from runner.state.locks import LockFile


def status(file: str, records: str | None, items: bool, as_json: bool, repo: str | None) -> int:
    """The command."""
    look = load(pipeline_path(file), make_site(repo, interactive=False), records)
    rows = [_row(step, look) for step in look.plan.steps if not step.segment.is_control]
    submitted = look.last is not None and look.last.state == SUBMITTED
    if submitted:
        from runner.cli.status_jobs import add_jobs

        rows = add_jobs(rows, look)
    if as_json:
        for row in rows:
            print_json("status", **row)
        for text in look.news():
            print_json("note", text=text)
        if items:
            tell(look)
    else:
        console = screen()
        _show(rows, look, console)
        if items:
            show(look, console)
    return 0


def _row(step: Step, look: Look) -> dict[str, Any]:
    entry = next((e for e in look.status.entries if e.done and e.content_hash == step.segment.content_hash), None)
    return {
        "segment": step.segment.number,
        "name": step.segment.name,
        "done": step.action.value == "skip" and entry is not None,
        "when": entry.last_processed if entry else None,
        "seconds": from_go(entry.run_duration) if entry else None,
        "action": step.action.value,
        "reason": step.reason,
    }


def _show(rows: list[dict[str, Any]], look: Look, console: Console) -> None:
    console.line(f"{look.path}")
    width = min(48, max((len(row["name"]) for row in rows), default=0))
    for row in rows:
        mark, style = ("✓ done    ", "green") if row["done"] else ("· would run", "bold")
        if row["action"] == SUBMITTED:
            mark, style = "» submitted", "bold"
        took = time_text(row["seconds"] or None)
        text = f"{row['segment']:>3}. {row['name'][:width]:<{width}}  {mark:<11}"
        text += f"  {row['when'] or '':<10}  {took:>12}" if row["done"] else f"  {row['reason']}"
        console.line(text.rstrip(), style)
    show_news(look, console)
    _last_run(look, console)


def _last_run(look: Look, console: Console) -> None:
    try:
        holder = LockFile.of_run(look.status_file, look.path.name).held()
    except StateError as error:
        holder = None
        console.line(f"warning: {error.message}", "yellow")
    if holder is not None:
        console.line(f"It is being run: {holder}.")
        for text in running_now(look.last.folder) if look.last else ():
            console.line(f"Now: {text}".rstrip(), "bold")
    if look.last is None:
        return
    state = look.last.state
    if state == RUNNING and holder is None:
        state = "killed before it could finish"
    console.line(f"Last run: {look.last.started[:16].replace('T', ' ')}, {state}; record: {look.last.folder}")
    if state == SUBMITTED and holder is None:
        console.line(f'Nobody follows it: run-pipeline resume "{look.path}" does; cancel ends its jobs.')
