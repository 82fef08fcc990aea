"""A pipeline with what is known of its earlier runs, and what a run would do. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.checks import at_segment, errors, find_problems
from runner.errors import PipelineError, UsageError
from runner.model import Action, Diagnostic, Finding, Pipeline, Segment, Severity
from runner.pipeline.reader import read_pipeline
from runner.plan import Plan, make_plan, same_entries
from runner.records.layout import UNFINISHED, Record, done_file, latest_run, run_folders
from runner.records.recovery import unrecorded
from runner.runs.inputs import Inputs
from runner.runs.request import RunRequest
from runner.state.outputs import missing_output
from runner.state.status import Status, read_status, status_of, status_path
from runner.tasks import Task, Tasks

if TYPE_CHECKING:
    from runner.budget import Budget
    from runner.runs.many import ManyTasks

_RUNS_READ = 20  # the newest, for what a segment was before


@dataclass
class Look:
    """What was found, and the plan that follows from it."""

    request: RunRequest
    plan: Plan
    jobs: Tasks  # by segment number
    inputs: Inputs
    status: Status  # with what a killed run's receipts add
    recovered: int  # how many entries they added
    last: Record | None
    root: Path  # of its run records
    status_file: Path
    many: dict[int, ManyTasks]  # segments over items, by number
    findings: tuple[tuple[int, Finding], ...]  # what is wrong with their items
    stamp: object  # when that was

    @property
    def pipeline(self) -> Pipeline:
        return self.request.pipeline

    @property
    def path(self) -> Path:
        return self.request.path

    @property
    def to_run(self) -> list[Task]:
        return [self.jobs[step.segment.number] for step in self.plan.steps if step.action is Action.RUN]

    @property
    def must_write(self) -> bool:
        """Whether the status file changes even if nothing runs."""
        same = same_entries(self.plan.keep, self.status.entries)
        return bool(self.recovered or self.status.broken or not same)

    def is_old(self) -> bool:
        """Whether another run was here since."""
        return self.stamp != _stamp(self.status_file, self.root)

    @property
    def stays_done(self) -> set[str]:
        """Content hashes."""
        return {entry.content_hash for entry in self.plan.keep}

    def news(self) -> list[str]:
        """What is new, changed or gone of what the segments read that are done and stay so."""
        if self.request.selection.only is not None:
            return []
        return self.inputs.news(self.stays_done)

    def problems(self) -> list[Diagnostic]:
        """Raises PipelineError with all that would stop the run; returns what are but warnings."""
        found = [*find_problems(self.to_run, self.pipeline, self.request.site), *self.item_problems()]
        bad = errors(found)
        if not bad:
            return found
        count = f"{len(bad)} problem{'s' if len(bad) > 1 else ''}"
        raise PipelineError(f"{count} found; nothing was run", found, "`--dry-run` shows the whole plan.")

    def item_problems(self, *, every: bool = False) -> Iterator[Diagnostic]:
        """Of what segments go over, and of what they ask of the machine; `every`: also of those that do not run."""
        jobs = list(self.jobs.values()) if every else self.to_run
        runs = {job.segment.number: job.segment for job in jobs}
        for number, finding in self.findings:
            if number in runs and not self._is_to_come(number):
                yield at_segment(finding, runs[number], self.pipeline)
        for number, tasks in self.many.items():
            if number in runs:
                for finding in tasks.problems(self.request.site.host.platform):
                    yield at_segment(finding, runs[number], self.pipeline)
        for segment in runs.values():
            if not segment.resources:
                continue
            if why := self.budget.why_never(segment.resources):
                cure = "Ask for less in `resources`, or run it on another machine."
                yield at_segment(Finding(f"the segment {why}", cure, "resources"), segment, self.pipeline)
            elif why := self.budget.warning(segment.resources):
                finding = Finding(f"the segment {why}", "", "resources", Severity.WARNING)
                yield at_segment(finding, segment, self.pipeline)

    def _is_to_come(self, number: int) -> bool:
        """Whether a segment that runs before this one names the place where its items are looked for."""
        from runner.pipeline.inputs import may_be_made, step_of

        many = self.jobs[number].many
        wanted = many.foreach and (many.foreach.pattern or many.foreach.csv) if many else ""
        if not wanted:
            return False
        wanted = str(Path(self.pipeline.folder) / wanted)  # an absolute one stays
        before = [job for job in self.to_run if job.segment.number < number]
        steps = [step_of(job.segment, job.entries, job.cwd, job.outputs, None) for job in before]
        return any(step.anywhere or may_be_made(wanted, step.places) for step in steps)

    @cached_property
    def budget(self) -> Budget:
        """What the machine has to give. A pipeline that runs one thing after the other asks for nothing of it."""
        from runner.budget import Budget, Unlimited
        from runner.ground.disk import free_space
        from runner.machine import Machine, read_machine

        if self.request.executor:
            return Unlimited()

        segments = [step.segment for step in self.plan.steps]
        if not any(s.many or s.resources or s.needs is not None for s in segments) and self.request.jobs is None:
            return Budget(Machine(1, 1 << 62))
        gpus: tuple[str, ...] = ()
        if any(segment.resources.gpus for segment in segments):
            from runner.process.gpu import devices

            for gpu in devices(self.request.site.host):
                gpus += gpu.mig or (gpu.uuid or str(gpu.index),)
        folder = self.path.parent
        return Budget(read_machine(gpus), self.request.jobs, lambda: free_space(folder))


def _stamp(status_file: Path, root: Path) -> object:
    def time_of(path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except OSError:
            return 0

    last = run_folders(root)[-1:]
    return time_of(status_file), last, [time_of(folder / "run.json") for folder in last]


def look_at(request: RunRequest) -> Look:
    """The status file, the last run's record, and the plan. Raises StateError, UsageError."""
    root = request.root
    own = request.status_file
    status_file = own or status_path(request.path)
    stamp = _stamp(status_file, root)
    status = read_status(own) if own else status_of(request.path)
    last = latest_run(root)
    found = unrecorded(last, status.entries)
    if found:
        status = replace(status, entries=(*status.entries, *found))
    jobs = Tasks(request.pipeline, request.site, request.change)
    many, findings = _look_at_many(request, jobs, root, last)
    inputs = Inputs(request, jobs)
    again = _again(request, status, jobs, inputs)
    again |= {number: why for number, tasks in many.items() if (why := tasks.plan.why_again)}
    plan = make_plan(request.pipeline.segments, status.entries, request.selection, again, partial(_earlier, root))
    plan = replace(plan, warnings=(*plan.warnings, *_emptied(plan, status, many, root)))
    return Look(request, plan, jobs, inputs, status, len(found), last, root, status_file, many, tuple(findings), stamp)


def _look_at_many(
    request: RunRequest, jobs: Tasks, root: Path, last: Record | None
) -> tuple[dict[int, ManyTasks], list[tuple[int, Finding]]]:
    """The items of each segment that goes over many, and what is wrong with them. Raises UsageError for --item."""
    if not request.selection.items and not any(segment.many for segment in request.pipeline.segments):
        return {}, []
    from runner.items.decide import Selection as Items
    from runner.runs.many import check_patterns, look_at_items, no_item

    selection, findings = request.selection, []
    many: dict[int, ManyTasks] = {}
    broken = last if last is not None and last.state in UNFINISHED else None
    earlier = False  # something before it may yet make its items
    for segment in request.pipeline.segments:
        number = segment.number
        if segment.many is None or selection.only not in (None, number) or number < (selection.start or 0):
            earlier = earlier or not segment.is_control
            continue
        severity = Severity.WARNING if earlier else Severity.ERROR
        try:
            tasks = look_at_items(
                jobs[number],
                root,
                Items(selection.forces(number), selection.retry_failed, selection.items),
                broken,
                windows=request.site.host.windows,
            )
        except UsageError as error:
            findings.append((number, Finding(error.message, error.cure, "foreach", severity)))
        else:
            many[number] = tasks
            if not tasks.items:
                what = no_item(jobs[number].many) + (" yet" if earlier else "")
                findings.append((number, Finding(what, "Check the folder and the ending.", "foreach", severity)))
        earlier = True
    if selection.items:
        check_patterns(list(many.values()), selection.items)
    return many, findings


def _emptied(plan: Plan, status: Status, many: dict[int, ManyTasks], root: Path) -> Iterator[str]:
    """What is known of items of finished segments was taken out of its file, and so they all run again."""
    done = status.done
    for step in plan.steps:
        tasks = many.get(step.segment.number)
        if (
            tasks is None
            or tasks.ledger.lines
            or step.action is not Action.RUN
            or step.segment.content_hash not in done
        ):
            continue
        if (path := done_file(root, tasks.hash)).exists():
            yield (
                f"{path} holds nothing of the items of segment {step.segment.number}, which was done: all of them run "
                "again; --accept marks them as done without running"
            )


def items_file(look: Look, number: int) -> Path:
    """What is known of the items of a segment."""
    from runner.runs.many import remembered_as

    return done_file(look.root, remembered_as(look.jobs[number]))


def _again(request: RunRequest, status: Status, jobs: Tasks, inputs: Inputs) -> dict[int, str]:
    """By number: why a segment that counts as done runs again."""
    asked = request.selection
    if asked.force or asked.only is not None:
        return {}
    done = status.done
    gone = {}
    for segment in request.pipeline.segments:
        if segment.outputs and segment.many is None and not segment.is_control and segment.content_hash in done:
            job = jobs[segment.number]
            if missing := missing_output(job.outputs, job.cwd):
                gone[segment.number] = f"its output is gone: {job.masked(missing, jobs.site)}"
    return inputs.why_again(done) | gone


def _earlier(root: Path, content_hash: str) -> Segment | None:
    """The segment that had this hash in one of the last runs."""
    for folder in run_folders(root)[: -_RUNS_READ - 1 : -1]:
        try:
            segments = read_pipeline(folder / "pipeline.yaml", hashes_only=True).segments
        except PipelineError:
            continue
        if found := next((one for one in segments if one.content_hash == content_hash), None):
            return found
    return None
