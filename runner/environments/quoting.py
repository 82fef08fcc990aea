"""Words quoted for a shell, so that each reaches the program as it was written."""

from __future__ import annotations

import re
import shlex

# `=`, `,` and `;` part words for cmd.exe's own commands and for .bat files; the Go runner left them bare as well
_BARE_CMD = re.compile(r"[\w#$*+\-./:?@\\~=,;\[\]{}]+")


def quote_posix(word: str) -> str:
    """`word` for bash."""
    return shlex.quote(word)


def quote_cmd(word: str) -> str:
    """`word` for a line of cmd.exe that starts a program which reads its arguments as Microsoft's C runtime does.

    Inside double quotes cmd.exe takes `& | < > ^ ( )` as text. `%` it never does: `%%cd:~,%` leaves one behind,
    since the part of the folder's name up to place 0 is empty. A quote is doubled, which keeps cmd.exe and the
    program both inside the quotes.
    """
    if _BARE_CMD.fullmatch(word):
        return word
    # backslashes count as escapes only before a quote, the closing one included
    text = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + ('""' if found[2] else ""), word)
    return '"' + text.replace("%", "%%cd:~,%") + '"'
