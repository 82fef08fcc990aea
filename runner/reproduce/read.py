"""What a recorded run read, beside what is there now: inputs, and the items of segments over many."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.compare.isolation import Moves
from runner.compare.sides import receipts_by_hash
from runner.environments import Site
from runner.errors import UsageError
from runner.ground.words import some
from runner.inputs.flags import is_script, pieces, values_read
from runner.inputs.ledger import Ledger
from runner.inputs.looking import Look, Source
from runner.inputs.news import since
from runner.inputs.told import absolute, of_pattern
from runner.items.decide import decide
from runner.items.expand import expand
from runner.items.identity import Contents, marks
from runner.items.ledger import Ledger as ItemLedger
from runner.model import Segment
from runner.records.layout import Record, run_folders
from runner.reproduce.difference import SHOWN, Difference, Weight, named
from runner.reproduce.recorded import Recorded
from runner.runs.many import CONTENTS, receipts_of, remembered_as
from runner.tasks import Task


class Inputs:
    """Of segments that do not go over many. What the run itself makes is none."""

    def __init__(self, run: Recorded, jobs: Mapping[int, Task], site: Site, moves: Moves) -> None:
        self._run, self._jobs, self._site, self._moves = run, jobs, site, moves
        self._look = Look()  # each place once
        self._unknown: list[Segment] = []
        self._segments = [segment for segment in run.pipeline.segments if segment.many is None]
        self._ledger = Ledger.of(self._lines(), str(run.path.parent), site.dotenv)

    def _lines(self) -> Iterator[bytes]:
        root = self._run.record.folder.parent
        of_now = Ledger.read(root, self._run.path.parent, self._site.dotenv)
        newest = receipts_by_hash(root)
        for segment in self._segments:
            known = segment.content_hash
            line = self._run.read(segment)
            if line is None and newest[known].folder == self._run.found[known].folder:  # it is remembered of that run
                line = of_now.raw(known) or None
            if line is None:
                self._unknown.append(segment)
            else:
                yield line

    def _sources(self) -> Iterator[tuple[Segment, Source]]:
        for segment in self._segments:
            line = self._ledger.line(segment.content_hash)
            for source, _ in line.sources if line else ():
                if source.how in ("declared", "argument") and not self._is_made(source.root):
                    yield segment, source

    def _is_made(self, place: str) -> bool:
        return any(Path(place).is_relative_to(root) for root in self._moves.folders)

    def differences(self) -> Iterator[Difference]:
        order = [(segment.number, segment.content_hash) for segment in self._run.pipeline.segments]
        told = {segment.number for segment in self._segments if self._run.of(segment) is not None}
        for one in since(self._ledger, order, self._look):
            if self._is_made(one.place) or (is_script(one.place) and one.number in told):  # scripts: told apart
                continue
            what = "script" if is_script(one.place) else "input"
            if one.gone:
                cure = f"Bring it back to {one.place}."
                yield Difference(what, Weight.GONE, f"{one.text} ({one.place})", cure, one.number)
            else:
                cure = f"Put what was there then back to {one.place}, or run it with --anyway."
                yield Difference(what, Weight.CHANGES, f"{one.text}, since segment {one.number} ran", cure, one.number)
        yield from self._given()
        if self._unknown:
            text = f"what {some([named(one) for one in self._unknown], SHOWN)} read is not remembered"
            yield Difference("input", Weight.NOTE, text)

    def _given(self) -> Iterator[Difference]:
        """Where a value of .env is another one now, the segment is given another place."""
        for segment, source in self._sources():
            job = self._jobs[segment.number]
            if job.secrets and source.root not in _places(job, windows=self._site.host.windows):
                text = f"{named(segment)} read {source.root} then, and is given another place now"
                cure = "Bring back the value in .env, or run it with --anyway."
                yield Difference("input", Weight.CHANGES, text, cure, segment.number)

    def state(self) -> str:
        """Changes with anything that is read."""
        found = [
            [source.root, source.rest, name, *fact[:2]]
            for _, source in self._sources()
            for name, fact in sorted(self._look.at(source, complete=True).files.items())
        ]
        return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _places(job: Task, *, windows: bool) -> set[str]:
    """What its words, variables and `inputs` name."""
    texts = [*values_read(job.entries, job.env), *job.inputs]
    texts += [piece for text in list(texts) for piece in pieces(text, windows=windows)]
    return {place for text in texts for place in (absolute(text, job.cwd), of_pattern(text, job.cwd).root)}


def item_differences(run: Recorded, job: Task, moves: Moves) -> Iterator[Difference]:
    """Of a segment over many, unless an earlier one makes its items."""
    many, segment = job.many, job.segment
    if many is None or _is_made(job, moves):
        return
    name = f"{named(segment)}: "
    try:
        items = expand(many, job.folder)
    except UsageError as error:
        yield Difference("input", Weight.GONE, name + error.message, error.cure, segment.number)
        return
    root, hashed = run.record.folder.parent, remembered_as(job)
    folders = run_folders(root)
    until = folders[: folders.index(run.record.folder) + 1]
    ledger = ItemLedger.read(*(path for folder in until for path in receipts_of(Record(folder), hashed)))
    digest = Contents(root / CONTENTS).digest if many.by_content else None
    plan = decide(items, ledger, marks(list(items)), digest=digest)
    if plan.removed:
        lost = some(list(plan.removed), 3)
        cure = "Bring them back."
        yield Difference("input", Weight.GONE, f"{name}items of then are gone: {lost}", cure, segment.number)
    failed = ledger.unfinished.keys() - ledger.done.keys()  # it will fail again, or not: that is no difference
    others = [planned for planned in plan.to_run if planned.item.key not in failed]
    if others:
        text = some([f"{one.item.key} ({one.reason or one.why.value})" for one in others], 3)
        cure = "Put back what was there then, or run it with --anyway."
        yield Difference("input", Weight.CHANGES, f"{name}other items than then: {text}", cure, segment.number)


def _is_made(job: Task, moves: Moves) -> bool:
    foreach = job.many.foreach if job.many else None
    text = foreach and (foreach.pattern or foreach.csv or "")
    if foreach is None or not text:
        return foreach is None
    place = Path(job.folder, text)
    return any(place.is_relative_to(root) for root in moves.folders)
