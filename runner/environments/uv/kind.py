"""`environment: uv:GROUP`: the group's own virtual environment, kept in step with uv.lock by uv."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from runner.environments import Kind, Locked, Preparation, Request, Site, Travels
from runner.environments.leaks import without_outer_libraries
from runner.environments.python_words import python_prints_utf8, python_words
from runner.environments.site import Once
from runner.environments.spec import normalised_group
from runner.environments.uv.binary import find_uv
from runner.environments.uv.direct import Direct, directly
from runner.environments.uv.elsewhere import from_elsewhere
from runner.environments.uv.findings import (
    explain,
    no_group,
    own_program,
    program_missing,
    python_missing,
)
from runner.environments.uv.groups import lock_file, no_lock, python_bounds, read_project
from runner.environments.uv.in_store import (
    OWN,
    compiled,
    made_to_move,
    mended,
    move_on,
    moving_on,
    older,
    stop_without_store,
    with_any_python,
)
from runner.environments.uv.missing import packages_missing
from runner.environments.uv.moved import base_gone, python_for
from runner.environments.uv.pythons import with_conda, without_conda
from runner.environments.uv.relocate import has_fixed_launchers, mend_programs, relocating
from runner.environments.uv.settings import (
    has_files,
    lock_command,
    options,
    settings_apart,
    write_stand_in,
)
from runner.environments.uv.stamp import (
    Condition,
    Place,
    State,
    begin,
    condition,
    interpreter,
    is_whole,
    note_use,
    python_asked,
    venv_settings,
    write_stamp,
)
from runner.environments.uv.travel import pylock_of, python_of, unpacking
from runner.environments.uv.variables import no_git, unwanted
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.disk import entries as listing
from runner.ground.disk import on_disk
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

_PLAIN_VERSION = re.compile(r"(?:c?python[@=]*)?(3(?:\.\d+){0,2})", re.IGNORECASE)
_REFUSED = (1, 2)  # uv's exit codes where it fails itself
_FORM = "Write it as `uv:GROUP` or `uv@3.11:GROUP`, with a group of [dependency-groups] in pyproject.toml."


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No such group, no lock, no uv, no such Python where none may be downloaded, a program that is not there."""
    if not spec.name:
        return [Finding(f"`environment: {spec.text}` names no dependency group", _FORM)]
    try:
        project = read_project(on_disk(site.repo))
        if spec.name not in project.groups:
            return [no_group(spec, project, site)]
        if not lock_file(on_disk(site.repo)).is_file():
            return [Finding(no_lock(on_disk(site.repo)).message, f"Run {lock_command(site)}.")]
        find_uv(site)
        where = place(spec, site)
        stop_without_store(site, where.folder)
        state = _state(site, where)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure)]
    if not entries:
        return [Finding("the segment has no command", "Add a script or `python` under `commands:`.", "commands")]
    if state is State.MOVED:
        return base_gone(where.folder, site)
    if state not in (State.IN_STEP, State.RECHECK):
        return python_missing(where, project, site) or packages_missing(where, spec.text or spec.name, site)
    _, program = python_words(entries, str(site.repo), site.host)
    missing = program_missing(program, where, site)
    return [missing] if missing else []


def prepare(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Preparation | None:
    """`uv sync` of the group, or only `uv lock --check` where its part of the lock is as it was."""
    where = place(spec, site)
    stop_without_store(site, where.folder)
    work = _Work(where, site)
    if not work.still_needed():
        note_use(where)
        return None
    if work.found.state is State.RECHECK and not os.access(where.stamp.parent, os.W_OK):
        return None  # a read-only share: what is there is right
    work.planned = work.found.state
    recheck = work.planned is State.RECHECK
    return Preparation(
        f"uv group {where.group}",
        (_lock_check(where, site),) if recheck else work.commands(),
        where.lock,
        work.still_needed,
        lambda command, code, output: explain(where, site, code, output),
        work.done,
        work.begin,
        work.instead,
        None if recheck else on_disk(where.folder),
    )


def wrap(request: Request, site: Site) -> Command:
    """`uv run --no-sync … -- python …`. Raises EnvironmentMissing where the environment or a program is not there.

    uv itself would make an empty environment, and take the program from the caller's PATH. On Windows the environment's
    program is started as uv would start it: uv ends at once when it hears the Ctrl-Break that asks a segment to stop.
    So it is for one of many items, as `uv run` takes longer than a short program.
    """
    spec, env, cwd, dry = request.spec, request.env, request.cwd, request.dry
    argv, program = python_words(request.entries, cwd, site.host)
    try:
        where, direct = _start(site, spec) if request.many else _start.anew(site, spec)
        if missing := program_missing(program, where, site):
            raise EnvironmentMissing(missing.message, missing.cure)
    except EnvironmentMissing:
        if not dry:
            raise
        where, direct = place(spec, site), None
    own = _own_variables(where) | ({"UV_PYTHON": where.python} if where.python else {})
    # uv itself fails beside a read-only cache
    if direct and (site.host.windows or request.many or site.store or _is_read_only(site.host.environ)):
        return direct.command([str(direct.python.parent / argv[0]), *argv[1:]], cwd, {**env, **own})
    words = (
        _uv_for(site, dry=dry), "run", "-q", "--project", str(site.repo), "--frozen", "--no-sync",
        *(("--no-config",) if has_files(site) else ()), "--only-group", where.group, "--", *argv,
    )  # fmt: skip
    return Command(
        words,
        cwd,
        {"PYTHONUNBUFFERED": "1", **env, **own},
        python_prints_utf8(site.host) | without_outer_libraries(site.host.environ, site.host),
        unset=unwanted(site.host.environ),
        stop_leader_only=True,
    )


@Once
def _start(site: Site, spec: EnvironmentSpec) -> tuple[Place, Direct]:
    """Remembered for many items: what changes on the disk meanwhile is for the next run."""
    where = place(spec, site)
    if not is_whole(where.folder, site.host):
        cure = f"Prepare it with `run-pipeline env sync {where.group}`."
        raise EnvironmentMissing(f"the environment of uv group {where.group} is not in {where.folder}", cure)
    return where, directly(interpreter(where.folder, site.host), site)


def refusal(command: Command, code: int | None, said: str, spec: EnvironmentSpec, site: Site) -> RunnerError | None:
    """The error where `uv run` itself ended and the program was never started; None where it was the program.

    `said` is all that was printed. uv's exit codes are those of programs as well, so it is asked for nothing but a
    start of Python.
    """
    through_uv = command.stop_leader_only
    if not through_uv or code not in _REFUSED or not re.search(r"^(?:error|warning): ", said, re.MULTILINE):
        return None
    argv = [*command.argv[: command.argv.index("--") + 1], "python", "-c", ""]
    environ = {name: value for name, value in site.host.environ.items() if name not in command.unset}
    environ |= {**command.activation, **command.env}
    answer = site.host.capture(argv, env=environ, cwd=command.cwd, timeout=60.0)
    if answer.code is None or answer.code not in _REFUSED:
        return None
    return explain(place(spec, site), site, answer.code, answer.stderr.decode("utf-8", "replace"))


def how_to_add(package: str, spec: EnvironmentSpec, site: Site) -> str:
    if not settings_apart(site):
        return f"Add {package} to the group {spec.name} and start again: uv add --group {spec.name} {package}"
    return f"Add {package} to the group {spec.name} in pyproject.toml, run {lock_command(site)}, and start again."


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """Group, Python and packages, read from the environment's own notes; nothing is started."""
    where = place(spec, site)
    settings = venv_settings(where.folder)
    version = settings.get("version_info") or settings.get("version", "")
    return {"kind": "uv", "group": where.group, "python": version, "packages": packages(where.folder, site)}


def made_from(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, Path]:
    """pyproject.toml and uv.lock. Of a member of a workspace nothing: its lock is that of folders beside it."""
    repo = on_disk(site.repo)
    try:
        lock = lock_file(repo)
    except EnvironmentMissing:
        return {}
    if lock.parent != repo or not lock.is_file():
        return {}
    files = (repo / "pyproject.toml", lock, repo / "uv.toml")
    return {path.name: path for path in files if path.is_file()}


def place(spec: EnvironmentSpec, site: Site) -> Place:
    """Where the environment of `spec` is; `uv:g` and `uv@3.11:g` share one when they mean the same version."""
    try:
        project = read_project(on_disk(site.repo))
    except EnvironmentMissing:  # `check` says so
        project = None
    python = python_asked(spec.name, spec.python.strip(), project, site)
    if found := _PLAIN_VERSION.fullmatch(python):
        python = found[1]
    suffix = "-py" + re.sub(r"[^A-Za-z0-9.]+", "-", python).strip("-.") if python else ""
    return Place(spec.name, python, site.environments / f"{spec.name}{suffix}")


def _python(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site, wanted: str) -> str:
    project = read_project(on_disk(site.repo))
    rule = project.requires_python.get(spec.name, "")
    return python_of(place(spec, site).python, rule, wanted, f"uv group {spec.name}")


def _lock(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Locked:
    if spec.name not in (project := read_project(on_disk(site.repo))).groups:
        found = no_group(spec, project, site)
        raise EnvironmentMissing(found.message, found.cure)
    return pylock_of(site, ("--project", str(site.repo), "--only-group", spec.name))


def _install(
    spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site, pylock: Path, python: str
) -> Preparation | None:
    where = place(spec, site)
    work = _Work(where, site)
    if not work.still_needed():
        return None
    work.planned = work.found.state
    made = unpacking(
        *(f"uv group {where.group}", on_disk(where.folder), pylock, python, site, where.lock),
        *(work.still_needed, work.begin, work.done),
    )
    # the group's part of the lock is as it was: a new stamp says so
    return replace(made, commands=(), changes=None) if work.planned is State.RECHECK else made


def packages(folder: PurePath, site: Site) -> dict[str, str]:
    """Name and version of each installed package, from the *.dist-info folders."""
    libraries = [folder / "Lib"] if site.host.windows else listing(folder / "lib")
    found = {}
    for library in libraries:
        for info in listing(library / "site-packages", ".dist-info"):
            name, _, version = info.name.removesuffix(".dist-info").rpartition("-")
            found[normalised_group(name)] = version
    return found


@Once
def _state(site: Site, where: Place) -> State:
    """For the checks of all segments; preparing looks again."""
    return condition(where, site).state


class _Work:
    """What a preparation remembers between its steps."""

    def __init__(self, where: Place, site: Site) -> None:
        self.where, self.site = where, site
        self.found = Condition(State.MISSING, "")
        self.planned = State.MISSING
        self.older: Place | None = None  # moved to where it is now looked for

    def still_needed(self) -> bool:
        self.found = condition(self.where, self.site)
        return self.found.state is not State.IN_STEP

    def commands(self) -> tuple[Command, ...]:
        where, site = self.where, self.site
        if self.planned is State.MOVED:
            for finding in base_gone(where.folder, site):
                raise EnvironmentMissing(finding.message, finding.cure)
            if base := python_for(site, where.folder):
                fixed = has_fixed_launchers(where.folder, site.host)
                check = _sync_command(where, site, "--reinstall") if fixed else _lock_check(where, site)
                return relocating(where.folder, base, site), check
            self.planned = State.MISSING
        self.older = older(where, site)
        if self.older:
            first, more = moving_on(self.older, where, site)
        else:
            python = where.python or python_of("", python_bounds(where.group, on_disk(site.repo)), OWN, where.group)
            first, more = made_to_move(where.folder, python, site), ()
        return (*first, _sync_command(where, site, *more), *compiled(where.folder, site))

    def instead(self, command: Command, code: int, output: str) -> tuple[Command, ...]:
        if command.argv[1] == "venv":
            return with_any_python(command)
        sync = _sync_command(self.where, self.site)
        return from_elsewhere(self.where, self.site, sync, output) or with_conda(sync, self.site.host)

    def begin(self) -> None:
        """From here on the environment is neither old nor new, and a kill must leave it known as such."""
        write_stand_in(self.site)
        if self.planned is State.MOVED:
            mend_programs(self.where.folder, self.site.host)
        elif self.planned is not State.RECHECK:
            begin(self.where, self.site.host)
            if self.older:
                move_on(self.older, self.where)
        elif self.found.state is not State.RECHECK:
            raise EnvironmentMissing(
                f"the environment of uv group {self.where.group} was changed by another process meanwhile",
                "Start the pipeline again.",
            )

    def done(self, output: str) -> None:
        if not is_whole(self.where.folder, self.site.host):
            raise EnvironmentMissing(
                f"uv reported success, but {self.where.folder} holds no Python", "Remove that folder and start again."
            )
        mended(self.where.folder, self.site)
        write_stamp(self.where, self.found.stamp)


def _lock_check(where: Place, site: Site) -> Command:
    return _prepare_command(where, site, "lock", "--check")


def _sync_command(where: Place, site: Site, *more: str) -> Command:
    version = ("--python", where.python) if where.python else ()
    return _prepare_command(where, site, "sync", "--locked", "--only-group", where.group, *version, *more)


def _prepare_command(where: Place, site: Site, verb: str, *words: str) -> Command:
    return Command(
        (find_uv(site).path, verb, "--project", str(site.repo), *words, *options(site)),
        str(site.repo),
        {
            **_own_variables(where),
            "UV_NO_PROGRESS": "1",
            "UV_NO_WRAP": "1",
            **without_conda(site.host),
            **no_git(site.host.environ),
        },
        unset=unwanted(site.host.environ),
        stop_leader_only=True,
    )


def _is_read_only(environ: Mapping[str, str]) -> bool:
    """Of a cache that a variable names."""
    folder = environ.get("UV_CACHE_DIR", "")
    return bool(folder) and os.path.isdir(folder) and not os.access(folder, os.W_OK)  # noqa: PTH112


def _own_variables(where: Place) -> dict[str, str]:
    return {"UV_PROJECT_ENVIRONMENT": str(where.folder)}


def _uv_for(site: Site, *, dry: bool) -> str:
    try:
        return find_uv(site).path
    except EnvironmentMissing:
        if dry:  # a plan is shown all the same; `check` tells that uv is missing
            return "uv"
        raise


KIND = Kind(
    check, wrap, fingerprint, prepare,
    folder=lambda spec, entries, site: place(spec, site).folder,
    program=lambda word, spec, site: own_program(word, place(spec, site), site),
    how_to_add=how_to_add, refusal=refusal, made_from=made_from, travels=Travels(_python, _lock, _install), above=True,
    tool="uv", managed=True,
)  # fmt: skip
