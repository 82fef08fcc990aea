"""`environment: conda:NAME + uv:GROUP`: variables and libraries of one environment, Python and packages of the other.

`conda:NAME + script` and a version (`uv@3.12:GROUP`) as well. The lower one is activated once, and what is above
starts on these variables as on those of a machine: its programs come first on PATH. It is prepared without the lower
one, so that no Python of conda becomes the base of a virtual environment.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from runner.environments import Kind, Preparation, Request, Site, kind, words
from runner.environments.site import Once
from runner.environments.standing import own_library_first, seen_from, standing_on
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

Entries = Sequence[ResolvedEntry]

_FORM = "Write `conda:NAME + uv:GROUP` or `conda:NAME + script`: conda's environment first, then the Python."
_PYTHON = ("python",)


def check(spec: EnvironmentSpec, entries: Entries, site: Site) -> list[Finding]:
    """Not one of conda with one of uv's on it, or what either of them lacks."""
    if wrong := _wrong_parts(spec):
        return [Finding(wrong, _FORM)]
    below, above = spec.parts
    own = kind(below).below
    assert own is not None
    found = own.check(below, site)
    program = None if found else _program_below.anew(site, spec, _first(entries))
    return found + kind(above).check(above, _PYTHON if program else entries, site)


def prepare(spec: EnvironmentSpec, entries: Entries, site: Site) -> Preparation | None:
    """What is above; the environment below is its user's own."""
    return kind(spec.parts[-1]).prepare(spec.parts[-1], entries, site)


def wrap(request: Request, site: Site) -> Command:
    """Directly, without `uv run`, which would be given conda's variables too. Raises EnvironmentMissing."""
    spec, entries, dry = request.spec, request.entries, request.dry
    above = spec.parts[-1]
    program = (_program_below.anew if dry else _program_below)(site, spec, _first(entries))
    own = replace(request, spec=above, entries=_PYTHON if program else entries, many=True)
    inner, telling = (site, {}) if dry else _standing(site, spec)
    command = kind(above).wrap(own, inner)
    if not dry:
        made = kind(above).folder(above, own.entries, site)
        libraries = own_library_first(inner, made) if made else {}
        command = seen_from(command, inner, {**telling, **libraries}, site.host)
    return replace(command, argv=(str(program), *words(entries)[1:])) if program else command


def key(spec: EnvironmentSpec, entries: Entries) -> Hashable:
    return spec, kind(spec.parts[-1]).key(spec.parts[-1], entries)


def folder(spec: EnvironmentSpec, entries: Entries, site: Site) -> PurePath | None:
    return kind(spec.parts[-1]).folder(spec.parts[-1], entries, site)


def fingerprint(spec: EnvironmentSpec, entries: Entries, site: Site) -> Mapping[str, object]:
    """What the one above holds, and below `conda` what that holds."""
    below, above = spec.parts
    own = kind(above).fingerprint(above, entries, site)
    return {**own, "kind": "combined", below.kind: kind(below).fingerprint(below, (), site)}


@Once
def _standing(site: Site, spec: EnvironmentSpec) -> tuple[Site, Mapping[str, str]]:
    own = kind(spec.parts[0]).below
    assert own is not None
    environ, telling = own.environ(spec.parts[0], site)
    return standing_on(site, environ), telling


@Once
def _program_below(site: Site, spec: EnvironmentSpec, word: str) -> PurePath | None:
    """The program of the environment below that `word` names, where the one above has none and no Python runs it.

    Remembered where something is started: only then what is above is sure to be made.
    """
    from runner.environments.conda.path import runs_with_python

    below, above = spec.parts
    own = kind(above)
    if own.by_commands or not word or own.program(word, above, site):
        return None
    found = kind(below).program(word, below, site)
    return None if found is None or runs_with_python(word, found, site.host) else found


def _first(entries: Entries) -> str:
    return next(iter(words(entries)), "")


def _wrong_parts(spec: EnvironmentSpec) -> str:
    texts = " and ".join(f"`{part.text}`" for part in spec.parts)
    if len(spec.parts) != 2:
        return f"`environment: {spec.text}` puts {len(spec.parts)} environments together; there can be two"
    below, above = (kind(part) for part in spec.parts)
    if below.below and above.above:
        return ""
    if above.below and below.above:
        return f"in `environment: {spec.text}` the two stand the wrong way round"
    return f"{texts} cannot be put together"


def _kind(spec: EnvironmentSpec) -> Kind:
    above = kind(spec.parts[-1])
    return Kind(
        check, wrap, fingerprint, prepare, key, folder,
        program=lambda word, spec, site: (
            _program_below.anew(site, spec, word) or kind(spec.parts[-1]).program(word, spec.parts[-1], site)
        ),
        lacks=lambda spec, site: kind(spec.parts[0]).lacks(spec.parts[0], site),
        how_to_add=lambda package, spec, site: kind(spec.parts[-1]).how_to_add(package, spec.parts[-1], site),
        made_from=lambda spec, entries, site: above.made_from(spec.parts[-1], entries, site),
        travels=above.travels and above.travels.of_part(-1), tool=above.tool, managed=above.managed,
        by_commands=above.by_commands,
    )  # fmt: skip


KIND = _kind
