"""Gathers what is to be said about one file, each remark with its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from runner.model import Diagnostic, Mark, Severity


class Report:
    """The remarks on one file, in the order in which they were found; each at a mark, at a node, or at no place."""

    def __init__(self, file: PurePath, lines: Sequence[str] = ()) -> None:
        self.file = file
        self.lines = lines
        self.segment: int | None = None  # the number of the one that is looked at
        self.found: list[Diagnostic] = []
        self.error_count = 0

    def error(self, place: Any, message: str, cure: str = "") -> None:
        self.error_count += 1
        self._add(Severity.ERROR, place, message, cure)

    def warning(self, place: Any, message: str, cure: str = "") -> None:
        self._add(Severity.WARNING, place, message, cure)

    def _add(self, severity: Severity, place: Any, message: str, cure: str) -> None:
        mark = place if place is None or isinstance(place, Mark) else mark_of(place)
        excerpt = self.lines[mark.line - 1] if mark and 0 < mark.line <= len(self.lines) else ""
        self.found.append(Diagnostic(severity, message, cure, self.file, mark, excerpt, self.segment))

    @property
    def errors(self) -> list[Diagnostic]:
        return [one for one in self.found if one.severity is Severity.ERROR]

    def in_order(self) -> list[Diagnostic]:
        """By their place in the file."""
        return sorted(self.found, key=lambda one: (one.mark.line, one.mark.column) if one.mark else (0, 0))


def quoted(text: str) -> str:
    """`text` in YAML's single quotes."""
    return "'" + text.replace("'", "''") + "'"


def mark_of(node: Any) -> Mark:
    """Where a node stands; as long as the scalar is, on its first line."""
    start = node.start_mark
    end = getattr(node, "end_mark", start)
    length = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(1, length))
