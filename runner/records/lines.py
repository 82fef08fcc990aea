"""Receipts of items, a line each, in a file that is only added to.

    {"key":"a/1.tif","state":"succeeded","mark":[123,1700000000000000000],...}<TAB>0123abcd

The check sum ends a line, so a torn one is none, whoever wrote it and whatever stands around it: each is written with
the line end *before* it, and so never hangs on to what a killed writer, or a full disk, left there.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.ground.files import state_errors, write_atomic, write_whole
from runner.ground.plain import NO_LINK, NotPlain
from runner.ground.told import number, text
from runner.records.receipt import Result

_HIGHEST = 2**63
ItemState = Result  # of an item


@dataclass(frozen=True, slots=True)
class ItemReceipt:
    """How one item ended."""

    key: str
    state: ItemState
    mark: tuple[int, ...] = ()  # how the item was when its command was started
    note: str = ""  # why it failed, in plain words
    seconds: float = 0.0
    started: float = 0.0  # since the epoch
    exit_code: int | None = None
    peak_memory: int | None = None
    outputs: tuple[tuple[str, int], ...] = ()  # path and size
    log: tuple[str, int, int] | None = None  # file, offset, length
    attempts: int = 1
    content_hash: str = ""  # of the item's content, where that identifies it


_EMPTY = ItemReceipt("", ItemState.SUCCEEDED)
_STATES = {state.value: state for state in ItemState}


def line_of(receipt: ItemReceipt) -> bytes:
    """Plain ASCII, whatever the names hold: a line end or half a sign of UTF-16 is written as JSON writes it."""
    told: dict[str, Any] = {"key": receipt.key, "state": receipt.state.value, "mark": receipt.mark}
    for name in _MORE:
        value = getattr(receipt, name)
        if value != getattr(_EMPTY, name):
            told[name] = round(value, 3) if isinstance(value, float) else value
    body = json.dumps(told, separators=(",", ":")).encode("ascii")
    return b"\n%s\t%08x" % (body, zlib.crc32(body))


def open_lines(path: Path) -> int:
    """A descriptor to append to the file at `path`. Raises StateError."""
    with state_errors("write", path):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | NO_LINK, 0o666)


@contextmanager
def added_to(path: Path) -> Iterator[int]:
    """A descriptor for `append`, closed at the end; the folder is made where there is none. Raises StateError."""
    with state_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_lines(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def append(descriptor: int, receipt: ItemReceipt, path: Path | None = None) -> None:
    """One write; a line that got there in part only is none. Raises StateError, which names `path`."""
    with state_errors("write", path or Path("the receipts")):
        write_whole(descriptor, line_of(receipt))


def append_files(descriptor: int, sources: Sequence[Path], path: Path) -> None:
    """All that the files `sources` hold, as it is: a line that is torn there is none here. Raises StateError."""
    with state_errors("write", path):
        for source in sources:
            with source.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    write_whole(descriptor, chunk)


def write_lines(path: Path, receipts: Iterator[ItemReceipt]) -> None:
    """All of them in place of what the file holds, whole or not at all. Raises StateError."""
    data = bytearray()  # to join them would hold each of 100,000 once more
    for receipt in receipts:
        data += line_of(receipt)
    write_atomic(path, data)


def read_lines(path: Path) -> Iterator[ItemReceipt]:
    """The whole lines of the file, none where there is no file; what is not as we write it is passed over.

    Raises StateError where a file is there and cannot be read: it is not for us to say that nothing was done.
    """
    yield from map(receipt_of, read_told(path))


def read_told(path: Path) -> Iterator[dict[str, Any]]:
    """As `read_lines`, before anything was looked at but key and state: for those who want little of each."""
    for line in _raw_lines(path):
        if (told := told_in(line)) is not None:
            yield told


def told_in(line: bytes) -> dict[str, Any] | None:
    """What one line tells, None where it is torn or is none of ours."""
    body, tab, end = line.rstrip(b"\r\n").rpartition(b"\t")
    if not tab or len(end) != 8:
        return None
    try:
        if int(end, 16) != zlib.crc32(body):
            return None
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(told, dict) and isinstance(told.get("key"), str) and told.get("state") in _STATES:
        return told
    return None


def _raw_lines(path: Path) -> Iterator[bytes]:
    with state_errors("read", path):
        try:
            descriptor = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return
        with os.fdopen(descriptor, "rb", buffering=1 << 18) as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotPlain(errno.EINVAL, "it is a pipe or a device, and no file")
            yield from stream


def mark_in(told: dict[str, Any]) -> tuple[int, ...]:
    mark = told.get("mark")
    if type(mark) is not list or any(type(number) is not int for number in mark):
        return ()
    return tuple(mark)


def text_in(told: dict[str, Any], name: str) -> str:
    return text(told.get(name)) or ""


def receipt_of(told: dict[str, Any]) -> ItemReceipt:
    found = {name: value for name, check in _MORE.items() if (value := check(told.get(name))) is not None}
    return ItemReceipt(told["key"], _STATES[told["state"]], mark_in(told), **found)


def _whole(value: object) -> int | None:
    """Exit codes are below zero where a signal ended it."""
    return value if type(value) is int and -_HIGHEST < value < _HIGHEST else None


def _outputs(value: object) -> tuple[tuple[str, int], ...]:
    found = []
    for one in value if isinstance(value, list) else ():
        if isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) and (_whole(one[1]) or 0) >= 0:
            found.append((one[0], _whole(one[1]) or 0))
    return tuple(found)


def _log(value: object) -> tuple[str, int, int] | None:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
        return None
    offset, length = _whole(value[1]), _whole(value[2])
    return (
        (value[0], offset, length) if offset is not None and length is not None and min(offset, length) >= 0 else None
    )


# of what a line holds beside key, state and mark: the value, None where it is none of ours
_MORE: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("note", "content_hash"), text),
    **dict.fromkeys(("seconds", "started"), number),
    **dict.fromkeys(("exit_code", "peak_memory"), _whole),
    "outputs": _outputs,
    "log": _log,
    "attempts": lambda value: _whole(value) or None,
}
