"""Gathers what is to be said about one file, each remark with its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from runner.model import Diagnostic, Mark, Severity


class Report:
    """The remarks on one file, in the order in which they were found."""

    def __init__(self, file: PurePath, lines: Sequence[str]) -> None:
        self.file = file
        self.lines = lines
        self.found: list[Diagnostic] = []
        self.error_count = 0

    def error(self, mark: Mark | None, message: str, cure: str = "", segment: int | None = None) -> None:
        self._add(Severity.ERROR, mark, message, cure, segment)

    def warning(self, mark: Mark | None, message: str, cure: str = "", segment: int | None = None) -> None:
        self._add(Severity.WARNING, mark, message, cure, segment)

    def _add(self, severity: Severity, mark: Mark | None, message: str, cure: str, segment: int | None) -> None:
        self.error_count += severity is Severity.ERROR
        excerpt = self.lines[mark.line - 1] if mark and 0 < mark.line <= len(self.lines) else ""
        self.found.append(Diagnostic(severity, message, cure, self.file, mark, excerpt, segment))

    @property
    def errors(self) -> list[Diagnostic]:
        return [one for one in self.found if one.severity is Severity.ERROR]

    def in_order(self) -> list[Diagnostic]:
        """By their place in the file."""
        return sorted(self.found, key=lambda one: (one.mark.line, one.mark.column) if one.mark else (0, 0))


def mark_of(node: Any) -> Mark:
    """Where a node stands; as long as the scalar is, on its first line."""
    start = node.start_mark
    end = getattr(node, "end_mark", start)
    length = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(1, length))


class SegmentReport:
    """The remarks on one segment, each at a node."""

    def __init__(self, report: Report, number: int) -> None:
        self.report = report
        self._number = number

    def error(self, node: Any, message: str, cure: str = "") -> None:
        self.report.error(mark_of(node), message, cure, self._number)

    def warning(self, node: Any, message: str, cure: str = "") -> None:
        self.report.warning(mark_of(node), message, cure, self._number)
