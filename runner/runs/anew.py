"""What a segment makes anew makes old: items of those that follow are not done any more, whatever becomes of the run.

It is written down before the segment starts. So a run that breaks off in between takes no old result for a new one.
"""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Iterable, Sequence

from runner.graph import Graph, neighbours
from runner.items.ledger import ALL, Ledger
from runner.model import Action, Segment
from runner.records.lines import ItemReceipt, ItemState, added_to, append
from runner.runs.look import Look, items_file
from runner.runs.many import ManyTasks

_LOOKED_AT = 100  # items of which the outputs are compared


def outdate(look: Look, graph: Graph, number: int, keys: Sequence[str], segments: dict[int, Segment]) -> None:
    """Before a segment starts; `keys` are those of its items that will run. Raises StateError."""
    for later in neighbours(graph, number, "after", segments):
        if segments[later].many is None:
            continue
        by_item = (later, number) in graph.items
        forget(look, segments[later], keys if by_item else (ALL,), f"segment {number} ran again", every=not by_item)


def forget(look: Look, segment: Segment, keys: Iterable[str], why: str, *, every: bool = False) -> None:
    """What of `keys` was done is not any more; `every`: they are noted whatever is known of them. Raises StateError."""
    path = items_file(look, segment.number)
    known = Ledger.read(path).done
    old = [key for key in keys if every or key in known] if known else []
    if not old:
        return
    with added_to(path) as lines:
        for key in old:
            append(lines, ItemReceipt(key, ItemState.ANEW, note=why, started=time.time()), path)


def settle(look: Look, segment: Segment, ledger: Ledger) -> None:
    """What `outdate` said of all items was heeded. Raises StateError."""
    if not ledger.all_again:
        return
    path = items_file(look, segment.number)
    with added_to(path) as lines:
        append(lines, ItemReceipt(ALL, ItemState.SUCCEEDED), path)


def must_run_anew(graph: Graph, tasks: ManyTasks, others: dict[int, ManyTasks], segments: dict[int, Segment]) -> bool:
    """Whether all items run, done or not. Files that an earlier segment writes tell by themselves what is new."""
    number = tasks.job.segment.number
    if not tasks.ledger.all_again:
        return False
    before = [n for n in neighbours(graph, number, "before", segments) if (number, n) not in graph.items]
    return not before or not all(n in others and _reads(tasks, others[n]) for n in before)


def expected(look: Look, graph: Graph) -> dict[int, tuple[int, bool]]:
    """By number, how many items each segment that runs is expected to run, and whether there may be more by then."""
    steps = {step.segment.number: step for step in look.plan.steps}
    segments = {number: step.segment for number, step in steps.items()}
    selection = look.request.selection
    asked = bool(selection.items) or selection.retry_failed
    keys: dict[int, set[str]] = {}
    more: set[int] = set()  # files that an earlier segment writes
    for number, tasks in look.many.items():
        if number not in steps or steps[number].action is not Action.RUN:
            continue
        keys[number] = set(tasks.chosen)
        if asked:
            continue
        for earlier in neighbours(graph, number, "before", segments):
            if steps[earlier].action is not Action.RUN:
                continue
            if (number, earlier) in graph.items:
                keys[number] |= keys.get(earlier, set()) & {item.key for item in tasks.items}
            elif earlier not in look.many or not _reads(tasks, look.many[earlier]):
                keys[number] = {item.key for item in tasks.items}
            else:
                more.add(number)
    return {number: (len(found), number in more) for number, found in keys.items()}


def _reads(tasks: ManyTasks, earlier: ManyTasks) -> bool:
    """Whether the items are files that an earlier segment writes."""
    there = {os.path.normcase(item.text) for item in tasks.items if item.is_file}
    for item in earlier.items[:_LOOKED_AT]:
        for pattern in earlier.outputs_of(item):
            path = os.path.normcase(os.path.join(earlier.job.cwd, pattern))  # noqa: PTH118
            if path in there or fnmatch.filter(there, path):
                return True
    return False
