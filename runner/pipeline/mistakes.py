"""The mistakes that people make in YAML, found line by line; only asked once the parser has refused a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from runner.model import Mark
from runner.pipeline.remarks import KEYS
from runner.pipeline.report import quoted
from runner.pipeline.signs import in_structure, named


@dataclass(frozen=True)
class Mistake:
    mark: Mark
    message: str
    cure: str
    mended: str  # the whole line as it was probably meant
    certain: bool = True  # the mended line is surely what was meant


@dataclass(frozen=True)
class Line:
    """A line in its parts: `- ` and `key: ` before the value."""

    number: int  # from 1
    text: str
    start: int  # where the value begins
    value: str  # without the comment behind it

    def wrong(self, message: str, cure: str, value: str, offset: int = 0, length: int | None = None) -> Mistake:
        """`value`: what was probably meant; what is wrong begins at `offset` of what stands there."""
        mark = Mark(self.number, self.start + offset + 1, max(1, len(self.value) if length is None else length))
        mended = self.text[: self.start] + value + self.text[self.start + len(self.value) :]
        return Mistake(mark, message, cure, mended)


_DASHES = re.compile(r" *(?:-[ ]+)*")
_KEY = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"\[\]{}#,&*!|>%@`][^'\"\[\]{}#]*?)[ ]*:(?:[ \t]+|$)")
_COMMENT = re.compile(r"\s+#.*|\s+$")
_TAB = re.compile(r"[ ]*\t[ \t]*(?=[^\s#])")
_SINGLE = re.compile(r"'(?:[^']|'')*'")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\.)*"')
_BLOCK = re.compile(r"[|>][-+0-9]*")
_KNOWN = "|".join(map(re.escape, ("run", *KEYS)))
KNOWN_KEY = re.compile(rf" *(?:- +)?(?P<key>{_KNOWN}):(?=\s|$)")
_NO_BLANK_BEHIND_COLON = re.compile(rf"(?P<before> *(?:- +)?(?:{_KNOWN}):)(?P<rest>[^\s:].*)")
_NO_BLANK_BEHIND_DASH = re.compile(rf"(?P<before> *-)(?P<rest>(?:{_KNOWN}):(?:\s.*)?)")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_GOOD_ESCAPES = frozenset('0abt\tnvfe "/\\N_LP')
_ALIAS = re.compile(r"\*[\w-]+")


def find_mistakes(lines: list[str]) -> list[Mistake]:
    """At most one mistake a line; block scalars and comments are left alone."""
    found = []
    for line in _lines(lines):
        for check in _CHECKS:
            if mistake := check(line, lines):
                found.append(mistake)
                break
    return found


def _lines(lines: list[str]) -> Iterator[Line]:
    block_indent = -1  # of the line that opened a block scalar
    for number, text in enumerate(lines, 1):
        bare = text.strip()
        if not bare or bare.startswith("#"):
            continue
        indent = len(text) - len(text.lstrip(" "))
        if block_indent >= 0 and indent > block_indent:
            continue
        if number > 1 and text.startswith(("---", "...")):
            return  # only the first document counts
        line = _split(number, text)
        block_indent = indent if _BLOCK.fullmatch(line.value) else -1
        yield line


def _split(number: int, text: str) -> Line:
    dashes = _DASHES.match(text)
    start = dashes.end() if dashes else 0
    if key := _KEY.match(text, start):
        start = key.end()
    value = text[start:]
    if not value.startswith(("'", '"')):
        value = _COMMENT.sub("", value, count=1)
    return Line(number, text, start, value.rstrip())


def _odd_sign(line: Line, lines: list[str]) -> Mistake | None:
    found = in_structure(line.text)
    if found is None:
        return None
    place, mended = found
    sign = line.text[place]
    return Mistake(Mark(line.number, place + 1), f"here stands {named(sign)}", f"Write `{mended.strip()}`.", mended)


def _tab(line: Line, lines: list[str]) -> Mistake | None:
    match = _TAB.match(line.text)
    if not match:
        return None
    before = next((text for text in reversed(lines[: line.number - 1]) if text.strip()), "")
    dashes = _DASHES.match(before.expandtabs(2))
    column = line.text.index("\t")
    return Mistake(
        Mark(line.number, column + 1, match.end() - column),
        "there is a tab in the indentation",
        "Use blanks: a tab cannot indent in YAML. (Most editors can replace all tabs at once.)",
        " " * (dashes.end() if dashes else 0) + line.text[match.end() :],
        certain=False,
    )


def _no_blank(line: Line, lines: list[str]) -> Mistake | None:
    if match := _NO_BLANK_BEHIND_DASH.fullmatch(line.text.rstrip()):
        sign, place = "-", match.end("before")
    elif match := _NO_BLANK_BEHIND_COLON.fullmatch(line.text.rstrip()):
        sign, place = ":", match.end("before")
    else:
        return None
    mended = f"{match['before']} {match['rest']}"
    return Mistake(
        Mark(line.number, place), f"a blank is missing behind `{sign}`", f"Write `{mended.strip()}`.", mended
    )


def _special_first(line: Line, lines: list[str]) -> Mistake | None:
    first = line.value[:1]
    if first not in ("%", "@", "`", "*") or not first or (first == "*" and _ALIAS.fullmatch(line.value)):
        return None
    mended = quoted(line.value)
    return line.wrong(f"a value that begins with `{first}` must stand in quotes", f"Write {mended}", mended)


def _escape(line: Line, lines: list[str]) -> Mistake | None:
    if not line.value.startswith('"'):
        return None
    mended = quoted(line.value.strip('"'))
    cure = f"Put it in single quotes, where a backslash is just a backslash: {mended}"
    closed = _DOUBLE.match(line.value)
    if not closed and line.value.endswith('\\"') and line.value.count('"') == 2:
        message = "the backslash before the last quote keeps the text open"
        return line.wrong(message, cure, mended, len(line.value) - 2, 2)
    for match in _ESCAPE.finditer(closed[0] if closed else line.value):
        if len(match[1]) == 1 and match[1] not in _GOOD_ESCAPES:
            message = f"`{match[0]}` means nothing in double quotes, where a backslash begins a special character"
            return line.wrong(message, cure, mended, match.start(), 2)
    return None


def _quote_not_closed(line: Line, lines: list[str]) -> Mistake | None:
    quote = line.value[:1]
    if quote not in ("'", '"') or not quote or (_SINGLE if quote == "'" else _DOUBLE).match(line.value):
        return None
    after = next((text for text in lines[line.number :] if text.strip()), "")
    next_line = _split(line.number + 1, after)
    if after and next_line.start == len(after) - len(after.lstrip()):
        return None  # the text goes on in the next line
    cure = f"Close it at the end of the value: {line.value}{quote}"
    return line.wrong("the quote that opens here is not closed on this line", cure, line.value + quote, 0, 1)


def _two_values(line: Line, lines: list[str]) -> Mistake | None:
    quote = line.value[:1]
    pattern = {"'": _SINGLE, '"': _DOUBLE}.get(quote)
    closed = pattern.match(line.value) if pattern else None
    if not closed:
        return None
    rest = line.value[closed.end() :]
    if not rest.strip() or rest.lstrip()[0] in ":#,]}":
        return None
    if rest[0] not in " \t":
        inner = line.value[1:-1] if line.value.endswith(quote) else line.value[1:]
        cure = "Write '' for a quote inside single quotes" + (f": {quoted(inner)}" if quote == "'" else ".")
        message = "the text ends at this quote, but goes on behind it"
        return line.wrong(message, cure, quoted(inner), closed.end() - 1, 1)
    second = rest.split("  #")[0].split(" #")[0].strip()
    offset = closed.end() + len(rest) - len(rest.lstrip())
    flag = line.text[: line.start].strip().removeprefix("- ").rstrip(": ").strip()
    parts = [part for part in (flag, closed[0], second) if part]
    cure = "\n".join(["Write one argument per line:", *(f"- {part}" for part in parts)])
    return line.wrong("two values on one line", cure, closed[0], offset, len(second))


def _second_colon(line: Line, lines: list[str]) -> Mistake | None:
    has_key = line.text[: line.start].rstrip().endswith(":")
    if not has_key or not line.value or line.value[0] in "'\"[{|>&*!%@`":
        return None
    match = re.search(r":(?=\s|$)", line.value)
    if not match:
        return None
    mended = quoted(line.value)
    message = "a value that contains `: ` must stand in quotes"
    return line.wrong(message, f"Write {mended}", mended, match.start(), 1)


_CHECKS: tuple[Callable[[Line, list[str]], Mistake | None], ...] = (
    _odd_sign,
    _tab,
    _no_blank,
    _special_first,
    _escape,
    _quote_not_closed,
    _two_values,
    _second_colon,
)
