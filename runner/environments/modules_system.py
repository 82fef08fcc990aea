"""Environment Modules (Tcl or C) or Lmod of this machine: where it is, and what loading modules changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePath

from runner.environments.sourcing import Sourced, shown, sourced
from runner.ground.disk import entries, is_file
from runner.ground.words import time_text
from runner.host import Host
from runner.model import Finding

LOADED = "LOADEDMODULES"  # the variable in which both keep what is loaded
TIMEOUT = 120.0  # seconds for all of them: a home folder on a busy share is slow
# `modulecmd SHELL load NAME` prints lines for a shell, which end with a false one where it failed
_LOAD = (
    "run_pipeline_modules=$1; shift; run_pipeline_at start; "
    '[ -n "${MODULEPATH:-}" ] || eval "$("$run_pipeline_modules" bash autoinit)"; '
    '[ -z "${LOADEDMODULES:-}" ] || eval "$("$run_pipeline_modules" bash purge)"; '
    'run_pipeline_at "after "; printf %s "${LOADEDMODULES:-}"; '
    'for run_pipeline_name in "$@"; do run_pipeline_at "load $run_pipeline_name"; '
    'run_pipeline_text=$("$run_pipeline_modules" bash load "$run_pipeline_name") || exit 1; '
    'eval "$run_pipeline_text" || exit 1; '
    'run_pipeline_at "after $run_pipeline_name"; printf %s "${LOADEDMODULES:-}"; done'
)
_USUAL = (
    "/usr/share/lmod/lmod/libexec/lmod",
    "/opt/apps/lmod/lmod/libexec/lmod",
    "/usr/share/Modules/libexec/modulecmd.tcl",
    "/usr/local/Modules/libexec/modulecmd.tcl",
    "/usr/share/modules/libexec/modulecmd.tcl",
)
_WORTH_TELLING = re.compile(r"error|cannot|unable|unknown|conflict|not found|reloaded", re.IGNORECASE)


def find_system(host: Host) -> PurePath | Finding:
    """The program that works out what `module load` changes."""
    if host.windows:
        cure = "Take `modules` out here; install what they bring, or give it by conda (`conda:NAME + uv:GROUP`)."
        return _finding("modules are loaded on Linux and macOS only: Windows has no Environment Modules", cure)
    looked = []
    for program in _candidates(host):
        looked.append(str(program))
        if is_file(program):
            return program
    cure = (
        "Install it (Debian: environment-modules), set MODULES_CMD to its modulecmd.tcl or LMOD_CMD to its lmod, or "
        "take `modules` out. Looked in: " + ", ".join(dict.fromkeys(looked)) + "."
    )
    return _finding("the segment asks for modules, and this machine has neither Environment Modules nor Lmod", cure)


def load(names: Sequence[str], system: PurePath, host: Host) -> tuple[dict[str, str], list[str]] | Finding:
    """All variables with exactly these loaded, and what is worth telling; or the first that cannot be loaded."""
    got = sourced(_LOAD, [str(system), *names], host.environ, host, timeout=TIMEOUT)
    if got is None:
        return _finding("modules need bash, which was not found on PATH", "Install bash.")
    if got.after is None:
        return _refused(names, next(reversed(got.printed), "").partition(" ")[2], got, system, host)
    loaded = {name: got.printed[f"after {name}"] for name in ("", *names)}
    for before, name in pairwise(("", *names)):  # older ones end with 0 whatever they say
        unchanged = loaded[before] == loaded[name] and got.complained.get(f"load {name}", "").strip()
        if unchanged and not _has(loaded[name], name):
            return _refused(names, name, got, system, host)
    last = got.after.get(LOADED, "")
    for place, name in enumerate(names):
        if _has(loaded[name], name) and not _has(last, name):  # Lmod puts one version in the place of another
            message = f"the module {name!r} is unloaded again by those behind it: {last.replace(':', ', ')} stay"
            return _finding(message, "Take one of those that exclude each other out of `modules`.", place)
    notes = [
        f"while the module {where[5:]} was loaded, this was reported:\n{_indented(text)}"
        for where, text in got.complained.items()
        if where.startswith("load ") and _WORTH_TELLING.search(text)
    ]
    return got.after, notes


def _candidates(host: Host) -> Iterator[PurePath]:
    environ = host.environ
    for name in ("LMOD_CMD", "MODULES_CMD"):
        if value := environ.get(name):
            yield host.path(value)
    if home := environ.get("MODULESHOME"):
        for inside in ("libexec/lmod", "libexec/modulecmd.tcl", "bin/modulecmd"):
            yield host.path(home) / inside
    if found := host.which("modulecmd"):
        yield host.path(found)
    yield from map(host.path, _USUAL)
    # Debian's lies in the folder of the machine's libraries
    for folder in entries(host.path("/usr/lib"), "-gnu"):
        yield folder / "modulecmd.tcl"


def _has(loaded: str, name: str) -> bool:
    """Whether it is there, as itself or (a default) with a version behind."""
    return any(one == name or one.startswith(f"{name}/") for one in loaded.split(":"))


def _refused(names: Sequence[str], name: str, got: Sourced, system: PurePath, host: Host) -> Finding:
    if got.answer.code is None:
        why = got.answer.error or f"it did not end within {time_text(TIMEOUT)}"
        return _finding(f"modules cannot be loaded with {system}: {why}", "Try `module load` in a shell.")
    said = shown(got.complained.get(f"load {name}", "") or got.complained.get("start", ""))
    if not name:
        return _finding(f"{system} does not work:\n{_indented(said)}", "Try `module list` in a shell.")
    place = names.index(name)
    before = names[:place]
    message = f"the module {name!r} cannot be loaded{_behind(before)}"
    return _finding(f"{message}:\n{_indented(said)}" if said else message, _cure(name, said, system, host), place)


def _cure(name: str, said: str, system: PurePath, host: Host) -> str:
    if "conflict" in said.lower():
        return "Take one of those that conflict out of `modules`."
    if "inconsistent" in said.lower():  # what is loaded around the runner could not be unloaded
        return "The modules of this shell are in disorder: start from a new one."
    near = _like(name, system, host)
    if _has(":".join(near), name):
        return f"It is there, but fails: `module show {name}`. Ask those who look after it."
    if near:
        return f"There are: {', '.join(near)}."
    unset = (
        "" if host.environ.get("MODULEPATH") else " MODULEPATH is not set here, as in a shell that is no login shell."
    )
    return f"`module avail` in a shell shows those that there are.{unset}"


def _like(name: str, system: PurePath, host: Host) -> list[str]:
    """What the system has of that name in another version."""
    stem = name.partition("/")[0]
    answer = host.capture([str(system), "bash", "-t", "avail", stem], env=host.environ, timeout=20.0)
    lines = (answer.stdout + b"\n" + answer.stderr).decode("utf-8", "replace").splitlines()
    found = [line.strip().removesuffix("(default)").strip() for line in lines if line.strip().startswith(stem)]
    return sorted({line for line in found if not line.endswith(":")})[:10]


def _behind(before: Sequence[str]) -> str:
    return f" behind {', '.join(before)}" if before else ""


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in shown(text).splitlines()[:6])


def _finding(message: str, cure: str, place: int = 0) -> Finding:
    return Finding(message, cure, f"resources.modules.{place}")
