"""A launcher of ImageJ as far as its command line goes, in both families; a macro's text says what it does.

    fake_imagej.py FAMILY [arguments of ImageJ]

`fail` in a macro is an error in it, which ImageJ reports and then ends with 0. Parameters are read as SciJava's
parser reads them and written to seen.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HELP = {
    "old": "Usage: ImageJ [<Java options>.. --] [<ImageJ options>..]\nImageJ launcher 5.0.3\n--ij2\n--headless\n",
    "new": "Usage: Fiji [<Runtime options>.. --] [<main arguments>..]\n--run <plugin> [<arg>]\n--headless\n",
}
KNOWN = {"old": {"--ij2", "--headless", "--console", "--mem=2g"}, "new": {"--headless", "--mem=2g"}}
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def text_at(source: str, start: int) -> tuple[str, int]:
    """The quoted text that begins at `start`, and the place behind it."""
    quote, place, out = source[start], start + 1, ""
    while source[place] != quote:
        if source[place] == "\\" and quote == '"':
            place += 1
            out += ESCAPES[source[place]]
        else:
            out += source[place]
        place += 1
    return out, place + 1


def parsed(source: str) -> dict[str, object]:
    found: dict[str, object] = {}
    place = 0
    while place < len(source):
        name, place = source[place : source.index("=", place)], source.index("=", place) + 1
        if source[place] in "'\"":
            found[name], place = text_at(source, place)
        elif source.startswith("true", place):
            found[name], place = True, place + 4
        else:
            sys.exit(f"cannot parse {source[place:]}")
        place += source[place : place + 1] == ","
    return found


def main(family: str, arguments: list[str]) -> None:
    if "--help" in arguments:
        sys.stderr.write(HELP[family])
        return
    while arguments and arguments[0] != "--run":
        if arguments[0] not in KNOWN[family]:
            print(f"Macro or script not found:\n\n{arguments[0]}", file=sys.stderr)
            sys.exit(1)
        arguments.pop(0)
    macro = Path(arguments[1])
    if "fail" in macro.read_text("utf-8"):
        print("Error: undefined variable in line 1", file=sys.stderr)
        return
    Path("seen.json").write_text(json.dumps(parsed("".join(arguments[2:]))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
