"""`foreach`, `matrix` and what goes with them -> `Many`: the command runs once for each item."""

from __future__ import annotations

import re

from yaml.events import ScalarEvent

from runner.go.text import go_text
from runner.ground.patterns import MAGIC
from runner.model import Foreach, Many, Value
from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.problems import checked, describe
from runner.pipeline.report import Report, quoted
from runner.pipeline.schema import segment_schema
from runner.pipeline.values import Fields, fields_of, value_of

MANY_KEYS = ("foreach", "matrix", "batch", "max-failures", "identity", "canary")

_FOREACH_CURE = (
    "Write a pattern such as '%YAML%/input/**/*.tif', a list of values, {csv: plates.csv}, or {range: 10} for 0 to 9."
)
_MATRIX_CURE = "Write for example matrix: {sigma: [1, 2], method: [otsu, li]}."
_BRACES = re.compile(r"\{[^{}]*\}")
_PARAMETER = re.compile(r"[\w-]+")


def read_many(fields: Fields, report: Report) -> Many | None:
    """None where the segment has neither `foreach` nor `matrix`, or where one of them is wrong."""
    nodes = {key: fields[key][-1][1] for key in MANY_KEYS if key in fields}
    # of a list or a map only that it is one: each part is read, and what is wrong in it told, once
    values: dict[str, Value] = {
        key: value_of(node, report) if isinstance(node, ScalarEvent) else [] for key, node in nodes.items()
    }
    if "foreach" not in nodes and "matrix" not in nodes:
        for key, node in nodes.items():
            if values[key] is not None:
                report.error(
                    fields[key][-1][0] if isinstance(node, ListNode | MapNode) else node,
                    f"`{key}` means something only with `foreach` or `matrix`",
                    f"Delete it, or say with `foreach` what the segment goes over. {_FOREACH_CURE}",
                )
        return None
    foreach = _foreach(nodes["foreach"], values["foreach"], report) if "foreach" in nodes else None
    matrix = _matrix(nodes["matrix"], report) if "matrix" in nodes else ()
    batch, most, identity, canary = (
        checked(key, values[key], nodes[key], segment_schema(key), report) if key in nodes else None
        for key in MANY_KEYS[2:]
    )
    if matrix is None or ("foreach" in nodes and foreach is None):
        return None
    percent = isinstance(most, str) and "%" in most
    most = None if most is None else float(str(most).replace("%", ""))
    return Many(foreach, matrix, batch or 1, most, percent, identity == "content", canary is True)


def _foreach(node: Node, value: Value, report: Report) -> Foreach | None:
    if isinstance(node, ListNode):
        return _of_list(node, report)
    if isinstance(node, MapNode):
        return _of_map(node, report)
    if isinstance(value, str) and value.strip() and not value.strip().isdigit():
        return _of_text(node, value, report)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        cure = f"Write {{range: {value}}} for the numbers 0 to {value - 1}, or [{value}] for this one value."
        report.error(node, f"`foreach` is the number {value} alone", cure)
        return None
    report.error(node, f"`foreach` must say what to go over; this is {describe(node)}", _FOREACH_CURE)
    return None


def _of_text(node: Node, text: str, report: Report) -> Foreach | None:
    lines = text.strip().splitlines()
    if len(lines) > 1:
        cure = f"Write a list, or one pattern on one line: [{', '.join(map(quoted, map(str.strip, lines[:2])))}, …]."
        report.error(node, "`foreach` is a text of several lines, which is no pattern", cure)
        return None
    if braces := _BRACES.search(text):
        cure = f"Write `*` in its place: {quoted(_BRACES.sub('*', text.strip()))}."
        report.warning(node, f"`{braces[0]}` means nothing in a pattern: it stands for these very signs", cure)
    if not MAGIC.search(text) and text.lower().rstrip().endswith((".csv", ".tsv")):
        report.warning(
            node, f"this goes over one file, {text} itself", f"For its lines write {{csv: {quoted(text.strip())}}}."
        )
    return Foreach(pattern=text)


def _of_list(node: ListNode, report: Report) -> Foreach | None:
    values = _scalars(node, "foreach", report)
    if values is None:
        return None
    for item, text in zip(node.items, values, strict=True):
        if MAGIC.search(text) and re.search(r"[\\/]|\.\w+$", text):
            cure = "For the files that match write the pattern alone, without a list (`**` goes through folders)."
            report.warning(item, f"`{text}` is taken as it stands: a list holds values, and no patterns", cure)
            break
    return Foreach(values=values)


def _of_map(node: MapNode, report: Report) -> Foreach | None:
    given = fields_of(node, report)
    for name, occurrences in given.items():
        if name not in ("csv", "range"):
            meant = near(name, ("csv", "range"))
            cure = f"Did you mean `{meant}`?" if meant else _FOREACH_CURE
            report.error(occurrences[-1][0], f"`{name}` is no key of `foreach`", cure)
            return None
    if len(given) != 1:
        what = "holds both `csv` and `range`" if given else "is an empty map"
        report.error(node, f"`foreach` {what}", f"Write one of them. {_FOREACH_CURE}")
        return None
    ((name, occurrences),) = given.items()
    inner = occurrences[-1][1]
    value = checked(name, value_of(inner, report), inner, segment_schema("foreach", name), report)
    return None if value is None else Foreach(csv=value) if name == "csv" else Foreach(count=value)


def _scalars(node: ListNode, key: str, report: Report) -> tuple[str, ...] | None:
    """The values of a list as text, spelled as in `commands`; None with an error where one is none or comes again."""
    texts: dict[str, Node] = {}
    wrong = not node.items
    if wrong:
        report.error(node, f"`{key}` is an empty list: there is nothing to go over", "Write its values, or delete it.")
    for item in node.items:
        value = value_of(item, report)
        text = go_text(value)
        if value is None or isinstance(value, list | dict) or not text.strip():
            wrong = True
            report.error(
                item, f"a value of `{key}` must be a text or a number; this is {describe(item)}", _no_map(item)
            )
        elif text in texts:
            wrong = True
            report.error(
                item, f"`{text}` is given twice in `{key}`, and would write over its own results", "Delete one."
            )
        else:
            texts[text] = item
    return None if wrong else tuple(texts)


def _no_map(node: Node) -> str:
    if isinstance(node, MapNode):
        return "For values that belong together write them into a file: foreach: {csv: plates.csv}."
    return "Write it as text, in quotes if need be."


def _matrix(node: Node, report: Report) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    given = fields_of(node, report) if isinstance(node, MapNode) else {}
    if not given:
        report.error(node, f"`matrix` must hold parameters with their values; this is {_shown(node)}", _MATRIX_CURE)
        return None
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, occurrences in given.items():
        key, values = occurrences[-1]
        if name in ("include", "exclude"):
            cure = "Write the combinations that you want into a file, a column for each: foreach: {csv: runs.csv}."
            report.error(key, f"`matrix` knows no `{name}`: each value is combined with each", cure)
        elif not _PARAMETER.fullmatch(name):
            cure = "A name has letters, digits, `_` and `-`, because it becomes part of a folder's name."
            report.error(key, f"`{name}` cannot be the name of a parameter", cure)
        elif not isinstance(values, ListNode):
            example = describe(values).strip("`") if not isinstance(values, MapNode) else "1, 2"
            cure = f"Write {name}: [{example if example != 'empty' else '1, 2'}]."
            report.error(values, f"the values of `{name}` must be a list; this is {describe(values)}", cure)
        elif (texts := _scalars(values, name, report)) is not None:
            found.append((name, texts))
    return tuple(found) if len(found) == len(given) else None


def _shown(node: Node) -> str:
    return "an empty map" if isinstance(node, MapNode) else describe(node)
