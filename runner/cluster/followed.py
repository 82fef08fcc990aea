"""One segment on a cluster: which of its items have their receipts, and which chunk the others are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.cluster.freeze import SegmentJob
from runner.cluster.jobs import Handle
from runner.cluster.receipts import CHUNKS, plain_receipt
from runner.cluster.tail import Tail
from runner.executors.items import Ended, WorkerFiles, tail_of
from runner.executors.local import Finished
from runner.items.item import Item
from runner.model import Segment
from runner.records.layout import FAILED
from runner.records.lines import ItemReceipt, ItemState
from runner.records.receipt import Receipt, Result
from runner.schedule import ALONE, Start

_LOST = "its job"  # how the words begin, of what was lost with it
_OF_THE_DRIVER = CHUNKS * 2 - 1  # the number of a worker that has no chunk


@dataclass
class Followed:
    """Filled by one thread at a time. A segment that goes over nothing has the one key ALONE, in chunk 0."""

    segment: Segment
    job: SegmentJob
    folder: Path
    items: Sequence[Item]  # as frozen
    tail: Tail
    cut: bool = False  # nobody waits for it any more

    def __post_init__(self) -> None:
        keys = [item.key for item in self.items] if self.job.many else [ALONE]
        chunks = {chunk.number: chunk.places for chunk in self.job.chunking.chunks} if self.job.many else {0: (0,)}
        self.keys = {number: [keys[place] for place in places] for number, places in chunks.items()}
        self._chunk = {key: number for number, own in self.keys.items() for key in own}
        self._index = {item.key: item.index for item in self.items}
        self._open = Counter({number: len(own) for number, own in self.keys.items()})
        self.tail.is_whole = lambda chunk: chunk in self._open and not self._open[chunk]
        self._got: dict[str, Ended | Receipt] = {}  # there, and not handed over
        self._wanted: dict[str, Start] = {}
        self._lacks: Counter[Start] = Counter()

    # receipts

    def look(self) -> Iterator[Finished]:
        """What can be handed over by what is new. Raises OSError while the disk is away."""
        if self.job.many:
            for receipt in self.tail.new():
                yield from self._arrived(receipt.key, self._ended(receipt))
        elif self.is_open:
            self.folder.parent.stat()
            if (receipt_ := plain_receipt(self.folder)) is not None:
                yield from self._arrived(ALONE, receipt_)

    def receipts(self) -> Iterator[ItemReceipt | Receipt]:
        """Those that are there now, for who only looks. Raises OSError."""
        if self.job.many:
            for receipt in self.tail.new():
                if (chunk := self._chunk.get(receipt.key)) is not None:
                    self._open[chunk] -= 1
                    yield receipt
        elif (receipt_ := plain_receipt(self.folder)) is not None:
            self._open[0] = 0
            yield receipt_

    def _arrived(self, key: str, told: Ended | Receipt) -> Iterator[Finished]:
        if (chunk := self._chunk.get(key)) is None:
            return
        self._got[key] = told
        self._open[chunk] -= 1
        start = self._wanted.pop(key, None)
        if start is not None:
            self._lacks[start] -= 1
            if not self._lacks[start]:
                del self._lacks[start]
                yield self._finished(start)

    def start(self, start: Start) -> Iterator[Finished]:
        """Somebody waits for these now."""
        missing = [key for key in start.keys if key not in self._got]
        if self.cut and missing:
            yield Finished(start, 0, None)
        elif missing:
            self._lacks[start] = len(missing)
            self._wanted |= dict.fromkeys(missing, start)
        else:
            yield self._finished(start)

    def _finished(self, start: Start) -> Finished:
        told = [self._got.pop(key) for key in start.keys]
        return Finished(start, 0, told if self.job.many else told[0])

    def give_up(self) -> Iterator[Finished]:
        """Nothing more is waited for."""
        self.cut = True
        for start in list(self._lacks):
            yield Finished(start, 0, None)
        self._lacks.clear()
        self._wanted.clear()

    def _ended(self, receipt: ItemReceipt) -> Ended:
        if receipt.state in (ItemState.SUCCEEDED, ItemState.NOT_RUN):
            return Ended(receipt)
        if receipt.log is None and receipt.note.startswith(_LOST):
            return Ended(receipt, lost=True)
        log = self.folder / FAILED / f"{self._index.get(receipt.key, 0):05d}.log"
        if receipt.log is not None and not log.exists():
            log = self.folder / receipt.log[0]
        return Ended(receipt, str(log), tail_of(log)) if log.exists() else Ended(receipt)

    # what is open

    @property
    def is_open(self) -> bool:
        return any(self._open.values())

    @property
    def left(self) -> int:
        return sum(self._open.values())

    def open_chunks(self) -> list[int]:
        return [number for number, count in self._open.items() if count]

    def open_keys(self, chunk: int) -> list[str]:
        whole = self.tail.whole if self.job.many else ()
        return [key for key in self.keys[chunk] if key not in whole] if self._open[chunk] else []

    def chunks_of(self, handle: Handle) -> tuple[int, ...]:
        return handle.chunks if self.job.many else (0,)

    # what is lost for good

    def fail(self, chunk: int, words: str) -> None:
        """What is open of it has failed: a receipt for each says why. Raises StateError."""
        if not self.job.many:
            segment = self.segment
            receipt = Receipt(segment.number, segment.name, segment.content_hash, Result.FAILED, f"{_LOST} {words}")
            receipt.write(self.folder)
            return
        files = WorkerFiles(self.folder, _OF_THE_DRIVER, self.job.remembered)
        try:
            for key in self.open_keys(chunk):
                files.put(ItemReceipt(key, ItemState.FAILED, note=f"{_LOST} {words}"))
        finally:
            files.close()

    def is_whole(self, keys: Sequence[str] | None = None) -> bool:
        """Whether each of these has its receipt; of all where none is named."""
        if keys is None or not self.job.many:
            return not self.is_open
        return all(key in self.tail.whole for key in keys if key in self._chunk)
