"""What a killed runner left: receipts that the status file does not know yet, a child that still runs."""

from __future__ import annotations

from collections.abc import Iterable

from runner import __version__
from runner.go.duration import to_go
from runner.state.records import SUCCEEDED, UNFINISHED, Run
from runner.state.status import Entry


def unrecorded(last: Run | None, entries: Iterable[Entry]) -> list[Entry]:
    """Entries for segments that a receipt of the last, unfinished run calls done and the status file lacks.

    Only the newest run counts, and only while its record says that it did not end as it should: an older receipt
    may be of a result that has been made anew since.
    """
    if last is None or last.state not in UNFINISHED:
        return []
    known = {entry.content_hash for entry in entries if entry.done}
    out = []
    for receipt in last.receipts():
        content_hash = receipt.get("content_hash", "")
        if receipt.get("state") != SUCCEEDED or not content_hash or content_hash in known:
            continue
        known.add(content_hash)
        out.append(
            Entry(
                receipt.get("name", ""),
                content_hash,
                receipt.get("started", "")[:10],
                receipt.get("runner", __version__),
                to_go(receipt.get("seconds", 0.0)),
            )
        )
    return out
