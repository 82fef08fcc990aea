"""Signs that look like others, as mail programs and Word make them: no-break spaces, curly quotes, long dashes."""

from __future__ import annotations

import re

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_NOTHING = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2022\u00b7\u2023\u25e6\u25aa\u25cf"
_SINGLE = "\u2018\u2019\u201a\u201b\u2039\u203a\uff07\u00b4\u2032"
_DOUBLE = "\u00ab\u00bb\u201c\u201d\u201e\u201f\uff02"
_COLONS = "\u02d0\u0589\u2236\ua789\ufe55\uff1a"
_WIDE = dict(zip("，、；［］｛｝（）＃", ",,;[]{}()#", strict=True))
# Cyrillic, then Greek
_LETTERS = dict(zip("асеіјорѕухһԛԝАВЕКМНОРСТХІЈЅ", "aceijopsyxhqwABEKMHOPCTXIJS", strict=True)) | dict(
    zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)
)
_SIGNS = {
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_NOTHING, ""),
    **dict.fromkeys(_DASHES, "-"),
    **dict.fromkeys(_SINGLE, "'"),
    **dict.fromkeys(_DOUBLE, '"'),
    **dict.fromkeys(_COLONS, ":"),
    **_WIDE,
}
MEANT = _SIGNS | _LETTERS
_ODD = re.compile(f"[{''.join(_SIGNS)}]")
ANY = re.compile(f"[{''.join(MEANT)}]")
QUOTES = _SINGLE + _DOUBLE
# dashes and blanks, a key, its colon and the blanks behind it
_STRUCTURE = rf"[\s{_SPACES}{_NOTHING}{_DASHES}-]*(?:[\w-]+[\s{_SPACES}]*[:{_COLONS}][\s{_SPACES}{_NOTHING}]*)?"
_IN_NAMES = (
    rf"(?s)^[{_DASHES}]|[{_NOTHING}]|^[{_SPACES}]|[{_SPACES}]$|^[{_DOUBLE}]|[{_DOUBLE}]$|^[{QUOTES}].*[{QUOTES}]$"
    rf"|^[［｛]|[，、；](?=\s)|(?<=\s)＃|(?<=[A-Za-z])[{''.join(_LETTERS)}]|[{''.join(_LETTERS)}](?=[A-Za-z])"
)


def named(sign: str) -> str:
    """`U+00A0 NO-BREAK SPACE`, and what was probably meant."""
    import unicodedata

    meant = {" ": "a blank", "": "nothing"}.get(MEANT[sign], f"`{MEANT[sign]}`")
    return f"U+{ord(sign):04X} {unicodedata.name(sign, '')}, where {meant} is probably meant"


def in_structure(line: str) -> tuple[int, str] | None:
    """Where such a sign stands among the blanks, dashes, colon and quotes of a line of YAML, and the line without."""
    match = re.match(_STRUCTURE, line)
    end = match.end() if match else 0
    value = line[end:].rstrip()
    if value[:1] in QUOTES and value[-1:] in QUOTES and len(value) > 1:
        plain = "'" + value[1:-1].replace("'", "''") + "'"
        value, place = plain, end
    else:
        value, place = line[end:], len(line)
    head = "".join(MEANT.get(sign, sign) for sign in line[:end])
    mended = head + (" " if head.endswith(":") and value else "") + value
    odd = _ODD.search(line, 0, end)
    place = odd.start() if odd else place
    return (place, mended) if place < len(line) else None


def in_text(text: str) -> tuple[int, str] | None:
    """Where such a sign makes another text of what was meant, and the sign; a path may hold them inside a name."""
    match = re.search(_IN_NAMES, text)
    return (match.start(), text[match.start()]) if match else None


def look_alike(one: str, other: str) -> str:
    """What tells two texts apart that look the same; "" where they do not."""
    import unicodedata

    if one == other or _seen(one) != _seen(other):
        return ""
    place = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

    def at(text: str) -> str:
        return f"U+{ord(text[place]):04X} {unicodedata.name(text[place], '')}" if place < len(text) else "nothing"

    return f"its sign {place + 1} is {at(other)}, and not {at(one)}"


def _seen(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFKC", "".join(MEANT.get(sign, sign) for sign in text)).strip()
