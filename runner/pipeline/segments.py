"""One entry of `run:` -> `Segment`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from yaml.events import ScalarEvent

from runner.go.content_hash import content_hash
from runner.go.scalars import BadTagError
from runner.model import Entry, FlagMap, Mark, Segment, SegmentType, Value
from runner.pipeline.durations import seconds_of
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.problems import explain
from runner.pipeline.remarks import KEYS, OWN_KEYS, TEXT_KEYS, Remarks
from runner.pipeline.report import Report, mark_of
from runner.pipeline.schema import conforms, faults, segment_schema
from runner.pipeline.values import Fields, fields_of, map_items, raw_text, value_of

# whose value, and not only its type, decides whether the schema holds
_VALUE_MATTERS = frozenset({"environment", "timeout", "retries", "retry-delay", "outputs", "inputs"})
_SCHEMA_KEYS = tuple(key for key in KEYS if key not in OWN_KEYS)

_TYPES = {one.value: one for one in SegmentType}


class Marks(Mapping[str, Mark]):
    """Where the keys of a segment stand; worked out when first asked, for most segments never."""

    def __init__(self, node: Node, fields: Fields) -> None:
        self._node, self._fields = node, fields

    @cached_property
    def _all(self) -> dict[str, Node]:
        nodes = {"": self._node}
        for key, occurrences in self._fields.items():
            nodes.update(_with_entries(key, occurrences[-1][1]))
            for _, value in occurrences:
                for name, inner in value.pairs() if isinstance(value, MapNode) else ():
                    if isinstance(name, ScalarEvent):
                        nodes.update(_with_entries(f"{key}.{name.value}", inner))
        return nodes

    def __getitem__(self, key: str) -> Mark:
        return mark_of(self._all[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def _with_entries(key: str, node: Node) -> Iterator[tuple[str, Node]]:
    yield key, node
    for index, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        yield f"{key}.{index}", item


class SegmentReader:
    """Reads the segments of one file; each shape (keys and types) is checked against the schema once."""

    def __init__(self, report: Report, hashes_only: bool = False) -> None:
        self._report = report
        self._hashes_only = hashes_only
        self._remarks = Remarks(report)
        self._schema = segment_schema()
        self._known_shapes: dict[object, bool] = {}
        self._fields: dict[int, Fields] = {}

    def read(self, node: Node, number: int) -> Segment | None:
        """The segment, None when it has an error (which is reported)."""
        report = self._report
        report.segment, errors = number, report.error_count
        if not isinstance(node, MapNode):
            value = value_of(node, report)
            for fault in faults(value, self._schema):
                explain(fault, node, {}, report)
            if value is None:
                report.error(node, "the segment is empty", "Fill it in, or delete its `-`.")
            return None
        self._fields[number] = fields = fields_of(node, report)
        data = {key: self._data(key, fields) for key in _SCHEMA_KEYS if key in fields}
        entries = data.get("commands") or ()
        if self._hashes_only:
            data = _as_go_loaded(data)
        if not self._conforms(data):
            for fault in faults(data, self._schema):
                explain(fault, node, fields, report)
        own = {} if self._hashes_only or fields.keys().isdisjoint(OWN_KEYS) else self._own(fields)
        if report.error_count == errors:
            segment = self._segment(node, fields, data, entries, number, own)
            if own and segment:
                from runner.pipeline.item_words import look_at_words

                look_at_words(segment, report)
        else:
            segment = None
            self._look_at_values(fields)
        self._remarks.on_segment(node, fields, segment)
        return segment

    def finish(self, segments: Sequence[Segment | None]) -> list[Segment]:
        """All segments that could be read, with what is known only when all are; the remarks that are made once."""
        needing = {number: fields for number, fields in self._fields.items() if "needs" in fields}
        if needing and not self._hashes_only:
            from runner.pipeline.needs import Needs, Place

            every = {number: self._fields.get(number, {}) for number in range(1, len(segments) + 1)}
            places = {number: Place(_plain(one, "name"), _is_control(one)) for number, one in every.items()}
            segments = Needs(places, needing, self._report).resolve(segments)
        self._report.segment = None
        self._remarks.finish()
        return [segment for segment in segments if segment is not None]

    def _own(self, fields: Fields) -> dict[str, Any]:
        """The values of the keys that say how many, how much and what for; `needs` waits for the other segments."""
        from runner.pipeline.many import read_many
        from runner.pipeline.resources import read_resources, read_retry_memory

        for key in ("foreach", "matrix"):
            if key in fields and _is_control(fields):
                cure = "Delete it, or delete `type`."
                self._report.error(fields[key][-1][0], f"`{key}` means nothing in a pause, stop or force", cure)
        return {
            "many": read_many(fields, self._report),
            "resources": read_resources(fields, self._report),
            "retry_memory": read_retry_memory(fields, self._report),
        }

    def _data(self, key: str, fields: Fields) -> Any:
        """The key's value, as far as the schema looks at it: the values of flags and variables are free."""
        node = fields[key][-1][1]
        if isinstance(node, MapNode):
            return {}
        if isinstance(node, ListNode) and key == "commands":
            return [{} if isinstance(item, MapNode) else value_of(item, self._report) for item in node.items]
        return value_of(node, self._report)

    def _conforms(self, data: dict[str, Any]) -> bool:
        shape = tuple((key, _value(value) if key in _VALUE_MATTERS else _types(value)) for key, value in data.items())
        try:
            known = self._known_shapes.get(shape)
        except TypeError:  # a list where a text should be
            return False
        if known is None:
            known = self._known_shapes[shape] = conforms(data, self._schema)
        return known

    def _segment(
        self,
        node: MapNode,
        fields: Fields,
        data: dict[str, Any],
        entries: Sequence[Any],
        number: int,
        own: dict[str, Any],
    ) -> Segment | None:
        texts = {key: _text(fields, key) for key in TEXT_KEYS}
        env = self._env(fields)
        commands, hashed = self._commands(fields, entries)
        kind = _TYPES.get(texts["type"].lower(), SegmentType.NORMAL)
        distro = texts.pop("use-linux-distro").strip()
        return Segment(
            number=number,
            name=texts["name"],
            type=kind,
            content_hash=content_hash(**texts, distro=distro, env=env, commands=hashed),
            message=texts["message"],
            environment=texts["environment"],
            distro=distro,
            env=env,
            commands=commands,
            cwd=texts["cwd"],
            timeout=_seconds(data.get("timeout")),
            retries=int(data.get("retries") or 0),
            retry_delay=5.0 if (delay := _seconds(data.get("retry-delay"))) is None else delay,
            keep_going=bool(data.get("keep-going")),
            outputs=_list(data.get("outputs")),
            outputs_may_be_old=bool(data.get("outputs-may-be-old")),
            inputs=_list(data.get("inputs")),
            marks=Marks(node, fields),
            **own,
        )

    def _look_at_values(self, fields: Fields) -> None:
        """Reports what is wrong in flags and variables of a segment that is refused for other reasons."""
        self._env(fields)
        node = fields["commands"][-1][1] if "commands" in fields else None
        for item in node.items if isinstance(node, ListNode) else ():
            if isinstance(item, MapNode):
                map_items(item, self._report)

    def _env(self, fields: Fields) -> tuple[tuple[str, Value], ...]:
        """Given twice, or through `<<` as well, the maps are laid over each other; a null empties them."""
        env: dict[str, Value] = {}
        for _, node in fields.get("env", ()):
            if isinstance(node, MapNode):
                for name, values in fields_of(node, self._report).items():
                    env[name] = value_of(values[-1][1], self._report)
            else:
                env.clear()
        return tuple(env.items())

    def _commands(
        self, fields: Fields, texts: Sequence[Any]
    ) -> tuple[tuple[Entry, ...], list[str | list[tuple[Value, Value]]]]:
        """The entries, and what is hashed of them: there a key has the type that Go gave it (`y` is true)."""
        node = fields["commands"][-1][1] if "commands" in fields else None
        if not isinstance(node, ListNode):
            return (), []
        entries: list[Entry] = []
        hashed: list[str | list[tuple[Value, Value]]] = []
        for item, text in zip(node.items, texts, strict=True):
            if isinstance(item, MapNode):
                items = map_items(item, self._report)
                entries.append(FlagMap(tuple((written, value) for written, _, value in items)))
                hashed.append([(key, value) for _, key, value in items])
            elif isinstance(text, str):
                entries.append(text)
                hashed.append(text)
        return tuple(entries), hashed


_LOADED_BY_GO = frozenset({"name", "type", "message", "use-linux-distro", "env"})


def _as_go_loaded(data: dict[str, Any]) -> dict[str, Any]:
    """Only what the Go runner looked at when it loaded a file: neither the entries' types nor our own keys."""
    commands = data.get("commands")
    kept = {key: value for key, value in data.items() if key in _LOADED_BY_GO}
    kept["commands"] = ["any"] if commands is None or isinstance(commands, list) else commands
    return kept


def _value(value: Any) -> object:
    """With its type, because 1 and true are equal in Python."""
    return type(value), tuple(value) if isinstance(value, list) else value


def _types(value: Any) -> object:
    return frozenset(map(type, value)) if isinstance(value, list) else type(value)


def _text(fields: Fields, key: str) -> str:
    occurrences = fields.get(key)
    node = occurrences[-1][1] if occurrences else None
    return raw_text(node) if isinstance(node, ScalarEvent) else ""


def _plain(fields: Fields, key: str) -> str:
    """As `_text`, also of a segment that is wrong."""
    try:
        return _text(fields, key)
    except BadTagError:
        return ""


def _is_control(fields: Fields) -> bool:
    return _TYPES.get(_plain(fields, "type").lower(), SegmentType.NORMAL) is not SegmentType.NORMAL


def _list(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    return seconds_of(value) if isinstance(value, str) else float(value)
