"""Bytes of a file -> text: UTF-8 with or without BOM, UTF-16 with BOM; anything else is an error with its place."""

from __future__ import annotations

import codecs
import re

from runner.model import Mark
from runner.pipeline.report import Report

# What YAML takes as the end of a line
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SHOWN = 3  # of many such characters

_CURE_ENCODING = "Save the file as UTF-8 (in Notepad: Save as, Encoding, UTF-8)."


# how files begin that are dropped on the program by mistake
_OTHERS = {
    b"\x89PNG\r\n": "a picture (PNG)",
    b"\xff\xd8\xff": "a picture (JPEG)",
    b"II*\0": "an image (TIFF)",
    b"MM\0*": "an image (TIFF)",
    b"II+\0": "an image (BigTIFF)",
    b"MM\0+": "an image (BigTIFF)",
    b"GIF8": "a picture (GIF)",
    b"BM": "a picture (BMP)",
    b"\xda\xce\xbe\n": "an image of Nikon (ND2)",
    b"p\0\0\0": "an image of Leica (LIF)",
    b"ZISRAWFILE": "an image of Zeiss (CZI)",
    b"\x89HDF": "a file of HDF5",
    b"\xd0\xcf\x11\xe0": "a document of an older Office, or an image of an older microscope",
    b"PK\3\4": "a ZIP file, as those of Word and Excel are",
    b"\x1f\x8b": "a compressed file (gzip)",
    b"%PDF": "a PDF document",
    b"MZ": "a program of Windows",
    b"\x7fELF": "a program of Linux",
}


def lines_of(text: str) -> list[str]:
    """The lines as YAML counts them."""
    return _LINE_END.split(text)


def encoding_of(data: bytes) -> tuple[str, bytes]:
    """How a file is written, and the byte-order mark that it begins with."""
    marks = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    return next(((encoding, mark) for mark, encoding in marks.items() if data.startswith(mark)), ("utf-8", b""))


def decode(data: bytes, report: Report) -> str | None:
    """The text of a file; None, with the error reported, when its bytes are none."""
    what = next((name for magic, name in _OTHERS.items() if data.startswith(magic)), "")
    if what and (b"\0" in data or data.startswith(b"%PDF")):
        report.error(None, f"this is {what}, and no pipeline file", "Name the YAML file.")
        return None
    encoding, mark = encoding_of(data)
    data = data[len(mark) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        report.lines = lines_of(data.decode(encoding, "replace"))
        before = lines_of(data[: error.start].decode(encoding, "replace"))
        place = Mark(len(before), len(before[-1]) + 1)
        bad = data[error.start : error.start + 1].hex().upper()
        report.error(
            place, f"the file is not {encoding[:6].upper()} text: byte 0x{bad} cannot stand here", _CURE_ENCODING
        )
        return None
    report.lines = lines_of(text)
    return text if _no_control_characters(text, report) else None


def _no_control_characters(text: str, report: Report) -> bool:
    found = 0
    for match in _FORBIDDEN.finditer(text):
        found += 1
        if found > _SHOWN:
            break
        before = lines_of(text[: match.start()])
        if match[0] == "\0":
            cure = "The file may be UTF-16 without a mark, or no text at all. " + _CURE_ENCODING
        else:
            cure = 'Delete it. In a double-quoted text it can be written as an escape, such as "\\x1b".'
        report.error(
            Mark(len(before), len(before[-1]) + 1),
            f"the control character U+{ord(match[0]):04X} cannot stand in a pipeline file",
            cure,
        )
    return not found
