"""One requirement: of conda (`conda-forge::numpy >=1.20`), of pip (`cellpose[gui]==3.0.7`), as a line of a group."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, Specifier

from runner.environments.spec import normalised_group as normalised
from runner.migrate.versions import all_of, to_pep440

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_PEP508 = re.compile(rf"(?P<name>{_NAME})\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<rest>.*)", re.DOTALL)
_CONDA = re.compile(
    r"(?:(?P<channel>[^\s\[]*?)::)?(?P<name>[A-Za-z0-9_][\w.+-]*)\s*(?P<rest>(?:[=<>!~][^\[]*|(?<=\s)[^\[]+)?)"
    r"(?:\[(?P<brackets>[^\]]*)\])?"
)
_BRACKET = re.compile(r"(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\s]+))")
_WHEEL = re.compile(rf"(?P<name>{_NAME}?)-(?P<version>\d[^-]*)(?:-.*)?\.(?:whl|tar\.gz|zip|tar\.bz2)")
_URL = re.compile(r"(?:(?:git|hg|svn|bzr)\+)?[a-z][a-z0-9+.-]*://|git@|file:", re.IGNORECASE)


@dataclass(frozen=True)
class Requirement:
    """A line of a dependency group (PEP 508)."""

    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    url: str = ""

    @property
    def key(self) -> str:
        """The name as PyPI compares it."""
        return normalised(self.name)

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        target = f" @ {self.url}" if self.url else self.specifier
        marker = f" ; {self.marker}" if self.marker else ""
        return f"{self.name}{extras}{target}{marker}"

    def with_marker(self, marker: str) -> Requirement:
        """Only where `marker` holds as well."""
        parts = [part for part in (self.marker, marker) if part]
        if len(parts) == 2 and parts[0] == parts[1]:
            parts = parts[:1]
        joined = " and ".join(f"({part})" if " or " in part and len(parts) > 1 else part for part in parts)
        return replace(self, marker=joined)


@dataclass(frozen=True)
class MatchSpec:
    """A line of conda's: name in lower case, version as PEP 440, and what of it was not taken over."""

    name: str
    specifier: str = ""
    channel: str = ""
    build: str = ""
    note: str = ""


def parse_match_spec(text: str) -> MatchSpec | None:
    """What conda reads in a line of `dependencies:`; None when it is none."""
    found = _CONDA.fullmatch(text.strip())
    # without a letter it is a number; a dash behind the name is a list whose key has no colon (`- pip` above `- -e .`)
    if not found or not re.search("[A-Za-z]", found["name"]) or found["rest"].lstrip().startswith("-"):
        return None
    fields = {m[1]: m[2] or m[3] or m[4] or "" for m in _BRACKET.finditer(found["brackets"] or "")}
    channel = (found["channel"] or fields.get("channel", "")).strip()
    version, build = _version_and_build(found["rest"].strip())
    version, build = fields.get("version", version), fields.get("build", build)
    specifier, note = to_pep440(version)
    return MatchSpec(found["name"].lower(), specifier, channel, build, note)


def _version_and_build(rest: str) -> tuple[str, str]:
    """`=1.8=py27_0`, `1.8.* py27_0`, `>= 1.2, <2` -> version, build string."""
    rest = rest.replace("'", "").replace('"', "").strip()
    if found := re.fullmatch(r"={0,2}([^=<>!~\s|,]+)=([^=<>!~\s]+)", rest):
        return found[1], found[2]
    rest = re.sub(r"\s*(===|==|>=|<=|!=|~=|=|>|<|,|\|)\s*", r"\1", rest)
    version, _, build = rest.partition(" ")
    return version, build.strip()


def parse_pip(text: str) -> Requirement | None:
    """A requirement as pip reads it; None when it is neither a requirement nor a URL with a name to be seen."""
    text = re.sub(r"\s+--(?:hash|config-settings?|global-option)[= ]\S+", "", text).strip()
    if _URL.match(text):
        return _from_url(text)
    found = _PEP508.fullmatch(text)
    if not found:
        return None
    rest, _, marker = found["rest"].partition(";")
    extras = extras_in(found["extras"])
    if rest.lstrip().startswith("@"):
        url, _, marker = found["rest"].lstrip()[1:].strip().partition(" ;")
        return Requirement(found["name"], extras, "", marker.strip(), url.strip())
    specifier = _specifier(rest.strip().removeprefix("(").removesuffix(")").strip())
    return None if specifier is None else Requirement(found["name"], extras, specifier, marker.strip())


def extras_in(text: str | None) -> tuple[str, ...]:
    """What stands in the brackets behind a name."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _specifier(text: str) -> str | None:
    """`>= 1.0 , <2` as `>=1.0,<2`; None when it is no specifier. A single `=` is read as conda does."""
    if not text:
        return ""
    parts = []
    for part in text.split(","):
        try:
            parts.append(str(Specifier(part)))
        except InvalidSpecifier:
            one = to_pep440(part)[0] if part.strip()[:1] in "=<>!~" else ""
            if not one:
                return None
            parts.append(one)
    return ",".join(parts)


def _from_url(text: str) -> Requirement | None:
    """A bare URL; its name from `#egg=`, the wheel's name or the repository's."""
    url, _, marker = text.partition(" ;")
    url = url.strip()
    if url.startswith("git@"):
        url = "git+ssh://" + url.replace(":", "/", 1)
    parts = urlsplit(url)
    egg = re.search(rf"egg=({_NAME})(?:\[([^\]]*)\])?", parts.fragment)
    file = unquote(parts.path.rstrip("/").rpartition("/")[2])
    wheel = _WHEEL.fullmatch(file)
    name = egg[1] if egg else wheel["name"] if wheel else re.sub(r"(?:\.git)?(?:@.*)?$", "", file)
    if not re.fullmatch(_NAME, name):
        return None
    extras = extras_in(egg[2]) if egg else ()
    fragment = "&".join(part for part in parts.fragment.split("&") if part and not part.startswith("egg="))
    url = parts._replace(fragment=fragment).geturl()
    return Requirement(name, extras, "", marker.strip(), url)


def merged(requirements: Iterable[Requirement]) -> list[Requirement]:
    """Each name, marker and URL once, in order; what two lines ask of one package holds together."""
    found: dict[tuple[str, str], Requirement] = {}
    for one in requirements:
        old = found.setdefault((one.key, one.marker), one)
        if old is not one:
            extras = tuple(dict.fromkeys((*old.extras, *one.extras)))
            both = replace(old, extras=extras, specifier=all_of(old.specifier, one.specifier), url=old.url or one.url)
            found[one.key, one.marker] = both
    return list(found.values())
