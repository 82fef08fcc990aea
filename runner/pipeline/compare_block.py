"""The key `compare:` of a pipeline file: what may stand in it, and what is wrong with what does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml.events import ScalarEvent

from runner.errors import PipelineError
from runner.model import Severity
from runner.pipeline.near import near
from runner.pipeline.nodes import ListNode, MapNode, Node
from runner.pipeline.report import Report
from runner.pipeline.values import fields_of, value_of

LIMITS = {
    "image": ("max", "p99.9", "rmse", "psnr", "ssim"),
    "labels": ("pq", "iou", "dice", "cl-dice", "mean-iou"),
    "table": ("rtol", "atol", "keys", "columns", "ignore-columns"),
}
LISTS = ("ignore", "labels-files", "images-files")
KEYS = (*LIMITS, *LISTS, "noise-factor")
NAMES = ("keys", "ignore-columns")  # of columns
COLUMN = ("rtol", "atol")
_UP_TO_ONE = ("ssim", *LIMITS["labels"])


@dataclass(frozen=True)
class Problem:
    """What is wrong at the place that `path` leads to: a key, or with `at_value` what it holds."""

    path: tuple[Any, ...]
    message: str
    cure: str
    at_value: bool = False


def problems(block: Any) -> Iterator[Problem]:
    """What is wrong with the plain value of `compare`."""
    if block is None:
        return
    if not isinstance(block, dict):
        yield Problem((), "`compare` must hold keys with their limits", f"It may hold: {', '.join(KEYS)}.", True)
        return
    for key, value in block.items():
        if key not in KEYS:
            yield _unknown((key,), "key of `compare`", KEYS)
        elif key in LIMITS:
            yield from _of_limits(key, value)
        elif key == "noise-factor":
            yield from _of_number((key,), value)
        elif not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            yield Problem((key,), f"`{key}` must be a list of patterns", f"Write for example {key}: ['*.log'].", True)


def _of_limits(key: str, block: Any) -> Iterator[Problem]:
    if not isinstance(block, dict):
        cure = f"It may hold: {', '.join(LIMITS[key])}."
        yield Problem((key,), f"`{key}` must hold limits with their values", cure, True)
        return
    for name, value in block.items():
        path = (key, name)
        if str(name) not in LIMITS[key]:
            yield _unknown(path, f"limit of `{key}`", LIMITS[key])
        elif name in NAMES:
            given = value if isinstance(value, list) else [value]
            if any(one is None or isinstance(one, dict | list) for one in given):
                cure = f"Write for example {name}: [{'image, label' if name == 'keys' else 'created'}]."
                yield Problem(path, f"`{name}` must be names of columns", cure, True)
        elif name == "columns":
            yield from _of_columns(path, value)
        else:
            yield from _of_number(path, value)


def _of_columns(path: tuple[Any, ...], columns: Any) -> Iterator[Problem]:
    cure = "Write for example columns: {area_px: {atol: 2}}."
    if not isinstance(columns, dict):
        yield Problem(path, "`columns` must hold the names of columns, each with its own tolerance", cure, True)
        return
    for column, given in columns.items():
        if not isinstance(given, dict):
            yield Problem((*path, column), f"the column `{column}` must hold rtol or atol", cure, True)
            continue
        for name, value in given.items():
            if name in COLUMN:
                yield from _of_number((*path, column, name), value)
            else:
                yield _unknown((*path, column, name), "tolerance of a column", COLUMN)


def _unknown(path: tuple[Any, ...], what: str, known: tuple[str, ...]) -> Problem:
    meant = near(str(path[-1]), known)
    cure = f"Did you mean `{meant}`?" if meant else f"It may be: {', '.join(known)}."
    return Problem(path, f"`{path[-1]}` is no {what}", cure)


def _of_number(path: tuple[Any, ...], value: Any) -> Iterator[Problem]:
    most = 1.0 if path[-1] in _UP_TO_ONE else None
    number = number_of(value)
    if number is None or not number >= 0 or (most is not None and number > most):
        wanted = "a number from 0 to 1" if most else "a number of at least 0"
        shown = "empty" if value is None else repr(value)
        yield Problem(path, f"`{path[-1]}` is {shown}; it must be {wanted}", f"Write {wanted}, or leave it out.", True)


def number_of(value: Any) -> float | None:
    """The number that is written there, also in quotes; None for anything else."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def warn_of_block(node: Node, report: Report) -> None:
    """A run takes no notice of `compare`; but whoever checks the file wants to know what is wrong there."""
    for problem in problems(_plain(node, report)):
        report.warning(_place(node, problem), problem.message, problem.cure)


def _plain(node: Node, report: Report) -> Any:
    """The value, with names as they are written: nothing here is true or false, and `y` is a column."""
    if isinstance(node, MapNode):
        return {name: _plain(found[-1][1], report) for name, found in fields_of(node, report).items()}
    if isinstance(node, ListNode):
        return [_plain(one, report) for one in node.items]
    value = value_of(node, report)
    return node.value if isinstance(value, bool) else value


def read_block(path: Path) -> Mapping[str, Any]:
    """What stands under `compare` in the file at `path`; empty where no YAML can be read. Raises PipelineError."""
    from runner.ground.plain import read_plain
    from runner.pipeline.syntax import compose_or_explain
    from runner.pipeline.text import decode

    report = Report(path)
    try:
        text = decode(read_plain(path), report)
    except OSError:
        return {}  # whoever reads the whole pipeline tells it better
    root, readable = compose_or_explain(text, report) if text is not None else (None, False)
    fields = fields_of(root, report) if readable and isinstance(root, MapNode) else {}
    if "compare" not in fields or report.errors:
        return {}
    node = fields["compare"][-1][1]
    block = _plain(node, report)
    for problem in problems(block):
        report.error(_place(node, problem), problem.message, problem.cure)
    if report.errors:
        found = [one for one in report.in_order() if one.severity is Severity.ERROR]
        raise PipelineError(f"`compare` of {path.name} cannot be used; nothing was run", found)
    return {str(key): value for key, value in block.items()} if isinstance(block, dict) else {}


def _place(node: Node, problem: Problem) -> Node:
    """The node at the problem's path, or the last one on the way that is written in this place."""
    for depth, name in enumerate(problem.path):
        pair = next((p for p in reversed(_pairs(node)) if p[0].value == str(name)), None)
        if pair is None:
            return node
        last = depth == len(problem.path) - 1
        node = pair[0] if last and not problem.at_value else pair[1]
    return node


def _pairs(node: Node) -> list[tuple[ScalarEvent, Node]]:
    pairs = node.pairs() if isinstance(node, MapNode) else []
    return [(key, value) for key, value in pairs if isinstance(key, ScalarEvent)]
