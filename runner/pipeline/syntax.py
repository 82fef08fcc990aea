"""What is no YAML at all, told so that a biologist can mend it.

A YAML parser stops at its first complaint. So once there is one, all lines are searched for the mistakes that people
make, each is mended in a copy, and what the copy then says is reported as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from runner.model import Mark
from runner.pipeline.nodes import Node, TooLargeError, compose
from runner.pipeline.report import Report

if TYPE_CHECKING:
    from runner.pipeline.mistakes import Mistake

_QUOTES = "Put the whole value in single quotes."
_INDENT = (
    "The keys of a segment stand in one column, below the first; so do the dashes of a list. Use blanks, not tabs."
)

_INDENTED = re.compile("mapping values are not allowed|did not find expected key|expected <block end>")

# What a parser says (libyaml | PyYAML), what it means, what to do; {line}: where the thing began
_MEANINGS = (
    (r"end of stream.*quoted|quoted.*end of stream", "the quote that opens here is never closed", "Close the quote."),
    (
        r"expected ',' or '[\]}]'",
        "the bracket that opens here is not closed, or a comma is missing in it",
        "Close the bracket, and put a comma between its entries.",
    ),
    (r"cannot start any token", "a value cannot begin with this character", _QUOTES),
    (r"tab character", "there is a tab in the indentation", "Use blanks: a tab cannot indent in YAML."),
    (
        r"unknown escape|hexdecimal|escape sequence|Unicode character escape",
        "a backslash has a meaning of its own in double quotes",
        "Put the value in single quotes, where a backslash is just a backslash.",
    ),
    (r"undefined alias", "`*` names an anchor (`&name`) that this file does not have before this line", _QUOTES),
    (r"alphabetic or numeric", "`*` and `&` at the beginning of a value have a meaning in YAML", _QUOTES),
    (
        r"mapping values are not allowed",
        "there is a `:` where no key can stand",
        "Put a value that contains `: ` in quotes. If this is a key: " + _INDENT,
    ),
    (
        r"block sequence entries are not allowed|sequence entries are not allowed",
        "a list cannot begin here",
        "Write the entries on lines of their own, below their key.",
    ),
    (r"could not find expected ':'", "there is no `:` behind this key", "Write `key: value`, or `- text` for a list."),
    (
        r"'-' indicator",
        "this line does not belong to the list above it",
        "Begin it with `- ` in the column of the other entries, or indent it as a key. " + _INDENT,
    ),
    (
        r"did not find expected key|expected <block end>",
        "this does not fit to what stands before it: the indentation is wrong, or something is too much on the line",
        _INDENT + " Write one argument per line.",
    ),
    (r"document start", "this line stands outside of everything above it", _INDENT),
    (r"node content", "something is missing here", "Write a value, or delete the comma or the dash."),
    (r"contains itself", "this value contains itself", "Name another anchor here."),
    (r"nested too deep", "lists and maps are nested too deep", "A pipeline file needs five levels at most."),
    (r"too large", "the aliases (`*name`) make this file too large", "Write fewer aliases of aliases."),
)


def compose_or_explain(text: str, report: Report) -> tuple[Node | None, bool]:
    """The root node, and whether it can be read further; syntax errors are reported."""
    try:
        return compose(text), True
    except yaml.YAMLError as error:
        if isinstance(error, TooLargeError):
            _explain(error, report)
            return None, False
        return _find_all(error, report)


def _find_all(error: yaml.YAMLError, report: Report) -> tuple[Node | None, bool]:
    from runner.pipeline.mistakes import find_mistakes

    mistakes = find_mistakes(list(report.lines))
    for mistake in mistakes:
        report.error(mistake.mark, mistake.message, mistake.cure)
    if not mistakes:
        _explain(error, report)
        return None, False
    try:
        root = compose(_mended(report.lines, mistakes))
    except yaml.YAMLError as further:
        if not _is_explained(further, mistakes):
            _explain(further, report)
        return None, False
    # where tabs were, the indentation is a guess, and so would be all else
    return root, all(mistake.certain for mistake in mistakes)


def _mended(lines: Any, mistakes: list[Mistake]) -> str:
    mended = list(lines)
    for mistake in mistakes:
        mended[mistake.mark.line - 1] = mistake.mended
    return "\n".join(mended)


def _is_explained(error: yaml.YAMLError, mistakes: list[Mistake]) -> bool:
    at = {mistake.mark.line for mistake in mistakes}
    if any(not mistake.certain for mistake in mistakes):
        return True
    marks = (getattr(error, "problem_mark", None), getattr(error, "context_mark", None))
    return marks[0] is not None and marks[0].line + 1 in at


def _explain(error: yaml.YAMLError, report: Report) -> None:
    problem = str(getattr(error, "problem", None) or error)
    context = str(getattr(error, "context", None) or "")
    mark: Any = getattr(error, "problem_mark", None)
    began: Any = getattr(error, "context_mark", None)
    if mark is not None and _INDENTED.search(problem) and _explain_indentation(mark.line, report):
        return
    for number, (pattern, message, cure) in enumerate(_MEANINGS):
        if re.search(pattern, f"{problem} {context}", re.DOTALL):
            # an open quote or bracket is best shown where it opens
            report.error(_mark(began if number < 2 and began else mark, report), message, cure)
            return
    report.error(_mark(mark, report), f"this is no valid YAML: {problem}")


def _explain_indentation(number: int, report: Report) -> bool:
    """Where the line is a key that we know, its column is what is wrong."""
    from runner.pipeline.mistakes import KNOWN_KEY

    line = report.lines[number] if number < len(report.lines) else ""
    match = KNOWN_KEY.match(line)
    if not match:
        return False
    column = len(line) - len(line.lstrip()) + 1
    report.error(
        Mark(number + 1, column, match.end() - column + 1),
        f"`{match['key']}` does not stand in the column of the keys above it",
        _INDENT,
    )
    return True


def _mark(mark: Any, report: Report) -> Mark | None:
    """A parser's mark; one behind the last line is put at the end of the last line with text."""
    if mark is None:
        return None
    line, column = mark.line, mark.column
    if line >= len(report.lines) or (line > 0 and line == len(report.lines) - 1 and not report.lines[line].strip()):
        line = max((i for i, text in enumerate(report.lines) if text.strip()), default=0)
        column = len(report.lines[line].rstrip()) if report.lines else 0
    return Mark(line + 1, column + 1)
