"""What is known of a segment's items over all runs. Of a finished one it keeps how it was, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.items.item import Mark
from runner.records.layout import Record, done_file
from runner.records.lines import (
    ItemReceipt,
    ItemState,
    mark_in,
    read_lines,
    read_told,
    text_in,
    write_lines,
)
from runner.records.receipt import Receipt

ALL = ""  # the key of a line about all items
_FEW = 1000  # lines that are never worth writing anew


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The last that is known of an item that is not done."""

    state: ItemState
    note: str
    mark: Mark


class Ledger:
    """`done` has the mark of each finished item, `unfinished` the rest. Later lines count."""

    def __init__(self) -> None:
        self.done: dict[str, Mark] = {}
        self.unfinished: dict[str, Unfinished] = {}
        self.hashes: dict[str, str] = {}  # of the content of finished ones, where it identifies them
        self.lines = 0
        self.all_again = False  # what all items are made from was made anew since

    @classmethod
    def read(cls, *paths: Path) -> Ledger:
        """Raises StateError for a file that is there and cannot be read."""
        ledger = cls()
        for path in paths:
            ledger.add_file(path)
        return ledger

    def add_file(self, path: Path) -> None:
        done, succeeded, lines = self.done, ItemState.SUCCEEDED.value, 0
        unfinished, hashes = self.unfinished, self.hashes
        for told in read_told(path):
            lines += 1
            key = told["key"]
            if key == ALL:
                self.all_again = told["state"] != succeeded
                continue
            if told["state"] != succeeded:
                self._note(key, ItemState(told["state"]), text_in(told, "note"), mark_in(told))
                continue
            done[key] = mark_in(told)
            if unfinished:
                unfinished.pop(key, None)
            if "content_hash" in told:
                hashes[key] = text_in(told, "content_hash")
            elif hashes:
                hashes.pop(key, None)
        self.lines += lines

    def _note(self, key: str, state: ItemState, note: str, mark: Mark) -> None:
        """One that was not even started changes nothing of what was done before."""
        if state is ItemState.NOT_RUN and key in self.done:
            return
        self.done.pop(key, None)
        self.hashes.pop(key, None)
        self.unfinished[key] = Unfinished(state, note, mark)

    @property
    def stale(self) -> bool:
        return _is_stale(self.lines, len(self.done) + len(self.unfinished))


def _is_stale(lines: int, keys: int) -> bool:
    """More than half of the lines say what a later one says anew."""
    return lines > _FEW and lines > 2 * keys


def compact(path: Path) -> bool:
    """Write the file anew, whole or not at all, when more than half of it is stale. Under the pipeline's lock only."""
    latest: dict[str, int] = {}
    number = -1
    for number, told in enumerate(read_told(path)):
        latest[told["key"]] = number
    if not _is_stale(number + 1, len(latest)):
        return False
    keep = set(latest.values())
    del latest

    def kept() -> Iterator[ItemReceipt]:
        return (receipt for number, receipt in enumerate(read_lines(path)) if number in keep)

    write_lines(path, kept())
    return True


def outputs_of(run: Path, segment: Receipt) -> Iterator[tuple[str, int]]:
    """Path and size of what its items that are done left behind, in this run and before. Raises StateError."""
    files = Record(run).segment_folder(segment.segment or 0, segment.name).glob("receipts-*.jsonl")
    known = {done_file(run.parent, path.name.split("-")[1]) for path in files}
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for receipt in (receipt for path in known for receipt in read_lines(path)):
        if receipt.outputs:
            found[receipt.key] = receipt.outputs
        elif receipt.state in (ItemState.FAILED, ItemState.TIMED_OUT, ItemState.STOPPED):
            found.pop(receipt.key, None)
    return (output for outputs in found.values() for output in outputs)
