"""Versions: conda's way of writing them, PEP 440's, and which Pythons a specifier leaves.

Sources: conda's MatchSpec documentation; PEP 440 (version specifiers).
"""

from __future__ import annotations

import re

VERSION = re.compile(
    r"(?:\d+!)?\d+(?:\.\d+)*(?:[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?:[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.IGNORECASE,
)
_ATOM = re.compile(r"(?P<operator>===|==|>=|<=|!=|~=|=|>|<)?(?P<version>.+)")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
MINORS = range(6, 40)  # of Python 3 that are looked at


def to_pep440(text: str, *, exact: bool = False) -> tuple[str, str]:
    """A conda version as a specifier of PEP 440, and what could not be said in it ("" when all could).

    `exact`: a bare version is that version (`numpy 1.26`); otherwise, with `=`, all that begin so.
    """
    text = re.sub(r"\s+", "", text).strip("'\"")
    if "|" in text:
        span = _span(text.split("|"))
        taken = "everything from its lowest to its highest is allowed" if span else "the version is left open"
        return span, f"`{text}` is a choice, which PEP 440 has no way to write: {taken}"
    parts, notes = [], []
    for atom in filter(None, text.split(",")):
        part, note = _atom(atom, exact)
        parts += [part] if part else []
        notes += [note] if note else []
    return ",".join(dict.fromkeys(parts)), "; ".join(notes)


def _span(choices: list[str]) -> str:
    """`1.7|1.9.*` as `>=1.7,<1.10`; "" where one of them is more than a release."""
    found = [re.fullmatch(r"={0,2}(\d+(?:\.\d+)*)(\.?\*)?", choice) for choice in choices]
    if not all(found):
        return ""
    releases = [(tuple(map(int, one[1].split("."))), bool(one[2])) for one in found if one]
    lowest, (highest, open_end) = min(releases)[0], max(releases)
    if open_end:
        highest = (*highest[:-1], highest[-1] + 1)
    return f">={_dotted(lowest)},{'<' if open_end else '<='}{_dotted(highest)}"


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


def _atom(atom: str, exact: bool) -> tuple[str, str]:
    found = _ATOM.fullmatch(atom)
    if not found:
        return "", f"`{atom}` is no version"
    operator, version = found["operator"] or "", found["version"].strip("'\"")
    star = version.endswith("*")
    version = version.rstrip("*").rstrip(".")
    if not version:
        return "", ""  # any version
    if not VERSION.fullmatch(version):
        return "", f"`{atom}` is no version on PyPI (PEP 440): left open"
    if operator in ("", "="):
        fuzzy = (star or operator == "=") if operator or star else not exact
        return _equal(version, fuzzy), ""
    if operator in ("==", "!="):
        return f"{operator}{version}{'.*' if star and _RELEASE.fullmatch(version) else ''}", ""
    if operator == "~=" and "." not in version:
        return f">={version}", ""
    return f"{operator}{version}", ""


def _equal(version: str, fuzzy: bool) -> str:
    return f"=={version}.*" if fuzzy and _RELEASE.fullmatch(version) else f"=={version}"


def minors(specifier: str) -> set[int]:
    """The minor versions of Python 3 of which at least one release satisfies `specifier`; all for ""."""
    return {minor for minor in MINORS if any(allows(specifier, (3, minor, patch)) for patch in range(40))}


def allows(specifier: str, release: tuple[int, ...]) -> bool:
    """Whether a plain release such as (1, 26, 4) satisfies a specifier of PEP 440."""
    return all(_holds(part.strip(), release) for part in specifier.split(",") if part.strip())


def _holds(part: str, release: tuple[int, ...]) -> bool:
    found = re.match(r"(===|==|>=|<=|!=|~=|>|<)\s*(\d+(?:\.\d+)*)(.*)", part)
    if not found:
        return True
    operator, numbers, rest = found.groups()
    wanted = tuple(int(number) for number in numbers.split("."))
    prefix = len(wanted) - (operator == "~=")
    if operator == "~=" or rest.strip().startswith(".*"):
        same = _padded(release, len(wanted))[:prefix] == wanted[:prefix]
        if operator == "~=":
            return same and _padded(release, len(wanted)) >= wanted
        return same if operator in ("==", "===") else not same
    length = max(len(wanted), len(release))
    have, asked = _padded(release, length), _padded(wanted, length)
    comparisons = {
        "==": have == asked, "===": have == asked, "!=": have != asked,
        ">=": have >= asked, "<=": have <= asked, ">": have > asked, "<": have < asked,
    }  # fmt: skip
    return comparisons[operator]


def _padded(release: tuple[int, ...], length: int) -> tuple[int, ...]:
    """1.2 is 1.2.0."""
    return release + (0,) * (length - len(release))
