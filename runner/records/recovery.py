"""What a killed runner left: receipts that the status file does not know yet, a child that still runs."""

from __future__ import annotations

from collections.abc import Iterable

from runner.go.duration import to_go
from runner.records.layout import UNFINISHED, Record
from runner.state.status import Entry


def unrecorded(last: Record | None, entries: Iterable[Entry]) -> list[Entry]:
    """Entries for segments that a receipt of the last, unfinished run calls done and the status file lacks.

    Only the newest run counts, and only while its record says that it did not end as it should: an older receipt
    may be of a result that has been made anew since.
    """
    if last is None or last.state not in UNFINISHED:
        return []
    known = {entry.content_hash for entry in entries if entry.done}
    out = []
    for receipt in last.receipts():
        if receipt.succeeded and receipt.content_hash and receipt.content_hash not in known:
            known.add(receipt.content_hash)
            took = to_go(receipt.seconds or 0.0)
            out.append(Entry(receipt.name, receipt.content_hash, receipt.started[:10], receipt.runner, took))
    return out
