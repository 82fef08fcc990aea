"""Where a segment's command runs: one module per kind, named here and nowhere else.

A module satisfies `Kind` by its functions. It returns commands and never starts one; what it must ask a
program (`conda info --base`) goes through `Site.host.capture`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path, PurePath
from typing import Protocol, cast

from runner.errors import RunnerError
from runner.host import Host
from runner.model import Command, EnvironmentSpec, ResolvedEntry, Severity


@dataclass(frozen=True)
class Site:
    """The surroundings of one invocation, the same for every segment."""

    host: Host
    repo: PurePath  # holds pyproject.toml, uv.lock, .env, standard_code/
    dotenv: Mapping[str, str]  # of the repository
    environments: PurePath  # the folder of our own environments, normally REPO/.venvs
    asked: dict[str, str] = field(default_factory=dict)  # answers found once an invocation (where conda is)
    notes: list[str] = field(default_factory=list)  # warnings met on the way, for the user to see once


@dataclass(frozen=True)
class Finding:
    """Why an environment or a command cannot be used, or is not what it seems; shown with the segment's position."""

    message: str
    cure: str
    key: str = "environment"  # the key of the segment that it is about, as in Segment.marks
    severity: Severity = Severity.ERROR


@dataclass(frozen=True)
class Preparation:
    """What brings an environment up to date. The runner holds `lock` while it runs `commands` in order."""

    title: str  # "uv group segment_threshold"
    commands: tuple[Command, ...]
    lock: Path
    still_needed: Callable[[], bool]  # asked again once the lock is held: another process may have done it
    explain: Callable[[Command, int, str], RunnerError]  # a failed command, its exit code and output
    done: Callable[[str], None]  # called with the last command's output, still under the lock: write the stamp
    begin: Callable[[], None] = lambda: None  # called under the lock before the first command: drop the old stamp
    instead: Callable[[int, str], tuple[Command, ...]] = lambda code, output: ()  # where a command failed: what to try
    changes: Path | None = None  # the virtual environment that is changed, once no program runs from it any more


class Kind(Protocol):
    def check(self, spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
        """What would stop this segment, without writing anything; empty when it can run or be prepared."""
        ...

    def prepare(self, spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Preparation | None:
        """How to bring the environment up to date; None when nothing is to be done."""
        ...

    def wrap(
        self,
        spec: EnvironmentSpec,
        entries: Sequence[ResolvedEntry],
        env: Mapping[str, str],
        cwd: str,
        site: Site,
        *,
        dry: bool = False,
    ) -> Command:
        """The command as it will be started. `dry`: nothing may be asked of a program, best effort."""
        ...

    def fingerprint(self, spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
        """What the environment holds, for the receipt: {"kind": ..., "packages": {name: version}, ...}."""
        ...


KINDS = {
    "uv": "runner.environments.uv.kind",
    "script": "runner.environments.uv.script",
    "conda": "runner.environments.conda.kind",
    "imagej": "runner.environments.imagej.kind",
    "shell": "runner.environments.shell",
    "wsl": "runner.environments.wsl.kind",
}


def kind(spec: EnvironmentSpec) -> Kind:
    """The module for `spec`, imported when first needed."""
    return cast(Kind, import_module(KINDS[spec.kind]))


def ask_user(specs: Iterable[EnvironmentSpec], site: Site) -> None:
    """Asks at the terminal for what only a person can tell: where conda or ImageJ is. Does nothing without one.

    For the foreground, before anything runs: `prepare` may be called in another thread.
    """
    if not site.host.interactive:
        return
    for spec in dict.fromkeys(specs):
        asks = getattr(kind(spec), "ask", None)
        if asks is not None:
            asks(spec, site)


def looked_in(places: Iterable[str]) -> str:
    """Where something was searched in vain, a line for each place."""
    return "\n".join(["Looked in:", *(f"  {place}" for place in places)])


def how_to_add(module: str, spec: EnvironmentSpec, site: Site) -> str:
    """The cure for a Python module that an environment lacks."""
    package = _PACKAGES.get(module, module)
    says = getattr(kind(spec), "how_to_add", None)
    return str(says(package, spec, site)) if says is not None else f"Install {package} where this Python looks for it."


def refusal(command: Command, code: int | None, said: str, spec: EnvironmentSpec, site: Site) -> RunnerError | None:
    """The error where the program that starts a segment's own failed, and not that; `said` is all that was printed."""
    says = getattr(kind(spec), "refusal", None)
    return cast(RunnerError | None, says(command, code, said, spec, site)) if says is not None else None


# modules whose package has another name
_PACKAGES = {
    "Bio": "biopython",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "dotenv": "python-dotenv",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "yaml": "pyyaml",
}


def words(entries: Sequence[ResolvedEntry]) -> list[str]:
    """Entries laid out as an argument list: a flag map gives its flag and, where there is one, its value."""
    out: list[str] = []
    for entry in entries:
        if isinstance(entry, str):
            out.append(entry)
            continue
        for flag, value in entry.items:
            out.append(flag)
            if value is not None:
                out.append(value)
    return out
