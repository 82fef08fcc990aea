"""Which environments the pipelines need: those that travel with their locks, and in words those that do not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.bundle.choose import Chosen, choose
from runner.bundle.names import RUNNER, name_of
from runner.bundle.target import Target
from runner.environments import Locked, Site, kind, parts
from runner.environments.spec import parse_environment, with_modules
from runner.environments.uv.travel import pylock_of
from runner.ground.words import some
from runner.model import EnvironmentSpec
from runner.tasks import Task

# what stands for a kind of which nothing can be taken along
_INSTALLED = {
    "imagej": "ImageJ or Fiji must be installed there (FIJI_PATH in .env says where)",
    "wsl": "WSL must be there, with {name} in it",
    "": "it runs in a shell: the programs of its line must be installed there",
}


@dataclass
class Needed:
    """An environment of the bundle."""

    name: str  # of its folder there
    task: Task
    pipeline: int  # which of them has it first
    python: str
    chosen: Chosen
    segments: list[str] = field(default_factory=list)  # in words: who needs it


@dataclass
class Needs:
    environments: list[Needed]
    runner: Chosen
    lacking: Mapping[Path, bytes]  # locks of scripts that were made for this
    missing: tuple[str, ...]  # in words

    @property
    def everything(self) -> list[Chosen]:
        return [self.runner, *(one.chosen for one in self.environments)]


def look(
    pipelines: Sequence[tuple[Path, Sequence[Task]]],
    site: Site,
    own: Site,
    target: Target,
    python: str,
    say: Callable[[str], None],
) -> Needs:
    """`own`: with the repository of the runner. Raises EnvironmentMissing for what the target cannot have."""
    found: dict[Hashable, Needed] = {}
    missing: dict[str, list[str]] = {}
    lacking: dict[Path, bytes] = {}
    for number, (path, tasks) in enumerate(pipelines):
        for task in tasks:
            who = f"segment {task.segment.number} of {path.name}"
            for what in _missing(task):
                missing.setdefault(str(task.masked(what, site)), []).append(who)
            last = parts(task.spec)[-1]
            key = kind(last).key(last, task.entries)  # below another one, or with modules, it is the same
            if not kind(task.spec).travels:
                continue
            if key not in found:
                say(f"looking at {task.spec.text} ({who})")
                wanted, locked = _locked(task, site, python)
                lacking.update(locked.lacking)
                name = _unused(name_of(task), [one.name for one in found.values()])
                chosen = choose(locked, target, wanted, f"{task.spec.text} ({who})")
                found[key] = Needed(name, task, number, wanted, chosen)
            found[key].segments.append(who)
    words = ("--project", str(own.repo), "--no-default-groups", "--no-emit-project")
    runner = choose(pylock_of(own, words), target, python, "the runner itself")
    said = tuple(f"{some(who, 3)}: {what}" for what, who in missing.items())
    return Needs(list(found.values()), runner, lacking, said)


def _locked(task: Task, site: Site, python: str) -> tuple[str, Locked]:
    travels = kind(task.spec).travels
    assert travels is not None
    return travels.python(task.spec, task.entries, site, python), travels.lock(task.spec, task.entries, site)


def as_there(task: Task, target: Target) -> Task:
    """With the environment that it has on the target: a distribution of WSL counts on Windows alone."""
    if not task.segment.distro:
        return task
    spec = parse_environment(task.spec.text, task.segment.distro, target.sys_platform)
    return replace(task, spec=with_modules(spec, task.spec.modules))


def _missing(task: Task) -> list[str]:
    own = [f"the module {name} must be there" for name in task.spec.modules]
    own += [f"{name} must stand in .env there" for name in sorted(task.secrets)]
    return own + [what for part in parts(task.spec) if (what := _words(part))]


def _words(spec: EnvironmentSpec) -> str:
    own = kind(spec)
    if own.travels or own.packs:
        return ""
    return _INSTALLED.get(own.tool, f"{own.tool} must be installed there").format(
        name=", and ".join(filter(None, (spec.distro, spec.text)))
    )


def _unused(name: str, others: Sequence[str]) -> str:
    tries = (f"{name}-{number}" if number > 1 else name for number in range(1, len(others) + 2))
    return next(one for one in tries if one not in (*others, RUNNER))
