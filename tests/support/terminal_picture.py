"""Draws what a command shows at a terminal of 110 columns, as SVG: `python terminal_picture.py OUT.svg PROMPT COMMAND`.

For the pictures in docs. COMMAND is what the shell gets; PROMPT stands before it and may be longer than it was typed.
"""

from __future__ import annotations

import html
import os
import pty
import re
import subprocess
import sys
from itertools import groupby
from pathlib import Path

COLUMNS, WIDE, HIGH, SIZE = 110, 8.4, 19, 14  # signs in a line, pixels of a sign, of a line, of the font
COLOURS = {"31": "#ff8b84", "32": "#8ddb8c", "33": "#f0c674", "36": "#7fd4e4", "2": "#9aa4b2", "": "#e6e9ee"}
CONTROL = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([\r\n\b])|(.)", re.DOTALL)

Cell = tuple[str, str]  # a sign and the codes of its look


def shown(command: str) -> bytes:
    """What the command writes to a terminal."""
    inner, outer = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    subprocess.run(["stty", "cols", str(COLUMNS), "rows", "50"], stdin=outer, check=True)
    with subprocess.Popen(["bash", "-c", command], stdin=outer, stdout=outer, stderr=outer, env=os.environ | size):
        os.close(outer)
        parts = []
        while part := _read(inner):
            parts.append(part)
    return b"".join(parts)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the last one has closed it
        return b""


def lines_of(data: bytes) -> list[list[Cell]]:
    """The lines as they stand at the end; progress bars have overwritten themselves."""
    lines: list[list[Cell]] = [[]]
    row = column = 0
    look: tuple[str, ...] = ()
    for codes, control, move, sign in CONTROL.findall(data.decode("utf-8", "replace")):
        if control == "m":
            look = () if codes in ("", "0") else tuple(dict.fromkeys((*look, *codes.split(";"))))
        elif control == "K":
            del lines[row][column:]
        elif control == "J":
            del lines[row][column:], lines[row + 1 :]
        elif control == "A":
            row = max(0, row - int(codes or 1))
        elif move == "\n":
            row += 1
        elif move == "\r":
            column = 0
        elif sign:
            if column == COLUMNS:
                row, column = row + 1, 0
            while len(lines) <= row:
                lines.append([])
            lines[row] += [(" ", "")] * (column + 1 - len(lines[row]))
            lines[row][column] = (sign, ";".join(look))
            column += 1
        while len(lines) <= row:
            lines.append([])
    while lines and not lines[-1]:
        lines.pop()
    return lines


def drawn(lines: list[list[Cell]], title: str) -> str:
    """The picture."""
    width, height = round(COLUMNS * WIDE + 32), len(lines) * HIGH + 28
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1b1f27"/>',
        f"<g font-family=\"'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"{SIZE}\">",
    ]
    for row, line in enumerate(lines):
        column = 0
        for look, cells in groupby(line, key=lambda cell: cell[1]):
            text = "".join(sign for sign, _ in cells)
            if text.strip():
                out.append(_text(text, look, 16 + column * WIDE, 28 + row * HIGH))
            column += len(text)
    return "\n".join([*out, "</g>", "</svg>", ""])


def _text(text: str, look: str, x: float, y: float) -> str:
    codes = look.split(";")
    colour = next((COLOURS[code] for code in codes if code in COLOURS and code), COLOURS[""])
    bold = ' font-weight="bold"' if "1" in codes else ""
    kept = html.escape(text, quote=False).replace(" ", "\u00a0")
    wide = f'textLength="{len(text) * WIDE:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y}" fill="{colour}"{bold} {wide}>{kept}</text>'


if __name__ == "__main__":
    target, prompt, command = sys.argv[1:]
    typed = [(sign, "32" if n < len(prompt) - 1 else "") for n, sign in enumerate(f"{prompt} {command}"[:COLUMNS])]
    Path(target).write_text(drawn([typed, *lines_of(shown(command))], command), encoding="utf-8", newline="\n")
