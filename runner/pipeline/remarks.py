"""What the schema cannot say about a segment: warnings of what the Go runner took in silence, and what cannot run."""

from __future__ import annotations

import re

from yaml.events import ScalarEvent

from runner.go.text import go_text
from runner.model import FlagMap, Mark, Segment, SegmentType, Value
from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.report import Report, quoted
from runner.pipeline.schema import segment_schema
from runner.pipeline.signs import ANY, in_text, named
from runner.pipeline.tokens import texts_of
from runner.pipeline.unknown_keys import warn_of_unknown_keys
from runner.pipeline.values import Fields

TEXT_KEYS = ("name", "type", "message", "environment", "use-linux-distro", "cwd")
KEYS = tuple(segment_schema()["properties"])
# read by `many`, `needs` and `resources`, which know their places better than the schema does
OWN_KEYS = frozenset(KEYS[KEYS.index("needs") :])
_KNOWN = frozenset(KEYS)

# a path written as ./x, or an escape for NUL
_ODD_PARTS = ("./", "\\0", "\\x00", "\\u0000", "\\U00000000", "!!binary")

# a path of Windows, or behind a token, whose backslash was taken with the letter behind it
_BROKEN_PATH = re.compile(r"(?s)(?:(?:[A-Za-z]:|%\w+%)(?=[\\\x07-\x0d\x1b])|\\)[^\x00-\x1f]*[\x07-\x0d\x1b]")
_ESCAPES = re.compile(r'"[^"\n]*\\[abtnvfre]')

_REACHING = ("commands", "env", "cwd", "environment")  # keys whose texts reach the command line or the environment
_LONGEST = 366 * 86400.0  # seconds

_TYPES = tuple(one.value for one in SegmentType)


class Remarks:
    """Looks at the segments of one file, one after another."""

    def __init__(self, report: Report) -> None:
        self._report = report
        # most files have neither, and then no text needs a look
        whole = "\n".join(report.lines)
        self._has_odd_texts = any(part in whole for part in _ODD_PARTS) or any(
            one.search(whole) for one in (ANY, _ESCAPES)
        )
        self._relative: list[Mark] = []  # the entries written as ./x

    def on_segment(self, node: MapNode, fields: Fields, segment: Segment | None) -> None:
        """`segment` is None where the schema found it wrong."""
        if not fields.keys() <= _KNOWN:
            warn_of_unknown_keys(fields, KEYS, self._report)
        if segment is None:
            return
        if "type" in fields:
            self._on_type(fields["type"][-1][1])
        if segment.environment != segment.environment.strip():
            self._on_blanks(fields["environment"][-1][1], segment)
        if not segment.is_control and not segment.commands:
            self._on_nothing_to_run(node, fields)
        self._on_texts(segment, fields)
        self._on_times(segment, fields)

    def _on_times(self, segment: Segment, fields: Fields) -> None:
        for key, seconds, least in (("timeout", segment.timeout, 0.001), ("retry-delay", segment.retry_delay, 0.0)):
            if key in fields and seconds is not None and not least <= seconds <= _LONGEST:
                self._report.error(
                    fields[key][-1][1],
                    f"`{key}` must be {'more than 0 and' if least else ''} at most 366 days".replace("  ", " "),
                    "Write for example 90s, 15m, 3h or 1d.",
                )

    def _on_type(self, node: Node) -> None:
        text = str(node.value) if isinstance(node, ScalarEvent) else ""
        if not text or text.lower() in _TYPES or text in ("~", "null", "Null", "NULL"):
            return
        meant = near(text, _TYPES)
        cure = f"Did you mean `{meant}`?" if meant else "The types are normal, pause, stop and force."
        self._report.warning(node, f"`{text}` is no type of a segment; it runs as a normal one", cure)

    def _on_blanks(self, node: Node, segment: Segment) -> None:
        self._report.warning(
            node,
            f"`{segment.environment}` has blanks around it, and is taken with them as a conda environment's name",
            f"Write `{segment.environment.strip()}` without them. (The segment then counts as changed.)",
        )

    def _on_nothing_to_run(self, node: MapNode, fields: Fields) -> None:
        place = fields["commands"][-1][0] if "commands" in fields else node
        self._report.error(
            place,
            "the segment has no `commands`, so there is nothing to run",
            "Write `commands:` and below it one argument per line, each after `- `; or give it `type: pause`, `stop` "
            "or `force`.",
        )

    def _on_texts(self, segment: Segment, fields: Fields) -> None:
        names = ((f"env.{name}", name) for name, _ in segment.env)
        for key, text in (*texts_of(segment, flags=True), *names) if self._has_odd_texts else ():
            if key.partition(".")[0] not in _REACHING:
                continue
            if text.startswith("./"):
                self._relative.append(segment.marks[key])
            if odd := in_text(text):
                place, sign = odd
                self._report.warning(
                    segment.marks[key],
                    f"sign {place + 1} of this text is {named(sign)}",
                    "It is passed on as it stands; if that is wrong, type the text anew.",
                )
            if _BROKEN_PATH.match(text):
                self._report.warning(
                    segment.marks[key],
                    "in double quotes a backslash with a letter is a sign of its own, such as a line break for `\\n`",
                    "Put the path in single quotes, where a backslash is just a backslash.",
                )
            if "\0" in text:
                mark = segment.marks[key]
                self._report.error(mark, "an argument cannot contain the character NUL", "Delete the `\\0` in it.")
        for position, entry in enumerate(segment.commands):
            if isinstance(entry, FlagMap):
                for flag, value in entry.items:
                    if isinstance(value, list | dict):
                        self._on_list_value(flag, value, _command_node(fields, position))

    def _on_list_value(self, name: str, value: Value, node: Node) -> None:
        if isinstance(node, MapNode):
            node = next((v for k, v in node.pairs() if isinstance(k, ScalarEvent) and k.value == name), node)
        kind = "list" if isinstance(value, list) else "map"
        items = [f"- {quoted(go_text(item))}" for item in value] if isinstance(value, list) else []
        several = "\n".join(["To be clear to every reader, write one argument per line:", f"- {name}", *items])
        becomes = f"the one argument `{go_text(value)}`" if kind == "map" else "one argument per element"
        self._report.warning(
            node,
            f"`{name}` has a {kind} as its value, which becomes {becomes}",
            several if kind == "list" else "Write the value as text, in quotes.",
        )

    def finish(self) -> None:
        """One warning a file for all paths written as ./x."""
        if not self._relative:
            return
        further = len(self._relative) - 1
        more = f" (and {further} more in this file)" if further else ""
        self._report.warning(
            self._relative[0],
            f"paths that begin with `./` are deprecated{more}: .py, .ijm and .exe are looked for in the repository, "
            "everything else beside this file",
            "Write '%REPO%/...' for a program and '%YAML%/...' for data.",
        )


def _command_node(fields: Fields, position: int) -> Node:
    node = fields["commands"][-1][1]
    return node.items[position] if isinstance(node, ListNode) else node
