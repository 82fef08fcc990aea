"""Where a segment's command runs: one module per kind, named here and nowhere else.

A module ends with its `KIND`, the functions and traits that its callers need: nobody asks a kind for its name. It
returns commands and never starts one; what it must ask a program (`conda info --base`) goes through
`Site.host.capture`, what only a person can tell it names in `lacks`, and the command line asks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from pathlib import Path, PurePath

from runner.environments.site import Site as Site
from runner.errors import RunnerError
from runner.frozen import frozen
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

Entries = Sequence[ResolvedEntry]


@frozen
class Request:
    """What is to be started where."""

    spec: EnvironmentSpec
    entries: Entries
    env: Mapping[str, str]
    cwd: str
    dry: bool = False  # nothing may be asked of a program, best effort
    many: bool = False  # one of many items: no program between the runner and the segment's own
    loaded: bool = False  # in a place with modules loaded: nothing may set PATH anew


@frozen
class Preparation:
    """What brings an environment up to date. The runner holds `lock` while it runs `commands` in order."""

    title: str  # "uv group segment_threshold"
    commands: tuple[Command, ...]
    lock: Path
    still_needed: Callable[[], bool]  # asked again once the lock is held: another process may have done it
    explain: Callable[[Command, int, str], RunnerError]  # a failed command, its exit code and output
    done: Callable[[str], None]  # called with the last command's output, still under the lock: write the stamp
    begin: Callable[[], None] = lambda: None  # called under the lock before the first command: drop the old stamp
    # where a command failed, with its exit code and output: what to try in its place
    instead: Callable[[Command, int, str], tuple[Command, ...]] = lambda failed, code, output: ()
    changes: Path | None = None  # the virtual environment that is changed, once no program runs from it any more


@frozen
class Lack:
    """What only a person can tell: where conda or ImageJ is."""

    question: str
    variable: str  # of .env, where the answer is kept
    accept: Callable[[str], str]  # the answer counts from here on; how to write it. ValueError: why it is none


@frozen
class Below:
    """An environment as another one stands on it: variables and libraries, and nothing of its Python."""

    # what would stop it, apart from a program
    check: Callable[[EnvironmentSpec, Site], list[Finding]]
    # all variables of this machine with it in force, and those that tell of it alone; raises EnvironmentMissing
    environ: Callable[[EnvironmentSpec, Site], tuple[dict[str, str], dict[str, str]]]


@frozen
class Locked:
    """What an environment is made of on any machine that its lock is for."""

    pylock: str  # the text of a pylock.toml: markers, addresses and hashes of the lock itself
    folder: Path  # what relative paths in it count from
    lacking: Mapping[Path, bytes] = field(default_factory=dict)  # a lock that is not there and was made for this


@frozen
class Travels:
    """How an environment is taken along to a machine without a network."""

    # the version of Python that it will have, where `wanted` (3.11) is what all have that do not ask for another
    python: Callable[[EnvironmentSpec, Entries, Site, str], str]
    # raises EnvironmentMissing where the lock is not there or out of date
    lock: Callable[[EnvironmentSpec, Entries, Site], Locked]
    # makes it there from a pylock.toml whose files lie beside it, with the Python named; None where it is in step.
    # From there on it counts as made by `prepare`
    install: Callable[[EnvironmentSpec, Entries, Site, Path, str], Preparation | None]

    def of_part(self, number: int) -> Travels:
        """The same for one that is put together, of which it is this part."""
        return Travels(
            lambda spec, *rest: self.python(spec.parts[number], *rest),
            lambda spec, *rest: self.lock(spec.parts[number], *rest),
            lambda spec, *rest: self.install(spec.parts[number], *rest),
        )


@frozen
class Kind:
    """What callers need of a kind of environment; the functions without a default are those that each has."""

    # what would stop this segment, without writing anything; empty when it can run or be prepared
    check: Callable[[EnvironmentSpec, Entries, Site], list[Finding]]
    # the command as it will be started; raises EnvironmentMissing
    wrap: Callable[[Request, Site], Command]
    # what the environment holds, for the receipt: {"kind": ..., "packages": {name: version}, ...}
    fingerprint: Callable[[EnvironmentSpec, Entries, Site], Mapping[str, object]]
    # how to bring the environment up to date; None when nothing is to be done
    prepare: Callable[[EnvironmentSpec, Entries, Site], Preparation | None] = lambda spec, entries, site: None
    # equal for segments that share an environment
    key: Callable[[EnvironmentSpec, Entries], Hashable] = lambda spec, entries: spec
    # where the environment is on this machine, as far as that is known
    folder: Callable[[EnvironmentSpec, Entries, Site], PurePath | None] = lambda spec, entries, site: None
    # the file of the environment that a first word names
    program: Callable[[str, EnvironmentSpec, Site], PurePath | None] = lambda word, spec, site: None
    # what a person must tell before it can be used
    lacks: Callable[[EnvironmentSpec, Site], Lack | None] = lambda spec, site: None
    # the cure for a missing package
    how_to_add: Callable[[str, EnvironmentSpec, Site], str] = lambda package, spec, site: (
        f"Install {package} where this Python looks for it."
    )
    # where it came from, in words, where that is not plain: in a bundle
    origin: Callable[[EnvironmentSpec, Site], str] = lambda spec, site: ""
    # the error where the program that starts a segment's own failed, and not that: exit code, and all that was printed
    refusal: Callable[[Command, int | None, str, EnvironmentSpec, Site], RunnerError | None] = (
        lambda command, code, said, spec, site: None
    )
    # by their names beside each other: the files that the environment is made from, so that it can be made again
    made_from: Callable[[EnvironmentSpec, Entries, Site], Mapping[str, Path]] = lambda spec, entries, site: {}
    travels: Travels | None = None  # where it can be taken along
    below: Below | None = None  # where another environment can stand on it
    above: bool = False  # it can stand on another
    tool: str = ""  # what must be installed on the machine: uv, conda, imagej or wsl
    managed: bool = False  # the runner makes the environment: `prepare`
    by_commands: bool = False  # which environment it is, `commands` tell
    in_shell: bool = False  # the first entry is a line for a shell
    packs: bool = False  # its `folder` can go into a bundle as it is (`bundle.conda`)
    elsewhere: bool = False  # paths among the words may be those of another system


_KINDS = {
    "uv": "runner.environments.uv.kind",
    "script": "runner.environments.uv.script",
    "conda": "runner.environments.conda.kind",
    "imagej": "runner.environments.imagej.kind",
    "shell": "runner.environments.shell",
    "wsl": "runner.environments.wsl.kind",
    "combined": "runner.environments.combined",
    "modules": "runner.environments.modules",
    "recorded": "runner.environments.recorded",
}


def kind(spec: EnvironmentSpec) -> Kind:
    """That of `spec`; its module is imported when first needed."""
    found = import_module(_KINDS[spec.kind]).KIND
    if not isinstance(found, Kind):  # of one put together, its parts decide
        found = found(spec)
    assert isinstance(found, Kind)
    return found


def parts(spec: EnvironmentSpec) -> tuple[EnvironmentSpec, ...]:
    """What `spec` is put together from; of most environments that is itself."""
    return tuple(each for part in spec.parts for each in parts(part)) or (spec,)


def fingerprint(spec: EnvironmentSpec, entries: Entries, site: Site) -> Mapping[str, object]:
    """What the environment holds; a problem in reading it is noted, not raised: the segment itself is done."""
    try:
        return kind(spec).fingerprint(spec, entries, site)
    except OSError as error:
        return {"kind": spec.kind, "unreadable": str(error)}


def how_to_add(module: str, spec: EnvironmentSpec, site: Site) -> str:
    """The cure for a Python module that an environment lacks."""
    return kind(spec).how_to_add(_PACKAGES.get(module, module), spec, site)


def looked_in(places: Iterable[str]) -> str:
    """Where something was searched in vain, a line for each place."""
    return "\n".join(["Looked in:", *(f"  {place}" for place in places)])


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
