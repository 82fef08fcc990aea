"""`run-pipeline status FILE --items`: how many items of each segment are done, and the others with their reasons."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from runner.cli.common import print_json
from runner.errors import StateError
from runner.items.decide import ItemPlan
from runner.records.view import items_running_now
from runner.report.console import Console
from runner.report.progress import shown
from runner.runs.look import Look
from runner.state.locks import LockFile

MOST = 50  # items of a segment that people are shown
_MARKS = {"failed last time": ("✗", "red"), "changed": ("~", "yellow"), "new": ("+", "green"), "removed": ("-", "dim")}
_FIRST = ("failed last time", "changed")  # of what is listed


def tell(look: Look) -> None:
    """For programs: an object for each segment and for each item that is not done."""
    for number, plan, running in _all(look):
        who = {"segment": number, "name": look.jobs[number].segment.name}
        counts = {why.value: count for why, count in plan.counts.items()}
        told = {"total": plan.total, "done": plan.done, "removed": len(plan.removed), "why": counts}
        print_json("items", **who, sentence=plan.sentence, **told, running=running)
        for key, why, reason in _others(plan):
            print_json("item", **who, item=key, why=why, reason=reason)
    for number, finding in look.findings:
        print_json("warning", segment=number, text=finding.message)


def show(look: Look, console: Console) -> None:
    for number, plan, running in _all(look):
        console.line()
        console.line(f"{number}. {look.jobs[number].segment.name}: {plan.sentence}", "bold")
        others = _others(plan)
        for count, (key, why, reason) in enumerate(others):
            if count == MOST:
                console.line(f"     and {1 + sum(1 for _ in others):,} more; --json lists all")
                break
            mark, style = _MARKS.get(why, ("·", "dim"))
            text = f"   {mark} {shown(key)} – {why}"
            if reason:
                text += f": {reason.splitlines()[0]}"
            console.line(text, style)
        for key in running:
            console.line(f"   now: {shown(key)}", "bold")
    for number, finding in look.findings:
        console.line(f"warning: segment {number}: {finding.message}", "yellow")
    if not look.many and not look.findings:
        console.line("No segment of it goes over many items (`foreach`, `matrix`).")


def _all(look: Look) -> Iterator[tuple[int, ItemPlan, list[str]]]:
    """Each segment over many: its number, its items, and the keys of those that run now."""
    now = _running(look)
    for number, tasks in sorted(look.many.items()):
        yield number, tasks.plan, now.get(number, [])


def _running(look: Look) -> dict[int, list[str]]:
    try:
        held = LockFile.of_run(look.status_file, look.path.name).held()
    except StateError:
        return {}
    return items_running_now(look.last.folder) if held is not None and look.last is not None else {}


def _others(plan: ItemPlan) -> Iterator[tuple[Any, ...]]:
    """Key, why and reason of each that is not done: what failed first, then what changed."""
    found = [(planned.item.key, planned.why.value, planned.reason) for planned in plan.to_run]
    ranked = {why: rank for rank, why in enumerate(_FIRST)}
    found.sort(key=lambda one: ranked.get(one[1], len(ranked)))
    return chain(found, ((key, "removed", "") for key in plan.removed))
