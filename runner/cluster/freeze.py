"""A plan on the shared disk: written before anything is submitted, read by every worker and by whoever looks later.

What is read back is as it was written, or an error: a worker that took half a list of items for the whole of it would
be silent and wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from runner.cluster.jobs import Chunk, Chunking
from runner.errors import StateError
from runner.ground.files import state_error, write_atomic
from runner.ground.plain import read_plain
from runner.ground.told import is_texts, number, read_json, text, whole, write_json
from runner.items.item import Item
from runner.plan import Selection
from runner.records.layout import CLUSTER, ITEMS, JOB
from runner.records.receipt import SCHEMA
from runner.site_file import ExecutorSettings
from runner.tasks import Task

_LARGEST = 4 << 30  # bytes of a list of items
_AGAIN = "It was damaged, or is not all there yet: list the folder again, or cancel this run and submit anew."


@dataclass(frozen=True)
class Submitted:
    """cluster.json: what was asked for, of the whole run."""

    settings: ExecutorSettings
    repo: str
    python: str  # which starts the workers
    pipeline: str
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class Forerunner:
    """A segment of this run that must have ended first."""

    segment: int
    items: bool = False  # item by item: its items of the same keys


@dataclass(frozen=True)
class SegmentJob:
    """job.json: one segment, as its workers run it."""

    segment: int
    name: str
    content_hash: str
    remembered: str  # under which its items are remembered: in the names of the receipts' files
    many: bool
    chunking: Chunking
    forerunners: tuple[Forerunner, ...] = ()
    keep_going: bool = False
    task: str = ""  # `task_digest`, by which a changed .env is noticed
    reads: tuple[str, ...] = ()  # paths that were there when it was frozen: `probe.reads`
    columns: tuple[str, ...] = ()  # of the CSV that its items are lines of
    total: int = 0  # items of the segment, those that are done included
    canary: bool = False  # frozen for the one item of a canary
    count: int = 0  # of its items here, and the SHA-256 of their file
    items: str = field(default="", compare=False)


def write_submitted(record: Path, submitted: Submitted) -> None:
    """Raises StateError."""
    write_json(record / CLUSTER, {"schema": SCHEMA, **asdict(submitted)})


def read_submitted(record: Path) -> Submitted:
    """Raises StateError."""
    path = record / CLUSTER
    data = _map(path)
    _check(path, data, _SUBMITTED)
    settings, selection = data["settings"], data["selection"]
    for key, value in settings.items():
        settings[key] = tuple(value) if isinstance(value, list) else value
    return Submitted(
        ExecutorSettings(**settings),
        data["repo"],
        data["python"],
        data["pipeline"],
        Selection(**{**selection, "items": tuple(selection["items"])}),
    )


def freeze_segment(folder: Path, job: SegmentJob, items: Sequence[Item]) -> None:
    """Its items first: where there is a job.json, all of it is there. Raises StateError."""
    lines = b"".join(_line(item) for item in items)
    write_atomic(folder / ITEMS, lines)
    own = {one.name: getattr(job, one.name) for one in fields(job) if one.name not in ("chunking", "forerunners")}
    own |= {
        "columns": items[0].columns if items else (),
        "count": len(items),
        "items": hashlib.sha256(lines).hexdigest(),
        "forerunners": [[one.segment, one.items] for one in job.forerunners],
        "seconds": job.chunking.seconds,
        "reason": job.chunking.reason,
        "chunks": [[chunk.number, _ranges(chunk.places)] for chunk in job.chunking.chunks],
    }
    write_json(folder / JOB, {"schema": SCHEMA, **own})


def read_segment(folder: Path) -> SegmentJob:
    """Raises StateError."""
    path = folder / JOB
    data = _map(path)
    _check(path, data, _SEGMENT)
    ranges = sorted(one for _, mine in data["chunks"] for one in mine)
    after = [first for first, _ in ranges] + [data["count"]]
    if data["many"] and [0, *(last + 1 for _, last in ranges)] != after:
        raise StateError(f"{path}: its chunks are not all of its {data['count']:,} items, each once", _AGAIN)
    chunks = tuple(Chunk(number, _places(mine)) for number, mine in data["chunks"])
    return SegmentJob(
        **{one: data[one] for one in ("segment", "name", "content_hash", "remembered", "many", "keep_going")},
        task=data["task"],
        canary=data["canary"],
        chunking=Chunking(chunks, data["seconds"], data["reason"]),
        forerunners=tuple(Forerunner(*pair) for pair in data["forerunners"]),
        reads=tuple(data["reads"]),
        columns=tuple(data["columns"]),
        total=data["total"],
        count=data["count"],
        items=data["items"],
    )


def read_items(folder: Path, job: SegmentJob) -> list[Item]:
    """All of them, in the order of the chunks' places. Raises StateError."""
    path = folder / ITEMS
    try:
        lines = read_plain(path, largest=_LARGEST)
    except OSError as error:
        raise state_error("read", path, error) from error
    if hashlib.sha256(lines).hexdigest() != job.items:
        raise StateError(f"{path} does not hold the items that were submitted", _AGAIN)
    try:
        return [_item(json.loads(line), job.columns) for line in lines.splitlines()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(f"{path} cannot be read: {error}", _AGAIN) from error


def task_digest(task: Task) -> str:
    """Of all that the pipeline's text and .env make of a segment: the same wherever it is made."""
    parts = (task.spec, task.entries, sorted(task.env.items()), task.cwd, task.outputs, task.many)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _line(item: Item) -> bytes:
    """Plain ASCII, whatever the names hold. What is as it mostly is takes no room: there may be 100,000."""
    told: dict[str, Any] = {"key": item.key, "index": item.index}
    if item.text != item.key:
        told["text"] = item.text
    if item.relative != item.key:
        told["relative"] = item.relative
    for name in ("cells", "is_file", "mark", "combination", "label"):
        if value := getattr(item, name):
            told[name] = value
    return json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"


def _item(told: Mapping[str, Any], columns: tuple[str, ...]) -> Item:
    key = told["key"]
    item = Item(
        key,
        told.get("text", key),
        relative=told.get("relative", key),
        columns=columns,
        cells=tuple(told.get("cells", ())),
        is_file=told.get("is_file", False),
        mark=tuple(told["mark"]) if "mark" in told else None,
    )
    item.index = told["index"]
    item.combination = tuple((name, value) for name, value in told.get("combination", ()))
    item.label = told.get("label", "")
    return item


def _ranges(places: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of what stands in a row."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def _places(ranges: Iterable[tuple[int, int]]) -> tuple[int, ...]:
    return tuple(place for first, last in ranges for place in range(first, last + 1))


# what is read back

Test = Callable[[object], bool]


def _map(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if data is None:
        raise StateError(f"{path} is not there, or holds something else", _AGAIN)
    if whole(data.get("schema")) != SCHEMA:
        raise StateError(
            f"{path} was written by another version of run-pipeline",
            "Use the version that submitted it, or submit anew.",
        )
    return data


def _check(path: Path, data: Mapping[str, Any], tests: Mapping[str, Test]) -> None:
    for key, good in tests.items():
        if not good(data.get(key)):
            raise StateError(f"{path}: `{key}` is {data.get(key)!r:.80}, which cannot be", _AGAIN)


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _all(test: Test) -> Test:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _pair(first: Test, second: Test) -> Test:
    return lambda value: isinstance(value, list) and len(value) == 2 and first(value[0]) and second(value[1])


def _is(kind: Callable[[object], object]) -> Test:
    return lambda value: kind(value) is not None


def _bool(value: object) -> bool:
    return isinstance(value, bool)


def _range(value: object) -> bool:
    return _pair(_is(whole), _is(whole))(value) and value[0] <= value[1]  # type: ignore[index]


_BY_KIND: Mapping[str, Test] = {
    "str": _is(text),
    "bool": _bool,
    "int": _is(whole),
    "float": _is(number),
    "int | None": lambda value: value is None or whole(value) is not None,
    "tuple[str, ...]": _texts,
    "Mapping[str, str]": is_texts,
}


def _record(kind: type) -> Test:
    """A map with each value of a frozen record, and no other."""
    tests = {one.name: _BY_KIND[str(one.type)] for one in fields(kind)}
    return lambda value: (
        isinstance(value, dict) and value.keys() == tests.keys() and all(tests[key](value[key]) for key in tests)
    )


_SUBMITTED: Mapping[str, Test] = {
    "settings": _record(ExecutorSettings),
    "selection": _record(Selection),
    **dict.fromkeys(("repo", "python", "pipeline"), _is(text)),
}
_SEGMENT: Mapping[str, Test] = {
    **dict.fromkeys(("name", "content_hash", "remembered", "task", "items", "reason"), _is(text)),
    **dict.fromkeys(("many", "keep_going", "canary"), _bool),
    **dict.fromkeys(("segment", "total", "count"), _is(whole)),
    "seconds": _is(number),
    **dict.fromkeys(("columns", "reads"), _texts),
    "forerunners": _all(_pair(_is(whole), _bool)),
    "chunks": _all(_pair(_is(whole), _all(_range))),
}
