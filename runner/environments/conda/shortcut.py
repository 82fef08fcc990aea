"""Where conda is, out of a Start menu shortcut such as "Anaconda Prompt" (MS-SHLLINK)."""

from __future__ import annotations

import re
import struct

_HEADER = 0x4C
_CLSID = bytes.fromhex("0114020000000000c000000000000046")
_ID_LIST, _LINK_INFO, _NAME, _RELATIVE, _FOLDER, _ARGUMENTS, _UNICODE = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x80

# cmd: `"/K" C:\conda\Scripts\activate.bat C:\conda`; PowerShell: `& 'C:\conda\shell\condabin\conda-hook.ps1' ; ...`
_SCRIPT = re.compile(
    r"""(?P<base>[A-Za-z]:\\[^"'*?<>|]*?|\\\\[^"'*?<>|]*?)"""
    r"""\\(?:Scripts\\activate(?:\.bat)?|condabin\\[\w-]+\.bat|shell\\condabin\\conda-hook\.ps1)(?=["'\s]|$)""",
    re.IGNORECASE,
)


def shortcut_arguments(data: bytes) -> str:
    """The arguments in a .lnk file's bytes; "" when there are none or the file is no shortcut."""
    try:
        return _arguments(data)
    except (struct.error, UnicodeDecodeError):
        return ""


def conda_base_of(arguments: str) -> str:
    """The base folder that a prompt's arguments activate; "" when they name none."""
    found = _SCRIPT.search(arguments)
    return found["base"] if found else ""


def _arguments(data: bytes) -> str:
    size, clsid, flags = struct.unpack_from("<I16sI", data)
    if size != _HEADER or clsid != _CLSID or not flags & _ARGUMENTS:
        return ""
    place = _HEADER
    if flags & _ID_LIST:
        place += 2 + struct.unpack_from("<H", data, place)[0]
    if flags & _LINK_INFO:
        place += struct.unpack_from("<I", data, place)[0]
    width = 2 if flags & _UNICODE else 1
    for flag in (_NAME, _RELATIVE, _FOLDER):
        if flags & flag:
            place += 2 + width * struct.unpack_from("<H", data, place)[0]
    count = struct.unpack_from("<H", data, place)[0]
    text = data[place + 2 : place + 2 + width * count]
    return text.decode("utf-16-le") if width == 2 else text.decode("cp1252", errors="replace")
