"""The status file beside a pipeline file, in the Go runner's format.

`NAME.yaml` has `NAME_status.yaml`, and so has `NAME.yml` where it stands alone. A segment counts as done when an entry
holds its content hash and a `last_processed`. Keys that we do not know are kept as they were.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from runner.errors import InTheWay
from runner.frozen import frozen
from runner.ground.files import Syncer, state_error, write_atomic
from runner.ground.plain import read_plain

FIELDS = ("name", "content_hash", "last_processed", "code_version", "run_duration")


@frozen
class Entry:
    """One finished segment; texts as in the file (a date, a Go duration)."""

    name: str
    content_hash: str
    last_processed: str = ""
    code_version: str = ""
    run_duration: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return bool(self.content_hash and self.last_processed)


@frozen
class Status:
    """What a status file held. `broken` says why it could not be read; it then counts as empty."""

    entries: tuple[Entry, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""
    existed: bool = False

    @property
    def done(self) -> set[str]:
        """Content hashes."""
        return {entry.content_hash for entry in self.entries if entry.done}


_STATUS = "_status.yaml"


def status_path(pipeline: Path) -> Path:
    """Where the status of `pipeline` stands: of cells.yaml and cells.yml, each has its own."""
    kind = pipeline.suffix.lower()
    own = pipeline.with_name(pipeline.name + _STATUS)
    alone = kind == ".yml" and not own.is_file() and not pipeline.with_suffix(".yaml").is_file()
    return _of_go(pipeline) if kind == ".yaml" or alone else own


def _of_go(pipeline: Path) -> Path:
    return pipeline.with_name(pipeline.stem + _STATUS)


def part_from_namesake(pipeline: Path) -> None:
    """Where cells.yaml appears beside cells.yml: what the one had finished is copied before the other writes."""
    other = pipeline.with_suffix(".yml")
    shared, own = _of_go(other), status_path(other)
    if pipeline.suffix.lower() == ".yaml" and other.is_file() and shared.is_file() and not own.exists():
        write_atomic(own, read_plain(shared), through_link=True)


def pipeline_of(status: Path) -> Path | None:
    """The pipeline file whose status file `status` is, None where none lies beside it."""
    if not status.name.lower().endswith(_STATUS):
        return None
    name = status.name[: -len(_STATUS)]
    beside = (status.with_name(name + ending) for ending in (".yaml", ".yml", ""))
    return next((one for one in beside if one.is_file() and status_path(one).name.lower() == status.name.lower()), None)


def status_of(pipeline: Path) -> Status:
    """The status of `pipeline`; until it has a file of its own, what the shared one of Go holds. Raises StateError.

    An entry tells what was run in this folder, whichever of the files said so.
    """
    status = read_status(status_path(pipeline))
    return status if status.existed else read_status(_of_go(pipeline))


def read_status(path: Path) -> Status:
    """The status file at `path`; never raises for its content, StateError when it cannot be opened."""
    try:
        data = read_plain(path)
    except FileNotFoundError as error:
        target = Path(os.path.realpath(path))
        if path.is_symlink() and not target.parent.is_dir():
            where = f"cannot read {path}: it is a link to {target}, and there is no such folder"
            raise InTheWay(where, "See that the drive is there, or remove the link; then start again.") from error
        return Status()
    except OSError as error:
        raise state_error("read", path, error) from error
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return Status(broken="it is not UTF-8 text", existed=True)
    entries = _read_canonical(text)
    status = Status(tuple(entries), existed=True) if entries is not None else _read_yaml(text)
    if "run" in status.extra:
        what = f"{path} should tell what is done, and is a pipeline of its own (it has `run:`)"
        raise InTheWay(what, "Give one of the two files another name; nothing was written.")
    return status


_ENTRY = re.compile(
    r'- name: (?:([^"\'\n][^\n]*)|"([^"\\\n]*)")\n'
    r'  content_hash: (?:([0-9a-f]{64})|"([0-9a-f]{64})")\n'
    r'  last_processed: "(\d{4}-\d\d-\d\d)"\n'
    r"  code_version: (\d+\.\d+\.\d+)\n"
    r"  run_duration: ([0-9][0-9.hmsµ]*s)\n"
)


def _read_canonical(text: str) -> list[Entry] | None:
    """A file as we and Go write it, without the cost of a YAML parser; None when it is anything else."""
    if not text.startswith("segments:\n"):
        return None
    entries: list[Entry] = []
    place = len("segments:\n")
    for match in _ENTRY.finditer(text, place):
        plain, quoted, bare_hash, quoted_hash, processed, version, duration = match.groups()
        if match.start() != place or (plain is not None and not is_plain_text(plain)):
            return None
        if bare_hash is not None and not is_plain_text(bare_hash):
            return None
        entries.append(
            Entry(quoted if plain is None else plain, bare_hash or quoted_hash, processed, version, duration)
        )
        place = match.end()
    return entries if place == len(text) else None


def _read_yaml(text: str) -> Status:
    import yaml

    base: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader

    class loader(base):  # type: ignore[misc]  # noqa: N801
        def construct_scalar(self, node: Any) -> str | None:
            """In quotes it is a text: a segment may be called NULL."""
            return None if not node.style and node.value in _NULLS else str(node.value)

    try:
        if _too_deep(yaml.parse(text, Loader=loader)):
            return Status(broken="it is nested too deep", existed=True)
        document = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" (line {line + 1})" if line is not None else ""
        return Status(broken=f"it is not valid YAML{where}", existed=True)
    if document is None:
        return Status(existed=True)
    found = document.get("segments") if isinstance(document, dict) else None
    segments = [] if isinstance(document, dict) and found is None else found
    if not isinstance(document, dict) or not isinstance(segments, list):
        return Status(broken="it does not hold a list `segments:`", existed=True)
    entries = []
    for item in segments:
        if not isinstance(item, dict):
            return Status(broken="an entry of `segments:` is not a map", existed=True)
        known = {key: _text(item.get(key)) for key in FIELDS}
        extra = {key: value for key, value in item.items() if key not in FIELDS}
        entries.append(Entry(**known, extra=extra))
    extra = {key: value for key, value in document.items() if key != "segments"}
    return Status(tuple(entries), extra, existed=True)


def _too_deep(events: Iterable[Any]) -> bool:
    """Looked at before anything is built: libyaml's loader calls itself for each level, and ends in a crash."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > _DEEPEST:
            return True
    return False


_DEEPEST = 100
_NULLS = ("", "~", "null", "Null", "NULL")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_NUMBER = re.compile(
    r"[-+]?(0x[0-9a-fA-F_]+|0[ob][0-7_]+|[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)"
)
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([Tt\s].*)?")
_WORDS = frozenset("y n yes no on off true false null ~ << = .inf .nan +.inf -.inf".split())
_PLAIN = re.compile(
    r"[^\s\-?:,\[\]{}#&*!|>'\"%@`\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029]*"
)


def is_plain_text(text: str) -> bool:
    """True when YAML 1.1 reads an unquoted `text` as this very text."""
    if text.lower() in _WORDS or not _PLAIN.fullmatch(text):
        return False
    if text[0] in "0123456789+.-" and (_NUMBER.fullmatch(text) or _DATE.fullmatch(text)):
        return False
    return ": " not in text and " #" not in text and text[-1] not in " :"


def scalar(text: str) -> str:
    """`text` as a YAML scalar in Go's manner: plain where that is safe, else quoted."""
    if is_plain_text(text):
        return text
    if (
        text
        and _PRINTABLE.fullmatch(text)
        and not (text.lower() in _WORDS or _NUMBER.fullmatch(text) or _DATE.fullmatch(text))
    ):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escape(char) for char in text) + '"'


_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029\ud800-\udfff]*")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if _PRINTABLE.fullmatch(char):
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 256 else f"\\u{code:04X}" if code < 65536 else f"\\U{code:08X}"


def entry_text(entry: Entry) -> str:
    """One entry as it stands in the file."""
    lines = [f"{key}: {scalar(getattr(entry, key))}" for key in FIELDS if key in FIELDS[:2] or getattr(entry, key)]
    text = "- " + "\n  ".join(lines) + "\n"
    if entry.extra:
        text += "".join("  " + line + "\n" for line in _dump(entry.extra).splitlines())
    return text


def _dump(value: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(dict(value), allow_unicode=True, sort_keys=False, default_flow_style=False))


def status_text(entries: Iterable[str], extra: Mapping[str, Any]) -> str:
    body = "".join(entries)
    return ("segments:\n" + body if body else "segments: []\n") + (_dump(extra) if extra else "")


class StatusBook:
    """The status file while a run goes on: entries are added one by one, the file is rewritten each time.

    The text of each entry is made once, so that the cost of an update does not grow with the entries' length.
    """

    def __init__(self, path: Path, entries: Iterable[Entry], extra: Mapping[str, Any]) -> None:
        self.path = path
        self._entries = list(entries)
        self._texts = [entry_text(entry) for entry in self._entries]
        self._extra = dict(extra)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries)

    def record(self, entry: Entry, later: frozenset[str] = frozenset()) -> None:
        """Add `entry`, or replace the one of the same hash; it goes before entries whose hash is in `later`."""
        places = range(len(self._entries))
        for index in places if later else reversed(places):
            if self._entries[index].content_hash == entry.content_hash:
                self._entries[index], self._texts[index] = entry, entry_text(entry)
                return
        place = next((i for i, old in enumerate(self._entries) if old.content_hash in later), len(self._entries))
        self._entries.insert(place, entry)
        self._texts.insert(place, entry_text(entry))

    def drop(self, hashes: frozenset[str]) -> None:
        """Remove what is no longer done."""
        kept = [(e, t) for e, t in zip(self._entries, self._texts, strict=True) if e.content_hash not in hashes]
        self._entries, self._texts = [e for e, _ in kept], [t for _, t in kept]

    def text(self) -> str:
        return status_text(self._texts, self._extra)

    def save(self, syncer: Syncer | None = None) -> None:
        data = self.text().encode("utf-8", "surrogatepass")
        write_atomic(self.path, data, syncer=syncer, through_link=True)
