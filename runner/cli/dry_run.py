"""`--dry-run`: the plan with its reasons, the exact command lines, and what would stop it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from runner.checks import find_problems
from runner.cli.common import print_json, screen, show_diagnostics
from runner.environments import Site
from runner.graph import make_graph
from runner.ground.words import counted
from runner.model import Action, Command, Diagnostic, Severity, Step
from runner.report.console import Console
from runner.report.lines import command_text
from runner.runs.anew import expected
from runner.runs.look import Look
from runner.site_file import ExecutorSettings


def show_plan(look: Look, executor: ExecutorSettings | None = None, *, as_json: bool) -> int:
    """Print every step, then the findings. Exit status 0: the plan could be shown."""
    site = look.request.site
    # of a segment over many items the first one's, with what stands for its tokens
    jobs = {number: tasks.example() for number, tasks in look.many.items()}
    commands = {number: (jobs.get(number) or job).command(site, dry=True) for number, job in look.jobs.items()}
    problems = [*find_problems(look.to_run, look.pipeline, site), *look.item_problems()]
    (_as_json if as_json else _as_text)(look, commands, problems)
    if executor is not None:
        from runner.cli.dry_submit import show

        show(look, executor, as_json=as_json)
    return 0


def _as_json(look: Look, commands: dict[int, Command], problems: list[Diagnostic]) -> None:
    counts = _item_counts(look)
    for step in look.plan.steps:
        number = step.segment.number
        print_json("step", **step_values(step, commands.get(number)), **counts.get(number, {}))
    for text in look.news():
        print_json("note", text=text)
    for text in look.plan.warnings:
        print_json("warning", text=text)
    print_findings(problems)


def _item_counts(look: Look) -> dict[int, dict[str, Any]]:
    """Of segments over many items."""
    if not look.many:
        return {}

    runs = expected(look, make_graph(look.pipeline.segments).among([step.segment.number for step in look.plan.steps]))
    told = {}
    for number, tasks in look.many.items():
        to_run, more = runs.get(number, (0, False))
        why = {why.value: count for why, count in tasks.plan.counts.items()}
        counts = {"items": tasks.plan.total, "items_to_run": to_run, "perhaps_more": more, "why": why}
        told[number] = {**counts, "removed": len(tasks.plan.removed)}
    return told


def step_values(step: Step, command: Command | None) -> dict[str, Any]:
    return {
        "segment": step.segment.number,
        "name": step.segment.name,
        "action": step.action.value,
        "reason": step.reason,
        "argv": list(command.argv) if command else [],
        "cwd": command.cwd if command else None,
        "env": dict(command.env) if command else {},
    }


def print_findings(findings: Iterable[Diagnostic]) -> None:
    for one in findings:
        place = {"line": one.mark and one.mark.line, "column": one.mark and one.mark.column}
        what = {"severity": one.severity.value, "segment": one.segment, "message": one.message, "cure": one.cure}
        missing = {"missing": list(one.missing)} if one.missing else {}
        print_json("finding", **what, file=str(one.file) if one.file else None, **place, **missing)


def _as_text(look: Look, commands: dict[int, Command], problems: list[Diagnostic]) -> None:
    console = screen()
    count, counts = len(look.plan.to_run), _item_counts(look)
    console.line(f"{look.path}: {count} of {len(commands)} segments would run")
    for step in look.plan.steps:
        items = counts.get(step.segment.number)
        if items and step.action is Action.RUN and step.reason != look.many[step.segment.number].plan.sentence:
            there, runs = items["items"], items["items_to_run"]
            least = "at least " if items["perhaps_more"] else ""
            told = f"{least}{runs:,} of {there:,} items" if there else "no item is there yet"
            step = replace(step, reason=f"{step.reason}; {told}")
        _step(step, commands.get(step.segment.number), console, look.request.site, item=bool(items and items["items"]))
    show_news(look, console)
    if problems:
        console.line()
        show_diagnostics(problems, console)
    if errors := sum(problem.severity is Severity.ERROR for problem in problems):
        console.line(f"{counted(errors, 'problem')} would stop this run before it starts.", "red", "bold")


def show_news(look: Look, console: Console) -> None:
    """What is to be known beside the plan: files that changed, and why something does not count as done."""
    for text in look.news():
        console.line(text)
    for text in look.plan.warnings:
        console.line(f"warning: {text}", "yellow")
    if look.status.broken:
        text = f"warning: the status file could not be read ({look.status.broken}): nothing counts as done"
        console.line(text, "yellow")


def _step(step: Step, command: Command | None, console: Console, site: Site, *, item: bool) -> None:
    runs = step.action in (Action.RUN, Action.ACCEPT)
    head = f"{step.segment.number:>3}. {step.action.value:<6} {step.segment.name or '(no name)'}"
    reason = f" – {step.reason}" if step.reason else ""
    console.line(console.style(head, "bold" if runs else "dim") + console.style(reason, "dim"))
    if command is None or not runs:
        return
    if command.cwd != str(site.repo):
        console.line(f"       in {command.cwd}")
    for name, value in command.env.items():
        console.line(f"       {name}={value}", "dim")
    if item:
        console.line("       for each item, such as:", "dim")
    text = command.raw_command_line or command_text(command.argv, windows=site.host.windows)
    console.line(f"       {text}")
