"""Which outputs on a cluster are whole: a program may still write to the others. Receipts say so, and no clock does."""

from __future__ import annotations

from pathlib import Path

from runner.records.layout import RUNNING, SUBMITTED, Record, latest_run
from runner.records.lines import read_lines
from runner.records.receipt import NAME, read_receipt


class Settled:
    """By the records that came back, in `own`."""

    def __init__(self, own: Path) -> None:
        run = latest_run(own)
        self._run = run if run and run.state in (RUNNING, SUBMITTED) else None
        self._known: dict[int, frozenset[tuple[str, int]] | None] = {}

    def is_whole(self, segment: int, path: str, size: int) -> bool:
        """Of a file there, absolute, that had this size before the records were asked for."""
        if segment not in self._known:
            self._known[segment] = None if self._run is None else _outputs(self._run, segment)
        known = self._known[segment]
        return known is None or (path, size) in known


def _outputs(run: Record, segment: int) -> frozenset[tuple[str, int]] | None:
    """Of a segment that is under way those of items with a receipt; None: all that there are."""
    own = f"{segment:02d}"
    folder = next((path for path in run.folder.glob(f"{own}*") if path.name.split("-")[0] == own), None)
    if folder is None or read_receipt(folder / NAME) is not None:
        return None
    receipts = (receipt for path in folder.glob("receipts-*.jsonl") for receipt in read_lines(path))
    return frozenset(output for receipt in receipts for output in receipt.outputs)
