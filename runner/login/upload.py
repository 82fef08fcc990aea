"""Files to the cluster: what is there already with the same content is not sent again, and nothing there is lost."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.login import agent
from runner.login.line import Call, Remote
from runner.login.sent import Known, same_time
from runner.login.wanted import Local

_ASKED = 2000  # files asked for in one message
_BODY = 1 << 20  # bytes of small files in one message
_UNDER_WAY = 4  # messages with small files that wait for their answer
_CHUNKS = 12  # of a large file; fewer than the other end's window


@dataclass
class Sent:
    """What an upload came to."""

    files: int = 0
    bytes: int = 0
    there: int = 0  # that were there already
    kept: list[str] = field(default_factory=list)  # that were different there, under their new names


def upload(
    remote: Remote,
    base: str,
    files: Sequence[Local],
    known: Known,
    tell: Callable[[int, int], None] = lambda files, size: None,
) -> Sent:
    """Raises Lost and Refusal (what arrived by then stays there), and UsageError for a file that changes meanwhile.

    `known`: how what we sent earlier was then; what is different there by now was changed there, and is kept.
    `tell` gets the number of files that go and their bytes.
    """
    done = Sent()
    try:
        missing, replaced = _missing(remote, base, files, known, done)
        stamp = time.strftime("%Y%m%d-%H%M%S")
        # not beside ours, where a pattern of the pipeline could mean both
        keep = {one.there: f"kept/{stamp}/{one.there}" for one in replaced}
        todo = [*missing, *replaced]
        tell(len(todo), sum(one.size for one in todo))
        _send(remote, base, todo, keep, known, done)
    except OSError as error:
        what = os.fsdecode(error.filename or "what goes up")
        raise UsageError(f"{what} cannot be read: {error.strerror}", "Check that it is there and yours.") from error
    finally:
        known.save()
    done.kept = list(keep.values())
    return done


def _send(
    remote: Remote, base: str, todo: Sequence[Local], keep: dict[str, str], known: Known, done: Sent
) -> None:  # fmt: skip
    small = [one for one in todo if one.size <= agent.CHUNK]
    for group in _send_small(remote, base, small, keep):
        _note(group, known, done)
    for one in todo:
        if one.size > agent.CHUNK:
            _send_large(remote, base, one, keep.get(one.there))
            _note([one], known, done)


def _note(group: Iterable[Local], known: Known, done: Sent) -> None:
    for one in group:
        known.note(one.there, one.size, one.changed)
        done.files += 1
        done.bytes += one.size


def _missing(
    remote: Remote, base: str, files: Sequence[Local], known: Known, done: Sent
) -> tuple[list[Local], list[Local]]:
    """Those that are not there, and those that are different there although we did not put them there so."""
    missing, replaced, doubtful = [], [], []
    for at in range(0, len(files), _ASKED):
        part = files[at : at + _ASKED]
        found = remote.call({"op": "look", "base": base, "paths": [one.there for one in part]})["found"]
        for one, facts in zip(part, found, strict=True):
            if facts is None:
                missing.append(one)
            elif facts[0] != "file":
                raise UsageError(
                    f"{base}/{one.there} is no file there, and one here ({one.path})", "Rename one of the two."
                )
            elif facts[1] == one.size and same_time(facts[2], one.changed):
                done.there += 1
            elif known.is_ours(one.there, facts[1], facts[2]):
                missing.append(one)  # it was changed here since
            elif facts[1] == one.size:
                doubtful.append(one)
            else:
                replaced.append(one)
    equal = list(_equal(remote, base, doubtful))
    for at in range(0, len(equal), _ASKED):
        told = [[one.there, one.changed] for one in equal[at : at + _ASKED]]
        remote.call({"op": "touch", "base": base, "files": told})
    done.there += len(equal)
    same = {one.there for one in equal}
    return missing, [*replaced, *(one for one in doubtful if one.there not in same)]


def _equal(remote: Remote, base: str, files: Sequence[Local]) -> Iterator[Local]:
    """Those of one size that have one content."""
    for at in range(0, len(files), 100):
        part = files[at : at + 100]
        asked = [[one.there, None] for one in part]
        there = remote.call({"op": "hash", "base": base, "paths": asked})["found"]
        for one, digest in zip(part, there, strict=True):
            if agent.digest(os.fsencode(one.path)) == digest:
                yield one


def _send_small(
    remote: Remote, base: str, files: Sequence[Local], keep: dict[str, str]
) -> Iterator[list[Local]]:  # fmt: skip
    """Many in one message, several messages under way; gives those that arrived."""
    waiting: deque[tuple[Call, list[Local]]] = deque()
    for group in _groups(files):
        parts = [_read(one) for one in group]
        rows = [[one.there, len(data), one.changed, one.mode] for one, data in zip(group, parts, strict=True)]
        kept = {one.there: keep[one.there] for one in group if one.there in keep}
        header: dict[str, Any] = {"op": "put", "base": base, "files": rows, "keep": kept}
        waiting.append((remote.open(header, b"".join(parts)), group))
        if len(waiting) == _UNDER_WAY:
            call, arrived = waiting.popleft()
            call.end()
            yield arrived
    for call, arrived in waiting:
        call.end()
        yield arrived


def _groups(files: Sequence[Local]) -> Iterator[list[Local]]:
    group: list[Local] = []
    full = 0
    for one in files:
        if group and (full + one.size > _BODY or len(group) == 500):
            yield group
            group, full = [], 0
        group.append(one)
        full += one.size
    if group:
        yield group


def _read(one: Local) -> bytes:
    with Path(one.path).open("rb") as stream:
        data = stream.read(one.size + 1)
        info = os.fstat(stream.fileno())
    if len(data) != one.size or info.st_mtime_ns != one.changed:
        raise _changes(one)
    return data


def _changes(one: Local) -> UsageError:
    return UsageError(f"{one.path} changed while it was sent", "Start again once nothing writes to it.")


def _send_large(remote: Remote, base: str, one: Local, keep: str | None) -> None:
    """In chunks; what an earlier try left there counts if it is the beginning of this file."""
    mark = hashlib.sha256(f"{one.size} {one.changed}".encode()).hexdigest()[:16]
    header = {
        "op": "send", "base": base, "path": one.there, "mark": mark, "size": one.size, "changed": one.changed,
        "mode": one.mode, "keep": keep,
    }  # fmt: skip
    call = remote.open(header, flags=0)
    begun = call.part()
    assert begun
    have, digest = begun[0]["have"], begun[0]["sha256"]
    start = have if have and agent.digest(os.fsencode(one.path), have) == digest else 0
    under_way = 0
    with Path(one.path).open("rb") as stream:
        stream.seek(start)
        call.write({"from": start}, b"", 0)
        while data := stream.read(agent.CHUNK):
            call.write({}, data, 0)
            under_way += 1
            if under_way == _CHUNKS:
                call.part()
                under_way -= 1
        info = os.fstat(stream.fileno())
        if (info.st_size, info.st_mtime_ns) != (one.size, one.changed):
            call.write({"drop": 1}, b"", agent.LAST)
            call.end()
            raise _changes(one)
        call.write({}, b"", agent.LAST)
    call.end()
