"""`--dry-run --executor NAME`: how each segment would be submitted. Nothing is."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from runner.cli.common import print_json, screen
from runner.cluster.jobs import Submission
from runner.cluster.plans import ahead, frozen_segment, resources_of
from runner.cluster.scheduler import scheduler_of
from runner.graph import make_graph
from runner.model import Action

if TYPE_CHECKING:
    from runner.cluster.freeze import SegmentJob
    from runner.runs.look import Look
    from runner.site_file import ExecutorSettings


def show(look: Look, settings: ExecutorSettings, *, as_json: bool) -> None:
    """Raises ClusterError where the scheduler's programs are not here."""
    console = screen()
    if not as_json:
        console.line()
        console.line(f"Would be submitted to {settings.name}:")
    for told in _all(look, settings):
        if as_json:
            print_json("submission", executor=settings.name, **told)
            continue
        console.line(f"{told['segment']:>3}. {told['name']}: {told['reason']}")
        if told["later"]:
            console.line(console.style("       submitted once an earlier segment has made its items", "dim"))
        else:
            console.line(console.style(f"       {' '.join(told['options'])}", "dim"))


def _all(look: Look, settings: ExecutorSettings) -> list[dict[str, Any]]:
    scheduler = scheduler_of(settings, look.request.site.host)
    steps = {step.segment.number: step for step in look.plan.steps}
    graph = make_graph(look.pipeline.segments).among(steps)
    now, found = set(ahead(look, graph, steps)), []
    for number, step in steps.items():
        if step.action is not Action.RUN:
            continue
        who = {"segment": number, "name": step.segment.name}
        tasks = look.many.get(number)
        if number not in now or (tasks is None and step.segment.many is not None):
            told = {"reason": "not known yet", "later": True, "options": [], "chunks": None, "seconds": None}
            found.append({**who, **told})
            continue
        job, _ = frozen_segment(look, graph, step.segment, tasks, settings)
        chunking = job.chunking
        found.append(
            {
                **who,
                "reason": chunking.reason,
                "later": False,
                "options": scheduler.options(_submission(job, look, number, settings)),
                "chunks": len(chunking.chunks) if job.many else 1,
                "seconds": chunking.seconds or None,
            }
        )
    return found


def _submission(job: SegmentJob, look: Look, number: int, settings: ExecutorSettings) -> Submission:
    """With names in it that are made when it is submitted."""
    record = PurePath("RECORD")
    indices = tuple(chunk.number for chunk in job.chunking.chunks) if job.many else ()
    resources = resources_of(look.jobs[number].segment, settings)
    return Submission("NAME", record / "job.sh", record, record / "jobs", indices, resources, job.chunking.seconds)
