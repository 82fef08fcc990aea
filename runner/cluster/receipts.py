"""Which items of a segment have ended in this run, as the receipts say. Whoever wrote them.

A worker's number, in the names of its files, tells which chunk it works on:
0 (turn) 000 (thread) 002 (generation) 000017 (chunk).
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from runner.records.lines import ItemState, read_told
from runner.records.receipt import NAME, Receipt, Result, read_receipt

CHUNKS = 1_000_000  # numbers of chunks below it
_GENERATIONS = _THREADS = 1000
_OF_NO_CHUNK = CHUNKS - 1  # the driver's: what it leaves out, what was lost for good
_FILE = re.compile(r"receipts-([0-9a-f]+)-(\d+)\.jsonl", re.ASCII)


def worker_number(generation: int, chunk: int, turn: int = 0, thread: int = 0) -> int:
    """One writer for each file: of each submission of a chunk, each start of that, and each thread."""
    return ((turn * _THREADS + thread) * _GENERATIONS + generation) * CHUNKS + chunk


def chunk_of(number: int) -> int:
    return number % CHUNKS


def ended(folder: Path, remembered: str, chunks: Collection[int] | None = None) -> dict[str, ItemState]:
    """How each item ended that has a receipt; `chunks`: only the receipts of these are read, and the driver's.

    An item that was stopped has none. Where there are several, success counts: an element that was taken for lost
    may have finished. Raises StateError.
    """
    found: dict[str, ItemState] = {}
    for path in files(folder, remembered, chunks):
        for told in read_told(path):
            state = ItemState(told["state"])
            if state is not ItemState.STOPPED and found.get(told["key"]) is not ItemState.SUCCEEDED:
                found[told["key"]] = state
    return found


def files(folder: Path, remembered: str, chunks: Collection[int] | None = None) -> list[Path]:
    """The receipts' files of a segment in this run."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  (listed anew: a shared disk answers from memory else)
    except OSError:
        return []
    found = []
    for name in names:
        match = _FILE.fullmatch(name)
        if match is None or match[1] != remembered[:16]:
            continue
        chunk = chunk_of(int(match[2]))
        if chunks is None or chunk in chunks or chunk == _OF_NO_CHUNK:
            found.append(folder / name)
    return found


def plain_receipt(folder: Path) -> Receipt | None:
    """Of a segment that goes over nothing; one that was stopped has none."""
    receipt = read_receipt(folder / NAME)
    return None if receipt is None or receipt.state in ("", Result.STOPPED) else receipt
