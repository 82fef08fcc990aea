"""The pages of the documentation, taken apart: code blocks, tables, links, commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted([REPO / "README.md", REPO / "CHANGELOG.md", *(REPO / "docs").glob("*.md")])

_BLOCK = re.compile(
    r"^(?:<!-- (?:yaml: (?P<note>\w+)|not run: (?P<not_run>[^\n]+)|(?P<may_fail>ends with 0 or 1): [^\n]+) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# how the runner is started, on each system
STARTS = re.compile(r"(?:uv run )?(?:\.venv[/\\](?:bin|Scripts)[/\\])?run-pipeline(?:\.exe)?\s|python3? -m runner\s")


@dataclass(frozen=True)
class Block:
    """A fenced code block, with the comment before it.

    `<!-- yaml: keys -->` says what it is a part of, `<!-- not run: REASON -->` why the tests do not run its commands,
    and `<!-- ends with 0 or 1: REASON -->` that their exit code is this computer's.
    """

    page: Path
    line: int
    language: str
    text: str
    note: str
    not_run: str = ""
    may_fail: bool = False

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def name(page: Path) -> str:
    return page.relative_to(REPO).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(language: str = "") -> list[Block]:
    """The code blocks of all pages."""
    found = []
    for page in PAGES:
        text = text_of(page)
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if language in ("", match["language"]):
                note, not_run, may_fail = match["note"] or "", match["not_run"] or "", bool(match["may_fail"])
                found.append(Block(page, line, match["language"], match["text"], note, not_run, may_fail))
    return found


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return _BLOCK.sub("", text_of(page))


def spans(text: str) -> list[str]:
    """What stands between backticks."""
    return _SPAN.findall(text)


def commands() -> Iterator[tuple[str, str]]:
    """Where, and each line or span that starts the runner, without the comment behind it."""
    for block in blocks():
        if block.language in ("sh", "powershell", "bat"):
            for line in block.text.splitlines():
                if start := STARTS.search(line):
                    yield str(block), line[start.end() :].split("  #")[0].split(" || ")[0]
    for page in PAGES:
        for span in spans(prose(page)):
            if start := STARTS.match(span):
                yield page.name, re.split(r" >>? ", span[start.end() :])[0]


def rows(page: Path, heading: str = "") -> list[list[str]]:
    """The cells of the tables below `heading` (the whole page without one), head rows left out."""
    text = prose(page)
    if heading:
        _, found, text = text.partition(f"\n{heading}\n")
        assert found, f"{page.name} has no heading {heading!r}"
        text = re.split(r"^#{1,3} ", text, maxsplit=1, flags=re.MULTILINE)[0]
    lines = text.splitlines()
    out = []
    for number, line in enumerate(lines):
        is_head = number + 1 < len(lines) and lines[number + 1].startswith("|--")
        if line.startswith("|") and not line.startswith("|--") and not is_head:
            out.append([cell.strip() for cell in line.strip("|").split("|")])
    return out
