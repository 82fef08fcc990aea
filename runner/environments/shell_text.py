"""A value put into a line that its user wrote for a shell: one text to the shell, whatever signs are in it.

What cannot be told for sure (a here-document, say, or a program in another language within quotes) takes plain
values only: the others are refused, since they could run as something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from runner.environments.quoting import in_quotes_cmd, quote_cmd, quote_posix
from runner.errors import UsageError

Span = tuple[int, int]
Quote = Callable[[str], str]

_PLAIN = re.compile(r"[\w./+,:=@%-]*")
_PLAIN_CMD = re.compile(r"[\w./\\+:@-]*")
_BARE_CMD = re.compile(r"[\w./\\+:@#$~-]+")
# these read their arguments as code once more, however well they are quoted
_AGAIN = re.compile(
    r"""`|\(\(|(?<!<)<<(?!<)|\$\{[^}]*["'`$\\(){]|\s-(?:eq|ne|lt|le|gt|ge)\s"""
    r"|(?<![\w.-])(?:case|eval|let|trap|declare|typeset|local|ssh|su|watch|parallel)(?![\w.-])"
)
_AGAIN_CMD = re.compile(r"(?<![\w.-])(?:call|for|setlocal|cmd(?:\.exe)?\s+/v\S*)(?![\w.-])", re.IGNORECASE)
# these take code in quotes
_CODE = re.compile(
    r"(?<![\w.-])(?:[gmn]?awk|sed|xargs|find|cmd(?:\.exe)?\s+/[ck])(?![\w.-])"
    r"|(?<![\w.-])(?:(?:ba|da|z|k)?sh|python[\d.]*|py|perl|ruby|node|php|julia|Rscript|pwsh|powershell)(?:\.exe)?\s"
    r"[^|;&]*?-(?:[A-Za-z]*[ceE]|Command|eval)\s",
    re.IGNORECASE,
)


def quotes_for(line: str, spans: Sequence[Span], *, windows: bool) -> list[Quote]:
    """For each of `spans`, the tokens of `line` in their order: what makes a value fit there, or raises UsageError."""
    places = _cmd_places(line, spans) if windows else _posix_places(line, spans)
    again = (_AGAIN_CMD if windows else _AGAIN).search(_without(line, spans))
    code = _CODE.search(_without(line, spans))
    found = []
    for place, (start, end) in zip(places, spans, strict=True):
        if again or place == "?" or (place != "" and code):
            place = "?"
        found.append(_quote(place, line[start:end], line[end : end + 1], windows))
    return found


def _without(line: str, spans: Sequence[Span]) -> str:
    for start, end in reversed(spans):
        line = line[:start] + "x" * (end - start) + line[end:]
    return line


def _quote(place: str, token: str, behind: str, windows: bool) -> Quote:
    plain = _PLAIN_CMD if windows else _PLAIN

    def quote(value: str) -> str:
        if "\0" in value or (windows and ("\n" in value or "\r" in value)):
            raise UsageError(f"no line of a shell can hold the {token} {value!r}", "Rename it.")
        if place == "?":
            if plain.fullmatch(value):
                return value
            variable = '"%FILE%"' if windows else '"$FILE"'
            raise UsageError(
                f"{token} is {value!r} here, and where it stands in the shell's line it could run as a command",
                f"Give it as a word of its own behind the line, or write `env: {{FILE: '{token}'}}` and {variable}.",
            )
        if windows:
            if place == '"':
                return in_quotes_cmd(value, closes=behind == '"')
            return value if _BARE_CMD.fullmatch(value) else quote_cmd(value, always=True)
        if place == "'":
            return value.replace("'", "'\\''")
        if place == '"':
            return re.sub(r'([\\"$`])', r"\\\1", value)
        return quote_posix(value)

    return quote


def _posix_places(line: str, spans: Sequence[Span]) -> list[str]:
    """Where each span stands: `"`, `'`, "" outside of quotes, `?` where that is not for us to tell."""
    found, ends, stack = [], dict(spans), [""]
    at = 0
    while at < len(line):
        if at in ends:
            found.append("?" if at and line[at - 1] == "\\" and stack[-1] != "'" else stack[-1])
            at = ends[at]
            continue
        sign, two, mode = line[at], line[at : at + 2], stack[-1]
        at += 1
        if mode in ("'", "#"):
            stack = stack[:-1] if sign == ("\n" if mode == "#" else mode) else stack
        elif sign == "\\":
            at += at not in ends
        elif mode == "?":
            stack = stack[:-1] if sign == "'" else stack
        elif sign == '"':
            stack = stack[:-1] if mode == '"' else [*stack, '"']
        elif two == "$(":
            stack.append("")
            at += 1
        elif mode == '"':
            continue
        elif two == "$'":
            stack.append("?")
            at += 1
        elif sign == "'":
            stack.append("'")
        elif sign == "(":
            stack.append("")
        elif sign == ")" and len(stack) > 1:
            stack.pop()
        elif sign == "#" and (at == 1 or line[at - 2] in " \t\n;&|("):
            stack.append("#")
    return ["?" if place == "#" else place for place in found]


def _cmd_places(line: str, spans: Sequence[Span]) -> list[str]:
    """The same for cmd.exe. Two pairs of quotes that touch are one text with a quote in it to most programs."""
    found, ends, starts, inside = [], dict(spans), {end for _, end in spans}, False
    at = 0
    while at < len(line):
        if at in ends:
            before, end = line[at - 1 : at], ends[at]
            touches = before in ('"', "^") or at in starts or line[end : end + 1] == '"' or end in ends
            found.append('"' if inside else "?" if touches else "")
            at = end
            continue
        if line[at] == '"':
            inside = not inside
        elif line[at] == "^" and not inside and at + 1 not in ends:
            at += 1
        at += 1
    return found
