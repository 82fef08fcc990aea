r"""The folder of a conda environment inside its files: taken out when it is packed, written in where it is unpacked.

conda's packages are made for a placeholder of (mostly) 255 signs. In a text it is replaced; in a program the rest is
filled with NUL bytes, so nothing moves, and a folder that is longer than the placeholder does not fit.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from enum import Enum

_LONGEST_FIRST_LINE = 127  # bytes that Linux reads of `#!...` before version 5.1
# sh reads the second line, Python takes it for a text
_TWO_LINES = re.compile(rb"\A#!/bin/sh\n'''exec' \"([^\n]*?)\" ([^\n]*?)\"\$0\" \"\$@\" #'''")
_UNQUOTED = re.compile(rb'\A#!\s*([^"\r\n]*?\.exe)')


class Way(Enum):
    """How the folder stands in a file."""

    TEXT = "text"  # a placeholder, letter by letter
    FOLDER = "folder"  # a real folder, spelled as programs spell it: another one may begin with the same letters
    BINARY = "binary"  # ends with a NUL byte, filled up with more of them
    LAUNCHER = (
        "launcher"  # Windows: Scripts\NAME.exe is a program, a first line with the path of Python, and a ZIP file
    )


def mention(folders: Sequence[str], *, windows: bool) -> re.Pattern[bytes]:
    r"""Finds each of `folders` as a whole: /envs/cell is not in /envs/cellpose. On Windows in all spellings."""
    longest_first = sorted(map(_encoded, folders), key=len, reverse=True)
    if not windows:
        each = b"|".join(map(re.escape, longest_first))
        return re.compile(rb"(?:%b)(?![\w\x80-\xff-]|\.\w)" % each)
    parts = [[re.escape(part) for part in re.split(rb"[\\/]+", folder)] for folder in longest_first]
    each = b"|".join(rb"(?:\\\\|\\|/)".join(part) for part in parts)
    extended = rb"(?:[\\/]{2,4}\?[\\/]{1,2})?"  # \\?\C:\ is one of them, too
    return re.compile(rb"%b(?:%b)(?![\w\x80-\xff-]|\.\w)" % (extended, each), re.IGNORECASE)


def hint(folders: Sequence[str], *, windows: bool) -> re.Pattern[bytes]:
    """Finds what `mention` finds, on Windows perhaps more, in a hundredth of the time: gigabytes are searched."""
    ends = [_encoded(folder[1:]) for folder in folders if folder[1:2] == ":"]
    if not windows or len(ends) < len(folders):
        return mention(folders, windows=windows)
    parts = [[re.escape(part) for part in re.split(rb"[\\/]+", end[1:])] for end in ends]
    return re.compile(b"|".join(b":(?i:%b)" % rb"(?:\\\\|\\|/)".join(part) for part in parts))


def replaced(data: bytes, way: Way, old: Sequence[str], new: str, *, windows: bool) -> bytes:
    """`data` with `new` in place of each of `old`. Raises ValueError where a program has no room for it."""
    if way is Way.FOLDER:
        return _in_all_spellings(data, old, new, windows=windows)
    if way is Way.LAUNCHER:
        return _in_launcher(data, old, new)
    folder = _encoded(new.replace("\\", "/") if windows else new)  # conda writes it with slashes
    for each in map(_encoded, old):
        data = data.replace(each, folder) if way is Way.TEXT else _filled(data, each, folder)
    return data


def undone(data: bytes, way: Way, placeholder: str, folder: str, *, windows: bool) -> bytes:
    """What the package had: `placeholder` in place of `folder`. Whether that is so, only its sha256 tells."""
    old, new = _encoded(placeholder), _encoded(folder.replace("\\", "/") if windows else folder)
    if way is not Way.BINARY:
        return data.replace(new, old)
    out, place = [], 0
    for found in re.finditer(re.escape(new) + rb"[^\0]*\0", data):
        if found.start() < place:
            continue
        out += [data[place : found.start()], found[0].replace(new, old)]
        place = found.end() + (len(old) - len(new)) * found[0].count(new)
    return b"".join([*out, data[place:]])


def startable(data: bytes, folder: str, *, windows: bool) -> bytes:
    """A script whose first line names a program of `folder`, written so that a long path or a blank is no obstacle."""
    if windows:
        return _UNQUOTED.sub(rb'#!"\1"', data) if " " in folder else data
    first, end, rest = data.partition(b"\n")
    found = re.match(rb"#!\s*(%b/[^\s]+)[ \t]*(.*)" % re.escape(_encoded(folder)), first)
    if not found or (len(first) <= _LONGEST_FIRST_LINE and b" " not in _encoded(folder)):
        return data
    program, options = found[1], found[2].strip()
    name = program.rpartition(b"/")[2]
    if not name.startswith(b"python"):
        return b"#!/usr/bin/env " + (b"-S %b %b" % (name, options) if options else name) + end + rest
    quoted = re.sub(rb'([\\"$`])', rb"\\\1", program)
    return b"#!/bin/sh\n'''exec' \"%b\" %b\"$0\" \"$@\" #'''" % (quoted, options and options + b" ") + end + rest


def plain(data: bytes) -> bytes:
    """A script as it was before `startable`."""
    return _TWO_LINES.sub(
        lambda found: b" ".join([b"#!" + re.sub(rb"\\(.)", rb"\1", found[1]), *found[2].split()]), data
    )


def _filled(data: bytes, old: bytes, new: bytes) -> bytes:
    def shortened(found: re.Match[bytes]) -> bytes:
        room = (len(old) - len(new)) * found[0].count(old)
        if room < 0:
            raise ValueError(f"{len(new)} bytes are too long: there is room for {len(old)}")
        return found[0].replace(old, new) + b"\0" * room

    return re.sub(re.escape(old) + rb"[^\0]*\0", shortened, data)


def _in_all_spellings(data: bytes, old: Sequence[str], new: str, *, windows: bool) -> bytes:
    folder = _encoded(new)

    def spelled(found: re.Match[bytes]) -> bytes:
        if not windows:
            return folder
        plain = re.sub(rb"\A[\\/]{2,4}\?[\\/]{1,2}", b"", found[0])
        separator = b"\\\\" if b"\\\\" in plain else b"\\" if b"\\" in plain else b"/"
        return separator.join(re.split(rb"[\\/]+", folder))

    return mention(old, windows=windows).sub(spelled, data)


def _in_launcher(data: bytes, old: Sequence[str], new: str) -> bytes:
    """https://packaging.python.org/specifications/entry-points: pip's launcher has a first line before a ZIP file."""
    end = data.rfind(b"PK\x05\x06")
    if end < 0 or end + 20 > len(data):
        return data
    size, offset = struct.unpack_from("<LL", data, end + 12)
    archive = end - size - offset
    start = data.rfind(b"#!", 0, max(archive, 0))
    if start < 0:
        return data
    line = startable(_in_all_spellings(data[start:archive], old, new, windows=True), new, windows=True)
    return data[:start] + line + data[archive:]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
