"""Warnings for keys that have no effect: most of them are typing errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.report import Report
from runner.pipeline.schema import segment_schema
from runner.pipeline.signs import look_alike
from runner.pipeline.values import Fields

TOP_KEYS = ("run", "compare")
# The Go runner once kept its status in the pipeline file itself; such files are still about
STATUS_KEYS = frozenset({"last_processed", "code_version", "run_duration", "content_hash"})
# what other tools call keys of ours
_OTHER_NAMES = {
    **dict.fromkeys(("depends-on", "depends_on", "dependsOn", "after"), "needs"),
    **dict.fromkeys(("scatter", "items", "item", "loop"), "foreach"),
    **dict.fromkeys(("strategy", "parameters", "params"), "matrix"),
    **dict.fromkeys(("fail-fast", "failFast"), "max-failures"),
    **dict.fromkeys(("cpu", "cores", "threads", "mem", "gpu"), "resources"),
}


def warn_of_unknown_keys(fields: Fields, known: Iterable[str], report: Report) -> None:
    """For the keys of a segment."""
    known = tuple(known)
    for name, occurrences in fields.items():
        if name in _of_resources():
            tell = report.error if name == "modules" else report.warning  # without them the wrong program would run
            cure = f"Write it below `resources`, further to the right, or as `resources: {{{name}: ...}}`."
            tell(occurrences[-1][0], f"`{name}` belongs into `resources:` and has no effect here", cure)
        elif name not in known and name not in STATUS_KEYS:
            _warn(name, occurrences[-1][0], known, "segment", report)


def _of_resources() -> Collection[str]:
    found: dict[str, object] = segment_schema("resources")["properties"]
    return found


def warn_of_unknown_top_keys(fields: Fields, report: Report) -> None:
    """For the keys beside `run:`; one that holds an anchor (`defaults: &d`) is there for `*d`."""
    for name, occurrences in fields.items():
        key, value = occurrences[-1]
        if name not in TOP_KEYS and not _holds_anchor(value):
            _warn(name, key, TOP_KEYS, "pipeline file", report)


def _holds_anchor(node: Node) -> bool:
    if getattr(node, "anchor", None):
        return True
    return isinstance(node, ListNode | MapNode) and any(map(_holds_anchor, node.items))


def _warn(name: str, key: Node, known: Iterable[str], where: str, report: Report) -> None:
    known = tuple(known)
    meant = (where == "segment" and _OTHER_NAMES.get(name)) or near(name, known)
    if meant:
        odd = look_alike(name, meant)
        cure = f"Write `{meant}`: {odd}." if odd else f"Did you mean `{meant}`?"
    elif where == "segment":
        cure = "Known keys: " + ", ".join(known) + "."
    else:
        cure = ""
    report.warning(key, f"`{name}` is no key of a {where} and has no effect", cure)
