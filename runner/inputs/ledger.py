"""The one file that holds what the segments of a pipeline read: a line per content hash, the later one counts.

A line is appended whole; a torn one (a killed runner, a full disk) is passed over, and so is all that is not as we
write it. Nothing hangs on it but news: without it a segment that is done stays done.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runner.errors import StateError
from runner.ground.files import write_atomic
from runner.ground.plain import read_plain
from runner.inputs.looking import Fact, Found, Source
from runner.inputs.told import Told

NAME = "inputs.jsonl"
_LARGEST = 512 << 20
_WORTH_IT = 4 << 20  # bytes from which on what no longer counts is thrown away
_SHORT = 4  # characters of a value: one as short stands in paths that have nothing to do with it
_START = b'{"hash":"'


@dataclass
class Line:
    """What one segment had read when it was done."""

    content_hash: str
    sources: list[tuple[Source, Found]] = field(default_factory=list)
    writes: tuple[Told, ...] = ()
    made: dict[str, Fact | None] = field(default_factory=dict)  # what it made of inputs, None: removed
    appeared: set[str] = field(default_factory=set)  # what it, or a run of it before, added to them
    restless: set[str] = field(default_factory=set)  # inputs that changed while it ran, though it writes elsewhere


class Ledger:
    """`base` is the pipeline's folder: paths in it are kept relative, so that it can be moved with its data.

    `names`: those of .env with their values, which are not written down.
    """

    def __init__(self, path: Path, base: str, names: Mapping[str, str] = MappingProxyType({})) -> None:
        self.path = path
        self.base = base
        values = [(os.path.normpath(value), f"%{name}%") for name, value in names.items() if len(value) >= _SHORT]
        self._names = sorted(values, key=lambda one: -len(one[0]))
        self._raw: dict[str, bytes] = {}
        self._lines: dict[str, Line | None] = {}
        self._extra: list[bytes] = []  # of no single segment: what else a run made
        self._whole = True  # the file ends with a whole line
        self._size = 0
        self._lock = threading.Lock()
        self._all: tuple[set[str], set[str]] | None = None

    @classmethod
    def read(
        cls, folder: Path, base: str | os.PathLike[str], names: Mapping[str, str] = MappingProxyType({})
    ) -> Ledger:
        """Of the pipeline whose records lie in `folder`; empty where there is none or it cannot be read."""
        ledger = cls(folder / NAME, os.fspath(base), names)
        try:
            data = read_plain(ledger.path, largest=_LARGEST)
        except OSError:
            return ledger
        ledger._whole = data.endswith(b"\n") or not data
        ledger._size = len(data)
        for raw in data.split(b"\n"):
            ledger._take(raw)
        return ledger

    @classmethod
    def of(cls, lines: Iterable[bytes], base: str, names: Mapping[str, str]) -> Ledger:
        """With these lines, as `raw` gave them; it is to be read alone."""
        ledger = cls(Path(os.devnull), base, names)
        for raw in lines:
            ledger._take(raw)
        return ledger

    def raw(self, content_hash: str) -> bytes:
        """The line of a segment as it is written; empty where there is none."""
        return self._raw.get(content_hash, b"")

    def _take(self, raw: bytes) -> None:
        if not raw.startswith(_START) or not raw.endswith(b"}"):
            return
        end = raw.find(b'"', len(_START))
        key = raw[len(_START) : end].decode("ascii", "replace")
        if key:
            self._raw[key] = raw
            self._lines.pop(key, None)
        else:
            self._extra.append(raw)

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._raw

    def is_upstream(self, content_hash: str) -> bool:
        """Whether a segment read what earlier ones declare as their outputs; told without reading its line."""
        return b'["upstream",' in self._raw.get(content_hash, b"")

    def sources(self, content_hash: str) -> bytes:
        """What a segment read, as it is written: many read the same."""
        raw = self._raw.get(content_hash, b"")
        return raw[raw.find(b'"sources"') : raw.rfind(b',"writes":')]

    def shown(self, path: str) -> str:
        """As it may be written down."""
        for value, name in self._names:
            path = path.replace(value, name)
        return path

    def _short(self, path: str) -> str:
        base = self.base
        if path == base:
            return "."
        inside = path.startswith(base if base.endswith(os.sep) else base + os.sep)
        return path[len(base) :].lstrip(os.sep).replace(os.sep, "/") if inside else self.shown(path)

    def _long(self, path: str) -> str:
        if path == ".":
            return self.base
        if "%" in path:
            for value, name in self._names:
                path = path.replace(name, value)
        absolute = os.path.isabs(path)  # noqa: PTH117
        return path if absolute else os.path.join(self.base, path.replace("/", os.sep))  # noqa: PTH118

    def line(self, content_hash: str) -> Line | None:
        """What is known of a segment, None where nothing is."""
        if content_hash not in self._lines:
            raw = self._raw.get(content_hash)
            self._lines[content_hash] = _parsed(raw, self._long) if raw is not None else None
        return self._lines[content_hash]

    def alone(self, content_hash: str) -> list[tuple[str, int, int]] | None:
        """Path, size and time of what a segment read, where that is but files named by themselves."""
        raw = self._raw.get(content_hash)
        try:
            sources = json.loads(raw)["sources"] if raw is not None else ()
            found = []
            for how, kind, root, _, files, *_ in sources:
                if how != "argument" or kind != "file":
                    return None
                size, changed, _ = files[""]
                found.append((self._long(root), size, changed))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return found

    @property
    def roots(self) -> set[str]:
        """Where segments read."""
        return self._about_all()[0]

    @property
    def appeared(self) -> set[str]:
        """What segments added to the folders where they read."""
        return self._about_all()[1]

    def _about_all(self) -> tuple[set[str], set[str]]:
        if self._all is None:
            self._all = (set(), set())
            for line in [*map(self.line, list(self._raw)), *(_parsed(raw, self._long) for raw in self._extra)]:
                self._note(line)
        return self._all

    def _note(self, line: Line | None) -> None:
        if line is not None and self._all is not None:
            self._all[0].update(source.root for source, _ in line.sources)
            self._all[1].update(line.appeared)

    def made(self) -> list[Mapping[str, Fact | None]]:
        """What runs made of inputs, besides what a segment's own line says; the latest last."""
        return [line.made for raw in self._extra if (line := _parsed(raw, self._long)) is not None]

    def put(self, line: Line) -> None:
        """Remember a segment. What cannot be written is not remembered: no reason to stop a run."""
        raw = _text(line, self._short)
        with self._lock:
            self._take(raw)
            if line.content_hash:
                self._lines[line.content_hash] = line
            self._note(line)
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as stream:
                    stream.write((b"" if self._whole else b"\n") + raw + b"\n")
                self._whole = True
                self._size += len(raw) + 1

    def compact(self, keep: Iterable[str]) -> None:
        """Where the file has grown by what no longer counts, only the lines of these hashes are kept."""
        wanted = set(keep)
        lines = [raw for key, raw in self._raw.items() if key in wanted]
        data = b"".join(raw + b"\n" for raw in (*lines, *self._extra[-100:]))
        if self._size > _WORTH_IT and self._size > 2 * len(data):
            with suppress(StateError):
                write_atomic(self.path, data, durable=False)
                self._size = len(data)


def _text(line: Line, short: Callable[[str], str]) -> bytes:
    sources = [
        [s.how, s.kind, short(s.root), s.rest, found.files, found.count, found.newest, found.late]
        for s, found in line.sources
    ]
    data: dict[str, Any] = {
        "hash": line.content_hash,
        "sources": sources,
        "writes": [[short(told.root), told.rest] for told in line.writes],
        "made": {short(path): fact for path, fact in line.made.items()},
    }
    if line.appeared:
        data["appeared"] = sorted(short(path) for path in line.appeared)
    if line.restless:
        data["restless"] = sorted(short(path) for path in line.restless)
    return json.dumps(data, separators=(",", ":")).encode()


def _parsed(raw: bytes, long: Callable[[str], str]) -> Line | None:
    try:
        data = json.loads(raw)
        sources = [_source(one, long) for one in data["sources"]]
        writes = tuple(Told(long(_str(root)), _str(rest)) for root, rest in data["writes"])
        made = {long(path): None if fact is None else _fact(fact) for path, fact in data["made"].items()}
        appeared = {long(_str(path)) for path in data.get("appeared", ())}
        restless = {long(_str(path)) for path in data.get("restless", ())}
        return Line(_str(data["hash"]), sources, writes, made, appeared, restless)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _source(one: Any, long: Callable[[str], str]) -> tuple[Source, Found]:
    how, kind, root, rest, files, count, newest, late = one
    found = Found({name: _fact(fact) for name, fact in files.items()}, int(count), int(newest), bool(late))
    return Source(_str(how), _str(kind), long(_str(root)), _str(rest)), found


def _fact(value: Any) -> Fact:
    size, changed, digest = value
    if type(size) is not int or type(changed) is not int:
        raise TypeError
    return size, changed, _str(digest)


def _str(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value
