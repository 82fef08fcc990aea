"""A diagnostic as lines of plain text: `file.yaml:7:5: error: …`, the line of the file, a caret, the cure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from runner.model import Diagnostic, Mark

_WIDEST = 160  # of an excerpt; longer lines are cut around the caret
_BEFORE = 60  # kept before the caret in a cut line


def alike(diagnostics: Iterable[Diagnostic]) -> list[list[Diagnostic]]:
    """Those that say the same of several places together, in the order of the first of each."""
    groups: dict[tuple[object, ...], list[Diagnostic]] = {}
    for one in diagnostics:
        groups.setdefault((one.severity, one.message, one.cure, one.file), []).append(one)
    return list(groups.values())


def render(diagnostic: Diagnostic, others: Sequence[Diagnostic] = ()) -> list[str]:
    """The lines to show, without colour; `others` say the same of other places."""
    lines = [f"{_place(diagnostic)}{diagnostic.severity.value}: {diagnostic.message}"]
    if diagnostic.mark and diagnostic.excerpt.strip():
        lines += _excerpt(diagnostic.excerpt, diagnostic.mark)
    if numbers := [str(other.mark.line) for other in others if other.mark]:
        lines.append(f"  The same in line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}.")
    if diagnostic.cure:
        lines += [f"  {line}" for line in diagnostic.cure.splitlines()]
    return lines


def _place(diagnostic: Diagnostic) -> str:
    file = diagnostic.file.name if diagnostic.file else ""
    if diagnostic.mark:
        return f"{file}:{diagnostic.mark.line}:{diagnostic.mark.column}: "
    return f"{file}: " if file else ""


def _excerpt(line: str, mark: Mark) -> list[str]:
    start = min(mark.column - 1, len(line))
    end = min(start + max(1, mark.length), max(len(line.rstrip()), start + 1))
    cut_left = start - _BEFORE if len(line) > _WIDEST and start > _BEFORE else 0
    shown = line[cut_left : cut_left + _WIDEST].rstrip()
    left = "..." if cut_left else ""
    right = "..." if len(line.rstrip()) > cut_left + _WIDEST else ""
    end = min(end, cut_left + _WIDEST)
    before = left + "".join(map(_blank, line[cut_left:start]))
    carets = "^" * max(1, sum(_width(character) for character in line[start:end]))
    return ["  | " + left + "".join(map(_visible, shown)) + right, "  | " + before.replace(".", " ") + carets]


def _blank(character: str) -> str:
    """Blanks as wide as `character` is on a terminal; a tab stays one, so that the caret moves with it."""
    return "\t" if character == "\t" else " " * _width(character)


def _visible(character: str) -> str:
    """Nothing of a file may move the cursor or change colours."""
    return character if character == "\t" or unicodedata.category(character)[0] != "C" else "\ufffd"


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
