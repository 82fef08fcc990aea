"""Pieces of a page: text that is safe in it, tables, parts that are folded away."""

from __future__ import annotations

import html
from collections.abc import Container, Sequence


def text(value: object) -> str:
    """As it is read, whatever signs it has."""
    return html.escape(str(value))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Container[int] = (), name: str = "") -> str:
    """`rows` hold HTML; `numbers` are the columns that stand to the right."""
    cells = "".join(f"<th{_class(n, numbers)}>{text(title)}</th>" for n, title in enumerate(head))
    lines = "\n".join(
        f"<tr>{''.join(_cell(cell, n, head, numbers) for n, cell in enumerate(row))}</tr>" for row in rows
    )
    of = f' class="{name}"' if name else ""
    return f"<table{of}>\n<thead><tr>{cells}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>"


def _cell(cell: str, place: int, head: Sequence[str], numbers: Container[int]) -> str:
    return f'<td{_class(place, numbers)} data-name="{text(head[place])}">{cell}</td>'


def _class(place: int, numbers: Container[int]) -> str:
    return ' class="number"' if place in numbers else ""


def details(title: str, inside: str) -> str:
    """Folded away; on paper it is open."""
    return f"<details><summary>{text(title)}</summary>{inside}</details>"


def mark(word: str, *, good: bool) -> str:
    """A word that catches the eye."""
    return f'<span class="mark {"good" if good else "bad"}">{text(word)}</span>'
