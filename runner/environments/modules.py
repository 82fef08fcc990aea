"""`modules` of a segment's `resources:`: Environment Modules or Lmod, loaded before its environment.

What loading them changes is worked out once a run, as an activation is, and the environment then stands on it. It
starts from none: what is loaded around the runner may be another version, or conflict, and does not count. So it is the
same in a shell and in a cluster's job.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from runner.environments import Kind, Preparation, Request, Site, kind
from runner.environments.modules_system import LOADED, find_system, load
from runner.environments.site import Once
from runner.environments.standing import own_library_first, seen_from, standing_on
from runner.errors import EnvironmentMissing, RunnerError
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

Entries = Sequence[ResolvedEntry]
# of a cluster's job: what the site file has loaded for all of them, and a segment's own list is not to unload
OF_SITE = "RUN_PIPELINE_MODULES"


def check(spec: EnvironmentSpec, entries: Entries, site: Site) -> list[Finding]:
    """No modules system, a module that cannot be loaded; then what stops the environment where they are loaded."""
    found = _loaded(site, spec.modules)
    if isinstance(found, Finding):
        return [found]
    return kind(spec.parts[0]).check(spec.parts[0], entries, found)


def prepare(spec: EnvironmentSpec, entries: Entries, site: Site) -> Preparation | None:
    """With the modules loaded: uv may be one of them, or where its cache is may be said by one."""
    inner = _site(site, spec)
    found = kind(spec.parts[0]).prepare(spec.parts[0], entries, inner)
    if found is None:
        return None

    def outside(commands: Sequence[Command]) -> tuple[Command, ...]:
        return tuple(seen_from(command, inner, {}, site.host) for command in commands)

    instead = found.instead
    return replace(found, commands=outside(found.commands), instead=lambda *told: outside(instead(*told)))


def wrap(request: Request, site: Site) -> Command:
    """What the environment starts, with what the modules changed. Raises EnvironmentMissing."""
    spec = request.spec.parts[0]
    own = replace(request, spec=spec, loaded=True)
    if request.dry:
        return kind(spec).wrap(own, site)
    inner = _site(site, request.spec)
    command = kind(spec).wrap(own, inner)
    made = kind(spec).folder(spec, request.entries, inner) if kind(spec).above else None
    return seen_from(command, inner, own_library_first(inner, made) if made else {}, site.host)


def key(spec: EnvironmentSpec, entries: Entries) -> Hashable:
    return spec.modules, kind(spec.parts[0]).key(spec.parts[0], entries)


def fingerprint(spec: EnvironmentSpec, entries: Entries, site: Site) -> Mapping[str, object]:
    """What the environment holds, and the modules with their versions, those that others brought included."""
    inner = _or_as_it_is(site, spec)
    names = [name for name in inner.host.environ.get(LOADED, "").split(":") if name]
    own = kind(spec.parts[0]).fingerprint(spec.parts[0], entries, inner)
    return {**own, "modules": spec.modules if inner is site else names}


def refusal(command: Command, code: int | None, said: str, spec: EnvironmentSpec, site: Site) -> RunnerError | None:
    return kind(spec.parts[0]).refusal(command, code, said, spec.parts[0], site)


def _site(site: Site, spec: EnvironmentSpec) -> Site:
    found = _loaded(site, spec.modules)
    if isinstance(found, Finding):
        raise EnvironmentMissing(found.message, found.cure)
    return found


def _or_as_it_is(site: Site, spec: EnvironmentSpec) -> Site:
    """For questions to which `check` has the answer where the modules cannot be loaded."""
    found = _loaded(site, spec.modules)
    return site if isinstance(found, Finding) else found


@Once
def _loaded(site: Site, names: tuple[str, ...]) -> Site | Finding:
    system = find_system(site.host)
    if isinstance(system, Finding):
        return system
    of_site = [name for name in site.host.environ.get(OF_SITE, "").split() if name not in names]
    found = load([*of_site, *names], system, site.host)
    if isinstance(found, Finding):
        place = int(found.key.rpartition(".")[2]) - len(of_site)
        return replace(found, key=f"resources.modules.{max(place, 0)}")
    environ, notes = found
    for note in notes:
        site.notes.add(note)
    return standing_on(site, environ)


def _kind(spec: EnvironmentSpec) -> Kind:
    own = kind(spec.parts[0])

    def folder(spec: EnvironmentSpec, entries: Entries, site: Site) -> PurePath | None:
        return own.folder(spec.parts[0], entries, _or_as_it_is(site, spec))

    return Kind(
        check, wrap, fingerprint, prepare, key, folder,
        program=lambda word, spec, site: own.program(word, spec.parts[0], _or_as_it_is(site, spec)),
        lacks=lambda spec, site: own.lacks(spec.parts[0], _or_as_it_is(site, spec)),
        how_to_add=lambda package, spec, site: own.how_to_add(package, spec.parts[0], _or_as_it_is(site, spec)),
        refusal=refusal,
        made_from=lambda spec, entries, site: own.made_from(spec.parts[0], entries, _or_as_it_is(site, spec)),
        travels=own.travels and own.travels.of_part(0), tool=own.tool, managed=own.managed, by_commands=own.by_commands,
        in_shell=own.in_shell, elsewhere=own.elsewhere,
    )  # fmt: skip


KIND = _kind
