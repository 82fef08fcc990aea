"""Receipts of one segment as its workers write them, each read once. Shared disks lag: what is not there may come."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runner.cluster.receipts import chunk_of
from runner.ground.plain import NO_LINK
from runner.records.lines import ItemReceipt, ItemState, receipt_of, told_in

_AT_ONCE = 1 << 22  # bytes read of one file


class Disk:
    """What is asked of the shared disk, apart, so that a test can let it lag."""

    def names(self, folder: Path) -> list[str]:
        """Raises OSError."""
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]

    def read(self, path: Path, start: int) -> bytes:
        """From `start` on. To open a file makes even NFS look how long it is now. Raises OSError."""
        descriptor = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(descriptor, start, os.SEEK_SET)
            return os.read(descriptor, _AT_ONCE)
        finally:
            os.close(descriptor)


@dataclass
class Tail:
    """`new` gives each item's receipt once, however often and in how many files it stands."""

    folder: Path
    content_hash: str  # under which the items are remembered
    disk: Disk = field(default_factory=Disk)

    def __post_init__(self) -> None:
        self._name = re.compile(rf"receipts-{self.content_hash[:16]}-(\d+)\.jsonl", re.ASCII)
        self._read: dict[str, int] = {}  # by file: how far
        self.whole: set[str] = set()  # keys
        self.is_whole: Callable[[int], bool] = lambda chunk: False  # of such a chunk nothing new comes

    def new(self) -> Iterator[ItemReceipt]:
        """Raises OSError while the disk is away; what was read by then is not read again."""
        try:
            names = self.disk.names(self.folder)
        except FileNotFoundError:
            self.folder.parent.stat()  # the whole share is away
            return
        for name in sorted(names):
            match = self._name.fullmatch(name)
            if match and not self.is_whole(chunk_of(int(match[1]))):
                yield from self._of(name)

    def _of(self, name: str) -> Iterator[ItemReceipt]:
        while True:
            start = self._read.get(name, 0)
            chunk = self.disk.read(self.folder / name, start)
            *lines, last = chunk.split(b"\n")
            used = len(chunk) - len(last)
            if told_in(last) is not None:  # a line's end comes with the one after it
                lines.append(last)
                used = len(chunk)
            for line in lines:
                told = told_in(line)
                if told is None or told["state"] == ItemState.STOPPED.value or told["key"] in self.whole:
                    continue
                self.whole.add(told["key"])
                yield receipt_of(told)
            self._read[name] = start + used
            if len(chunk) < _AT_ONCE or not used:
                return
