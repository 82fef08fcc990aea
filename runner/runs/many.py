"""A segment over many items, made ready to run: which items there are, which run and why, and the task of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from runner.environments import kind
from runner.environments.shell_text import quotes_for
from runner.errors import UsageError
from runner.ground.files import write_atomic
from runner.items.clashes import clashes
from runner.items.decide import ItemPlan, Planned, Selection, decide
from runner.items.expand import expand
from runner.items.fill import Filler, items_file
from runner.items.identity import Contents, marks
from runner.items.item import Item
from runner.items.ledger import Ledger
from runner.items.outputs import Outputs, in_folder
from runner.items.walk import split_pattern
from runner.model import Finding, Many
from runner.pipeline.tokens import ITEM_TOKEN
from runner.records.layout import Record, done_file
from runner.records.lines import added_to, append_files
from runner.tasks import Task

CONTENTS = "contents.jsonl"
_ALL = Selection()


@dataclass
class ManyTasks:
    """The items of one segment as they are now."""

    job: Task  # with the tokens of items still in it
    items: Sequence[Item]
    plan: ItemPlan
    ledger: Ledger
    contents: Contents | None  # where an item is known by its content
    windows: bool
    hash: str  # under which its items are remembered

    @cached_property
    def chosen(self) -> dict[str, Planned]:
        """What is to run, by key."""
        return {planned.item.key: planned for planned in self.plan.to_run}

    def __post_init__(self) -> None:
        """Raises UsageError for a token that these items have nothing for."""
        job, many = self.job, self.job.many
        assert many is not None
        filler = self._filler = Filler(many, self.items, windows=self.windows)
        shell = partial(quotes_for, windows=self.windows) if kind(job.spec).in_shell else None
        self._entries = filler.entries(job.entries, batch=many.batch > 1, shell=shell)
        self._env = [(name, filler.template(value)) for name, value in job.env.items()]
        self._cwd = filler.template(job.cwd)
        self._outputs = [filler.template(pattern, pattern=True) for pattern in job.outputs]

    def example(self) -> Task | None:
        """The first task, to be shown and not to be run."""
        items = [planned.item for planned in self.plan.to_run] or self.items
        batch = self.job.many.batch if self.job.many else 1
        alike = [item for item in items if item.label == items[0].label]  # a batch is of one combination
        return self.task(alike[:batch], Path("items.txt"), dry=True) if items else None

    def task(self, items: Sequence[Item], file: Path, *, dry: bool = False) -> Task:
        """For one item, or for those of a batch; `file` is written where the command wants one that names them."""
        if self._entries.wants_file and not dry:
            write_atomic(file, items_file(items), durable=False)
        first = items[0]
        return replace(
            self.job,
            entries=self._entries.fill(items, str(file)),
            env={name: template(first) for name, template in self._env},
            cwd=os.path.join(self.job.base, self._cwd(first)),  # noqa: PTH118  (a million of them)
            outputs=tuple(pattern for item in items for pattern in self.outputs_of(item)),
            item=first.key,
        )

    def outputs_of(self, item: Item) -> list[str]:
        """Its declared outputs, as globs."""
        return [template(item) for template in self._outputs]

    def all_outputs(self) -> Outputs:
        job = self.job
        if ITEM_TOKEN.search(job.cwd):
            return Outputs(in_folder(job.outputs, job.cwd), self._filler, job.base)
        return Outputs(job.outputs, self._filler, job.cwd)

    def problems(self, platform: str) -> Iterator[Finding]:
        """What would stop the segment before anything runs."""
        for clash in clashes(self.items, self.all_outputs(), platform=platform):
            yield Finding(
                clash.message,
                "Put what tells them apart into `outputs` and the command: %RELATIVE%, %PARENT% or %MATRIX%.",
                "outputs",
            )


def look_at_items(
    job: Task,
    records: Path,
    selection: Selection = _ALL,
    broken: Record | None = None,
    *,
    windows: bool,
) -> ManyTasks:
    """`records`: of the pipeline's runs; `broken`: the last run, where it broke off.

    Raises UsageError for what is wrong with the items, StateError.
    """
    many = job.many
    assert many is not None
    items = expand(many, job.folder)
    hashed = remembered_as(job)
    ledger = Ledger.read(done_file(records, hashed), *receipts_of(broken, hashed))
    contents = Contents(records / CONTENTS) if many.by_content else None
    tasks = ManyTasks(job, items, ItemPlan([], 0, 0, ()), ledger, contents, windows, hashed)
    outputs = tasks.all_outputs()
    tasks.plan = decide(
        items,
        ledger,
        marks(list(items)),
        selection,
        gone=outputs.gone if job.outputs else None,
        digest=contents.digest if contents else None,
    )
    return tasks


def remembered_as(job: Task) -> str:
    """Of the segment, and of the folder that its items are told from: `1.tif` of another one is another file."""
    pattern = job.many.foreach.pattern if job.many and job.many.foreach else ""
    if not pattern:
        return job.segment.content_hash
    fixed = Path(split_pattern(pattern, job.folder)[0])
    place = fixed.relative_to(job.folder) if fixed.is_relative_to(job.folder) else fixed  # the pipeline may be moved
    return hashlib.sha256(f"{job.segment.content_hash}|{place.as_posix()}".encode("utf-8", "surrogatepass")).hexdigest()


def receipts_of(broken: Record | None, content_hash: str = "") -> list[Path]:
    """The files of a run's receipts of items; of one that broke off, the ledger lacks them."""
    if broken is None:
        return []
    return sorted(broken.folder.glob(f"[0-9]*/receipts-{content_hash[:16]}*.jsonl"))


def adopt_items(broken: Record, records: Path) -> None:
    """What a run that broke off had finished of its items is done. Raises StateError."""
    for path in receipts_of(broken):
        done = done_file(records, path.name.split("-")[1])
        with added_to(done) as lines:
            append_files(lines, [path], done)


def no_item(many: Many | None) -> str:
    """That there is nothing to go over."""
    pattern = many.foreach.pattern if many and many.foreach else ""
    return f"there is no item: nothing matches {pattern}" if pattern else "there is no item"


def check_patterns(found: Sequence[ManyTasks], patterns: Sequence[str]) -> None:
    """Raises UsageError for a pattern of --item that no segment has an item for."""
    for pattern in patterns:
        if all(pattern in tasks.plan.unmatched for tasks in found):
            raise UsageError(f"--item: no item matches {pattern}", "`run-pipeline status FILE --items` lists them.")
