"""An environment made again as a run's record has it: from a lock of then, in a folder of its own.

That folder stands in the place of the repository: it holds copies of the files that the environment is made from, and
the environment itself. The one that is there now is left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath

from runner.environments import Kind, Preparation, Request, Site, kind, words
from runner.environments.offline import offline
from runner.environments.site import Asked, Once
from runner.environments.uv.binary import hand_on
from runner.environments.uv.findings import python_refused
from runner.environments.uv.settings import downloads_off
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.disk import on_disk
from runner.ground.files import write_atomic
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry, ResolvedFlags

Entries = Sequence[ResolvedEntry]
FOLDER = ".recorded"  # no group's name begins with a dot
# a place in pyproject.toml or uv.lock: of a package beside them, or an index that is a folder
_PLACE = re.compile(r'((?<![\w-])(?:path|directory|editable|registry|url)\s*=\s*)("[^"\\\n]+")')
_FIND_LINKS = re.compile(r"((?<![\w-])find-links\s*=\s*)(\[[^\]]*\])")
_QUOTED = re.compile(r'"([^"\\\n]+)"')


def as_recorded(
    spec: EnvironmentSpec, entries: Entries, python: str, files: Mapping[str, bytes], site: Site
) -> EnvironmentSpec:
    """`spec`, made from `files` by their names and with that Python ("": as the files say). Raises StateError.

    Of one that is put together, what is above: conda's environment below and modules are the machine's own.
    """
    if spec.parts:
        return replace(spec, parts=(*spec.parts[:-1], as_recorded(spec.parts[-1], entries, python, files, site)))
    folder = _written(files, _home(files, entries, site), site)
    inner = replace(spec, python=python or spec.python)
    return EnvironmentSpec("recorded", str(folder), text=spec.text, parts=(inner,))


def _home(files: Mapping[str, bytes], entries: Entries, site: Site) -> Path:
    """The folder in which the files were: that of the script that they are of, else the repository."""
    script = next((word for word in words(entries) if PurePath(word).name in files), "")
    return (on_disk(site.repo) / script).parent if script else on_disk(site.repo)


def python_for(version: str, site: Site) -> str:
    """The Python to make it with: that version, or the one that there is of 3.11 where nobody can have 3.11.4."""
    if not version or not downloads_off(site) or not python_refused(site, version):
        return version
    return ".".join(version.split(".")[:2])


def _written(files: Mapping[str, bytes], home: Path, site: Site) -> Path:
    """The folder with copies of them; one for each content."""
    text = "".join(f"{name} {hashlib.sha256(data).hexdigest()}\n" for name, data in sorted(files.items()))
    folder = on_disk(site.environments) / FOLDER / hashlib.sha256(f"{home}\n{text}".encode()).hexdigest()[:16]
    for name, data in files.items():
        copy = _moved(data, home, folder)
        path = folder / name
        if not path.is_file() or path.read_bytes() != copy:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, copy, durable=False)
    return folder


def _moved(data: bytes, home: Path, folder: Path) -> bytes:
    """With what they name beside them, in `home`, as it is seen from `folder`."""

    def seen(place: str) -> str:
        if "://" in place or os.path.isabs(place) or place == "." or not os.path.lexists(home / place):  # noqa: PTH117
            return place
        try:
            return Path(os.path.relpath(home / place, folder)).as_posix()
        except ValueError:  # Windows: on another drive
            return (home / place).as_posix()

    def quoted(text: str) -> str:
        return _QUOTED.sub(lambda found: f'"{seen(found[1])}"', text)

    text = data.decode("utf-8-sig", "surrogateescape")
    text = _PLACE.sub(lambda found: found[1] + quoted(found[2]), text)
    text = _FIND_LINKS.sub(lambda found: found[1] + quoted(found[2]), text)
    return text.encode("utf-8", "surrogateescape")


def beside(
    files: Mapping[str, bytes], entries: Entries, installed: Collection[str], site: Site
) -> Iterator[tuple[str, Path, bool]]:
    """Of the packages `installed`, those that the lock of then takes from beside it: name, place, is it code."""
    import tomllib

    home = _home(files, entries, site)
    for name, data in files.items():
        try:
            packages = tomllib.loads(data.decode("utf-8-sig")).get("package", []) if name.endswith(".lock") else []
        except (ValueError, RecursionError):
            continue
        for package in packages:
            source = package.get("source", {})
            for key in ("path", "directory", "editable") if package.get("name") in installed else ():
                place = source.get(key) if isinstance(source, dict) else None
                if isinstance(place, str) and "://" not in place:
                    path = Path(os.path.normpath(home / place))
                    yield f"{package['name']} {package.get('version', '')}".rstrip(), path, key != "path"


@Once
def _there(site: Site, folder: str) -> Site:
    other = replace(site, repo=site.host.path(folder), environments=site.host.path(folder), asked=Asked())
    hand_on(site, other)
    offline.tell(other, offline(site))
    return other


def _own(entries: Entries, spec: EnvironmentSpec) -> Entries:
    """With the copy of a script that names its own packages in place of the script."""
    copies = _copies(spec)

    def own(text: str) -> str:
        copy = copies.get(PurePath(text).name)
        return copy if copy is not None else text

    return [
        own(entry)
        if isinstance(entry, str)
        else ResolvedFlags(tuple((flag, value and own(value)) for flag, value in entry.items))
        for entry in entries
    ]


def _copies(spec: EnvironmentSpec) -> Mapping[str, str]:
    return _copies_in(spec.name)


@cache
def _copies_in(folder: str) -> Mapping[str, str]:
    """Script -> its copy, which has its lock beside it."""
    locks = Path(folder).glob("*.lock")
    return {copy.name: str(copy) for lock in locks if (copy := lock.with_suffix("")).is_file()}


def _wrap(request: Request, site: Site) -> Command:
    """The script itself is started, and not the copy: what it reads may lie beside it."""
    spec = request.spec
    own = replace(request, spec=spec.parts[0], entries=_own(request.entries, spec))
    command = kind(spec.parts[0]).wrap(own, _there(site, spec.name))
    back = {copy: text for text in words(request.entries) if (copy := _copies(spec).get(PurePath(text).name))}
    back |= {os.path.realpath(copy): text for copy, text in back.items()}
    return replace(command, argv=tuple(back.get(word, word) for word in command.argv))


def _prepare(spec: EnvironmentSpec, entries: Entries, site: Site) -> Preparation | None:
    inner = spec.parts[0]
    found = kind(inner).prepare(inner, _own(entries, spec), _there(site, spec.name))
    if found is None:
        return None
    explain = found.explain

    def of_then(command: Command, code: int, output: str) -> RunnerError:
        error = explain(command, code, output)
        said = [line for line in error.cure.splitlines() if line.startswith("uv:")]  # the rest is about today's lock
        return EnvironmentMissing(
            f"the environment of then cannot be made again: {error.message}",
            "\n".join([f"Bring back what is missing; its lock of then is in {spec.name}.", *said]),
        )

    return replace(found, title=f"{found.title} as it was", explain=of_then)


def _as_then(found: Finding, site: Site) -> Finding:
    """Where no network is used all is told before it is made; what `found` says to do is for today's lock."""
    if found.key != "environment" or not offline(site):
        return found
    said = [line for line in found.cure.splitlines() if line.startswith("uv:")]
    cure = "On a computer with a network, the same `reproduce` with UV_CACHE_DIR on a folder; bring that folder here."
    return replace(
        found,
        message=f"the environment of then cannot be made again: {found.message}",
        cure="\n".join([cure, "With the environments of today: --todays-lock.", *said]),
    )


def _kind(spec: EnvironmentSpec) -> Kind:
    """The kind of what is made again, asked in its folder."""
    inner, folder = spec.parts[0], spec.name
    own = kind(inner)

    def around(entries: Entries, site: Site) -> tuple[EnvironmentSpec, Entries, Site]:
        return inner, _own(entries, spec), _there(site, folder)

    def refusal(command: Command, code: int | None, said: str, spec: EnvironmentSpec, site: Site) -> RunnerError | None:
        return own.refusal(command, code, said, inner, _there(site, folder))

    return replace(
        own,
        check=lambda spec, entries, site: [_as_then(one, site) for one in own.check(*around(entries, site))],
        wrap=_wrap,
        fingerprint=lambda spec, entries, site: own.fingerprint(*around(entries, site)),
        prepare=_prepare,
        key=lambda spec, entries: (folder, own.key(inner, entries)),
        folder=lambda spec, entries, site: own.folder(*around(entries, site)),
        program=lambda word, spec, site: own.program(word, inner, _there(site, folder)),
        how_to_add=lambda package, spec, site: (
            f"{package} was not in its environment then, either: see that run's log."
        ),
        refusal=refusal,
        made_from=lambda spec, entries, site: own.made_from(*around(entries, site)),
        travels=None,
    )


KIND = _kind
