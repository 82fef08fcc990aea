"""A segment over many items while it runs: what each worker is given, what came of each item, what is told of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UsageError
from runner.executors.items import Ended, ItemWork, OutOfMemory, WorkerFiles, run_items
from runner.executors.local import Finished
from runner.executors.preparer import Preparer
from runner.executors.task import fingerprint
from runner.ground.words import size_text, time_text
from runner.items.decide import Selection, Why, too_many
from runner.items.identity import marks
from runner.items.item import Item
from runner.items.ledger import compact
from runner.items.matrix import batches
from runner.model import Resources, Segment
from runner.records.layout import done_file
from runner.records.lines import ItemReceipt, ItemState, added_to, append, append_files
from runner.records.receipt import Receipt, Result
from runner.runs.anew import forget, settle
from runner.runs.many import ManyTasks, look_at_items, no_item

if TYPE_CHECKING:
    from runner.runs.open import Opened

MOST_TOLD = 20  # failed items that the summary lists
_OF_THE_DRIVE = 999_999_999  # the number of no worker


class Over:
    """Used by the drive's thread, but for `run`."""

    def __init__(
        self,
        opened: Opened,
        segment: Segment,
        everything: Callable[[ManyTasks], bool],
        frozen: ManyTasks | None = None,
        told: Collection[str] = (),
    ) -> None:
        """`frozen`: its items where they are settled already; `told`: those whose end was told before."""
        self._opened, self.segment, self._told = opened, segment, told
        self._journal = opened.request.journal
        self.tasks = frozen or self._look(everything)
        opened.look.many[segment.number] = self.tasks
        plan = self.tasks.plan
        self.total, self.done, self.sentence = plan.total, plan.done, plan.sentence
        self.failed: dict[str, ItemReceipt] = {}
        self.failed_items: list[dict[str, Any]] = []
        self._good = self._left_out = self._stopped = 0
        self.folder = opened.record.segment_folder(segment.number, segment.name)
        self._files: dict[int, WorkerFiles] = {}
        self._lock = threading.Lock()
        self._started = time.time()
        self._begin = time.monotonic()
        self._order = 0
        self._resources: dict[str, Resources] = {}
        self._tries: dict[str, int] = {}
        self._peak: int | None = None
        self._seconds = self._bytes = 0.0
        self._done_path = done_file(opened.look.root, self.tasks.hash)

    def _look(self, everything: Callable[[ManyTasks], bool]) -> ManyTasks:
        """As it is now; what was looked at for the plan counts where nothing has run since."""
        opened, number = self._opened, self.segment.number
        force = opened.request.selection.force and not opened.has_run
        tasks = opened.look.many.pop(number, None)  # there may be 100,000 of them: never twice
        if tasks is None or opened.has_run:
            del tasks
            tasks = self._look_again(force=force)
        if everything(tasks):
            if tasks.ledger.all_again:  # also those that --item does not name
                forget(opened.look, self.segment, list(tasks.ledger.done), "what it is made of was made anew")
                del tasks
                tasks = self._look_again(force=False)
            else:
                if tasks.plan.done:
                    del tasks
                    tasks = self._look_again(force=True)
                forget(opened.look, self.segment, tasks.chosen, "it is to run again")
        if opened.has_run:  # what the check before the run could not see yet
            for finding in tasks.problems(opened.request.site.host.platform):
                raise UsageError(finding.message, finding.cure)
        settle(opened.look, self.segment, tasks.ledger)
        return tasks

    def _look_again(self, *, force: bool) -> ManyTasks:
        opened, selection = self._opened, self._opened.request.selection
        return look_at_items(
            opened.look.jobs[self.segment.number],
            opened.look.root,
            Selection(force, selection.retry_failed, selection.items),
            windows=opened.request.site.host.windows,
        )

    def keys(self, *, one: bool) -> list[str]:
        """What is to run, in order. `one`: for the canary, where it can be what went through the segments before."""
        chosen = self.tasks.chosen
        keys = list(chosen)
        if self.segment.many is not None and self.segment.many.batch > 1:  # so that batches of one combination are full
            keys.sort(key=lambda key: chosen[key].item.label)
        if one and keys:
            known = self._opened.canary_items
            # one that failed last time would only fail again, and hold up all others for good
            good = [key for key in keys if self.tasks.chosen[key].why is not Why.FAILED] or keys
            keys = [next((key for key in good if key in known), good[0])]
            known.update(keys)
        return keys

    def to_tell(self, keys: Sequence[str]) -> int:
        """Of how many of these the end is still to be told."""
        return sum(key not in self._told for key in keys) if self._told else len(keys)

    def tell_starts(self, keys: Sequence[str], gpus: Sequence[str]) -> None:
        for key in keys:
            self._order += 1
            self._journal.say("item-start", self.segment, key, index=self._order, gpus=list(gpus))

    def run(
        self, keys: Sequence[str], worker: int, environ: Mapping[str, str], preparer: Preparer
    ) -> list[Ended] | None:
        """In a worker's thread; None where a stop was asked for before it began."""
        items = [self.tasks.chosen[key].item for key in keys]
        preparer.need(self._opened.look.jobs[self.segment.number])
        if self._opened.request.stop.requested:
            return None
        files = self._files_of(worker)
        work = ItemWork(
            self._opened.around,
            self.tasks.task,
            self.tasks.outputs_of,
            self.tasks.contents,
            dict(environ),
            grows=self.segment.retry_memory > 1 and len(items) == 1,
        )
        tries = self._tries.get(keys[0], 0)
        return [ended for batch in batches(items, len(items)) for ended in run_items(batch, work, files, tries)]

    def _files_of(self, worker: int) -> WorkerFiles:
        with self._lock:
            if worker not in self._files:
                self._opened.around.shares.settle()
                self._files[worker] = WorkerFiles(self.folder, worker, self.tasks.hash)
            return self._files[worker]

    def wants_more(self, finished: Finished) -> tuple[Resources, float] | None:
        """What it had, and how many times the memory it is to have, where it was ended for lack of that."""
        if not isinstance(finished.error, OutOfMemory):
            return None
        (key,) = finished.start.keys
        self._tries[key] = self._tries.get(key, 0) + 1
        factor = self.segment.retry_memory
        before = self._resources.get(key, self.segment.resources)
        self._resources[key] = Resources(before.cpus, int(before.memory * factor), before.gpus, before.disk)
        self._journal.note(f"   {key}: memory ran out; once more with {factor:g} times as much")
        return before, factor

    def take(self, keys: Sequence[str], result: list[Ended] | None) -> list[str]:
        """What came of a start; the keys that did not end well."""
        if result is None:
            self._stopped += 0 if self.too_many else len(keys)
            return list(keys)
        failed = []
        for ended in result:
            receipt = ended.receipt
            self._peak = max(self._peak or 0, receipt.peak_memory or 0) or None
            self._seconds += receipt.seconds
            self._bytes += sum(size for _, size in receipt.outputs)
            if receipt.state is ItemState.SUCCEEDED:
                self._good += 1
            elif receipt.state is ItemState.STOPPED:
                self._stopped += 1
                failed.append(receipt.key)
            else:
                self.failed[receipt.key] = receipt
                failed.append(receipt.key)
            self._tell_end(ended)
        return failed

    def _tell_end(self, ended: Ended) -> None:
        receipt = ended.receipt
        bad = receipt.state is not ItemState.SUCCEEDED
        again = self._again(receipt.key) if bad and receipt.state is not ItemState.NOT_RUN else ""
        if receipt.key not in self._told:
            self._journal.say(
                "item-end",
                self.segment,
                receipt.key,
                state=receipt.state.value,
                seconds=round(receipt.seconds, 3),
                peak_memory=receipt.peak_memory,
                explanation=receipt.note,
                log=ended.log,
                tail=list(ended.tail),
                again=again,
                attempts=receipt.attempts,
                **({"lost": True} if ended.lost else {}),
            )
        told = ended.lost and any(one["lost"] for one in self.failed_items)  # one stands for all that were lost
        if bad and receipt.key in self.failed and len(self.failed_items) < MOST_TOLD and not told:
            self.failed_items.append(
                {
                    "segment": self.segment.number,
                    "item": receipt.key,
                    "explanation": receipt.note,
                    "log": ended.log,
                    "again": again,
                    "lost": ended.lost,
                }
            )

    def _again(self, key: str) -> str:
        return self._opened.request.again("--only", str(self.segment.number), "--item", key)

    def leave_out(self, key: str, cause: int) -> None:
        """An item that is not run because it failed in an earlier segment."""
        self._left_out += 1
        receipt = ItemReceipt(key, ItemState.NOT_RUN, note=f"it failed in segment {cause}", started=time.time())
        self._files_of(_OF_THE_DRIVE).put(receipt)
        self._tell_end(Ended(receipt))

    @property
    def reached(self) -> str:
        return f"{self._good + len(self.failed):,} of {len(self.tasks.chosen):,} items ended"

    @property
    def too_many(self) -> bool:
        return too_many(self.segment.many, len(self.failed), self.total)

    def close(self) -> None:
        """Once nothing of it runs: what is known of its items is kept for later runs."""
        for files in self._files.values():
            files.close()
        self._keep(sorted(self.folder.glob("receipts-*.jsonl")))
        if self.tasks.contents:
            self.tasks.contents.save()

    def _keep(self, paths: Sequence[Path]) -> None:
        with added_to(self._done_path) as lines:
            append_files(lines, paths, self._done_path)
            for key in self.tasks.plan.removed:
                append(lines, ItemReceipt(key, ItemState.STOPPED, note="it was removed"), self._done_path)
            for item, mark in self.tasks.plan.renewed:
                append(lines, ItemReceipt(item.key, ItemState.SUCCEEDED, mark), self._done_path)
        if self.tasks.ledger.stale:
            compact(self._done_path)

    def accept(self) -> int:
        """Every item, or each that was asked for, counts as done as it is now. How many are still to be run."""
        plan = self.tasks.plan
        items: Sequence[Item] = [planned.item for planned in plan.to_run] if plan.left_out else self.tasks.items
        with added_to(self._done_path) as lines:
            for item, mark in zip(items, marks(list(items)), strict=True):
                append(lines, ItemReceipt(item.key, ItemState.SUCCEEDED, mark, note="accepted"), self._done_path)
        return plan.left_out

    def forecast(self, at_once: int) -> str:
        """From the first item: time and disk for the rest."""
        rest = len(self.tasks.chosen) - 1
        if not self._good or rest < 1:
            return ""
        seconds = self._seconds / self._good * rest / max(at_once, 1)
        text = f"{self.segment.number}. {self.segment.name}: {rest:,} more items, about {time_text(seconds)}"
        if self._bytes:
            text += f" and {size_text(int(self._bytes / self._good * rest))} of outputs"
        return text

    def end(self) -> Receipt:
        """The segment's receipt, written and told."""
        bad, total, tried = len(self.failed), self.total, self._good + len(self.failed)
        job = self._opened.look.jobs[self.segment.number]
        state, why = Result.SUCCEEDED, ""
        if not total:
            state, why = Result.FAILED, no_item(self.segment.many)
        elif bad:
            state, why = Result.FAILED, f"{bad:,} of {total:,} items failed"
            if self.too_many:
                why += ", more than `max-failures` allows: no other was started"
        elif self._left_out:
            state = Result.FAILED if tried else Result.NOT_RUN
            why = f"{self._left_out:,} of {total:,} items not run, since they failed before"
        elif self.tasks.plan.left_out:
            state, why = Result.STOPPED, f"{self.tasks.plan.left_out:,} of {total:,} items are still to be run"
        if self._stopped or (self._opened.request.stop.requested and tried < len(self.tasks.chosen)):
            state, why = Result.STOPPED, "stopped"
        counts = {
            "done": self._good, "failed": bad, "not_run": self._left_out, "skipped": self.done, "stopped": self._stopped
        }  # fmt: skip
        receipt = Receipt(
            segment=self.segment.number,
            name=self.segment.name,
            content_hash=self.segment.content_hash,
            state=state,
            explanation=why,
            started=datetime.fromtimestamp(self._started).astimezone().isoformat(timespec="milliseconds"),
            seconds=round(time.monotonic() - self._begin, 3),
            peak_memory=self._peak,
            environment={"text": self.segment.environment, **fingerprint(job, self._opened.around)},
            items=counts,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        around = self._opened.around
        around.shares.patiently(lambda: receipt.write(self.folder, around.syncer))
        told: dict[str, Any] = {"explanation": why, "log": str(self.folder), "items": counts}
        self._journal.say("end", self.segment, state=state, **receipt.measured, **told)
        return receipt
