"""Words quoted for a shell, so that each reaches the program as it was written."""

from __future__ import annotations

import re
import shlex

# `=`, `,` and `;` part words for cmd.exe's own commands and for .bat files; the Go runner left them bare as well
_BARE_CMD = re.compile(r"[\w#$*+\-./:?@\\~=,;\[\]{}]+")


def quote_posix(word: str) -> str:
    """`word` for bash."""
    return shlex.quote(word)


def quote_cmd(word: str, *, always: bool = False) -> str:
    """`word` for a line of cmd.exe that starts a program which reads its arguments as Microsoft's C runtime does.

    Inside double quotes cmd.exe takes `& | < > ^ ( )` as text. `%` it never does: `%%cd:~,%` leaves one behind,
    since the part of the folder's name up to place 0 is empty. A quote is doubled, which keeps cmd.exe and the
    program both inside the quotes.
    """
    if _BARE_CMD.fullmatch(word) and not always:
        return word
    return f'"{in_quotes_cmd(word, closes=True)}"'


def in_quotes_cmd(text: str, *, closes: bool) -> str:
    """`text` as it stands between double quotes; `closes`: right before the second one."""
    # backslashes count as escapes only before a quote, the closing one included
    before = '("|$)' if closes else '(")'
    text = re.sub(rf"(\\*){before}", lambda found: found[1] * 2 + ('""' if found[2] else ""), text)
    return text.replace("%", "%%cd:~,%")
