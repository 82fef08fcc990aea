"""Versions: conda's way of writing them, PEP 440's, and which Pythons a specifier leaves.

Sources: conda's MatchSpec documentation; PEP 440 (version specifiers).
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache

from packaging.specifiers import InvalidSpecifier, Specifier
from packaging.version import InvalidVersion, Version

from runner.ground.words import joined

_ATOM = re.compile(r"(?P<operator>===|==|>=|<=|!=|~=|=|>|<)?(?P<version>.+)")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
MINORS = range(6, 40)  # of Python 3 that are looked at


def to_pep440(text: str) -> tuple[str, str]:
    """A conda version as a specifier of PEP 440, and what could not be said in it ("" when all could).

    A bare version is that version (`numpy 1.26`); with `=`, all that begin so.
    """
    text = re.sub(r"\s+", "", text).strip("'\"")
    if "|" in text:
        span = _span(text.split("|"))
        taken = "everything from its lowest to its highest is allowed" if span else "the version is left open"
        return span, f"`{text}` is a choice, which PEP 440 has no way to write: {taken}"
    parts, notes = [], []
    for atom in filter(None, text.split(",")):
        part, note = _atom(atom)
        parts.append(part)
        notes.append(note)
    return all_of(*parts), joined(*notes)


def all_of(*specifiers: str) -> str:
    """What they ask for together, each once."""
    return ",".join(dict.fromkeys(filter(None, ",".join(specifiers).split(","))))


def _span(choices: list[str]) -> str:
    """`1.7|1.9.*` as `>=1.7,<1.10`; "" where one of them is more than a release."""
    found = [re.fullmatch(r"={0,2}(\d+(?:\.\d+)*)(\.?\*)?", choice) for choice in choices]
    if not all(found):
        return ""
    releases = [(Version(one[1]).release, bool(one[2])) for one in found if one]
    lowest, (highest, open_end) = min(releases)[0], max(releases)
    if open_end:
        highest = (*highest[:-1], highest[-1] + 1)
    return f">={_dotted(lowest)},{'<' if open_end else '<='}{_dotted(highest)}"


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


def _atom(atom: str) -> tuple[str, str]:
    found = _ATOM.fullmatch(atom)
    if not found:
        return "", f"`{atom}` is no version"
    operator, version = found["operator"] or "", found["version"].strip("'\"")
    star = version.endswith("*")
    version = version.rstrip("*").rstrip(".")
    if not version:
        return "", ""  # any version
    if not is_version(version):
        return "", f"`{atom}` is no version on PyPI (PEP 440): left open"
    if operator in ("", "=", "==", "!="):
        fuzzy = (star or operator == "=") and _RELEASE.fullmatch(version)
        return f"{'!=' if operator == '!=' else '=='}{version}{'.*' if fuzzy else ''}", ""
    if operator == "~=" and "." not in version:
        return f">={version}", ""
    return f"{operator}{version}", ""


def is_version(text: str) -> bool:
    """Whether PEP 440 knows it."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


@cache
def minors(specifier: str) -> frozenset[int]:
    """The minor versions of Python 3 of which at least one release satisfies `specifier`; all for ""."""
    return frozenset(minor for minor in MINORS if any(allows(specifier, f"3.{minor}.{patch}") for patch in range(40)))


def allows(specifier: str, version: str) -> bool:
    """Whether `version` satisfies a specifier of PEP 440; a part that is none forbids nothing."""
    return all(part.contains(version, prereleases=True) for part in _parts(specifier))


@cache
def _parts(specifier: str) -> list[Specifier]:
    found = []
    for part in specifier.split(","):
        with suppress(InvalidSpecifier):
            found.append(Specifier(part))
    return found
