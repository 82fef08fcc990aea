"""How a segment goes to a cluster: its chunks, its time, what it waits for. Used by a run and by what shows one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from runner.cluster.chunks import Known, alone, cut
from runner.cluster.freeze import Forerunner, SegmentJob, task_digest
from runner.cluster.jobs import Chunk
from runner.cluster.probe import reads
from runner.graph import Graph
from runner.ground.words import size_text
from runner.items.decide import ItemPlan, Planned, Why
from runner.items.identity import Contents
from runner.items.item import Item
from runner.items.ledger import Ledger
from runner.model import Action, Resources, Segment, Step
from runner.pipeline.inputs import may_be_made, step_of
from runner.records.layout import done_file
from runner.records.lines import read_told
from runner.records.receipt import Result
from runner.runs.look import Look
from runner.runs.many import CONTENTS, ManyTasks, remembered_as
from runner.site_file import ExecutorSettings

_MEASURED = 2000  # items of earlier runs that are looked at


def frozen_segment(
    look: Look,
    graph: Graph,
    segment: Segment,
    tasks: ManyTasks | None,
    settings: ExecutorSettings,
    *,
    like: tuple[Sequence[Item], Sequence[Chunk]] | None = None,
    measured: Known | None = None,
    durations: Mapping[str, float] | None = None,
) -> tuple[SegmentJob, list[Item]]:
    """`like`: items and chunks of a segment that this one follows item by item."""
    number, task = segment.number, look.jobs[segment.number]
    runs = {step.segment.number for step in look.plan.steps if step.action is Action.RUN}
    before = tuple(Forerunner(other, (number, other) in graph.items) for other in graph.before[number] if other in runs)
    items = [planned.item for planned in tasks.plan.to_run] if tasks is not None else []
    most = segment.resources.time
    if tasks is None:
        seconds = (durations or {}).get(segment.name)
        chunking = alone(Known(seconds, "its last run", most), settings)
    else:
        known = measured or _measured(look, segment, most)
        same = like is not None and [one.key for one in like[0]] == [one.key for one in items]
        chunking = cut(
            items, known, settings, batch=task.many.batch if task.many else 1, like=like[1] if like and same else None
        )
    if (memory := resources_of(segment, settings).memory) != segment.resources.memory:
        why = f"{chunking.reason}; {size_text(memory)} of memory: `memory` of the executor {settings.name}"
        chunking = replace(chunking, reason=why)
    remembered = tasks.hash if tasks is not None else segment.content_hash
    job = SegmentJob(
        number,
        segment.name,
        segment.content_hash,
        remembered,
        tasks is not None,
        chunking,
        before,
        segment.keep_going,
        task_digest(task),
        reads=reads(task, items),
        total=tasks.plan.total if tasks is not None else 0,
    )
    return job, items


def for_canary(job: SegmentJob, items: Sequence[Item], first: str) -> SegmentJob:
    """The same with one item in a chunk of its own, and nothing before it: the canaries of those have ended."""
    places = range(len(items))
    (place,) = (n for n in places if items[n].key == first)
    rest = tuple(n for n in places if n != place)
    chunks = (Chunk(0, (place,)), *((Chunk(1, rest),) if rest else ()))
    chunking = replace(job.chunking, chunks=chunks, reason="one item first (canary)")
    return replace(job, chunking=chunking, forerunners=(), canary=True)


def as_frozen(look: Look, job: SegmentJob, items: Sequence[Item]) -> ManyTasks:
    """What a segment goes over, as it was when it was frozen and whatever there is now."""
    task = look.jobs[job.segment]
    return ManyTasks(
        task,
        items,
        ItemPlan([Planned(item, Why.UNFINISHED, "") for item in items], job.total, job.total - job.count, ()),
        Ledger.read(done_file(look.root, job.remembered)),
        Contents(look.root / CONTENTS) if task.many and task.many.by_content else None,
        look.request.site.host.windows,
        job.remembered,
    )


def resources_of(segment: Segment, settings: ExecutorSettings) -> Resources:
    """What a job of it is asked for with: where the segment says nothing of memory, as the site file does."""
    asked = segment.resources
    return asked if asked.memory or not settings.memory else replace(asked, memory=settings.memory)


def _measured(look: Look, segment: Segment, most: float) -> Known:
    """What an item took in earlier runs."""
    path, seconds = done_file(look.root, remembered_as(look.jobs[segment.number])), list[float]()
    for told in read_told(path):
        took = told.get("seconds")
        if told["state"] == Result.SUCCEEDED.value and isinstance(took, float | int) and took > 0:
            seconds.append(float(took))
    if not seconds:
        return Known(None, most=most)
    newest = list(islice(reversed(seconds), _MEASURED))
    return Known(sum(newest) / len(newest), f"{len(newest):,} items of earlier runs", most)


def ahead(look: Look, graph: Graph, steps: Mapping[int, Step]) -> list[int]:
    """Segments of which all is known before anything runs, in order: those that can be submitted at once."""
    found: list[int] = []
    open_: set[int] = set()  # what has to end first, or says later what there is to do
    for number in sorted(graph.before):
        step = steps[number]
        waits = any(other in open_ for other in graph.before[number])
        if step.action is Action.SKIP and not waits:
            continue
        if step.action is not Action.RUN or waits or _is_to_come(look, graph, number):
            open_.add(number)
        else:
            found.append(number)
    return found


def _is_to_come(look: Look, graph: Graph, number: int) -> bool:
    """Whether its items are made, or may be, by a segment that runs before it."""
    job = look.jobs[number]
    if job.many is None:
        return False
    if number not in look.many or not look.many[number].items:
        return True
    foreach = job.many.foreach
    wanted = (foreach.pattern or foreach.csv) if foreach else ""
    if not wanted:
        return False
    wanted, upstream = str(look.path.parent / wanted), graph.upstream(number)  # an absolute one stays
    for other in look.to_run:
        earlier = other.segment.number
        if earlier not in upstream or (number, earlier) in graph.items:
            continue
        step = step_of(other.segment, other.entries, other.cwd, other.outputs, None)
        if step.anywhere or may_be_made(wanted, step.places):
            return True
    return False
