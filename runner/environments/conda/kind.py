"""`environment: NAME`: a conda environment that the user made, activated once and its program started directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from runner.environments import Below, Kind, Lack, Request, Site, words
from runner.environments.conda.base import accept_base, find_base
from runner.environments.conda.packed import about_packed, packed_prefix, told
from runner.environments.conda.prefix import prefix_of
from runner.environments.conda.program import find_program, program_words
from runner.environments.leaks import SHUT_OUT
from runner.environments.python_words import python_prints_utf8
from runner.environments.spec import is_prefix
from runner.errors import EnvironmentMissing
from runner.ground.disk import is_folder
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No name, no conda, no such environment or a damaged one, no such program; nothing is asked at the terminal."""
    from runner.environments.conda import findings as conda_findings

    found = check_environment(spec, site)
    base, prefix = _places(spec, site) if not found else (None, None)
    return conda_findings.about_program(words(entries), prefix, base, site) if prefix else found


def check_environment(spec: EnvironmentSpec, site: Site) -> list[Finding]:
    """The same without a look at the program."""
    from runner.environments.conda import findings as conda_findings

    if finding := conda_findings.about_name(spec):
        return [finding]
    base, prefix = _places(spec, site)
    if prefix is None and base is None:
        # with a terminal the folder is asked for before anything runs
        return [] if site.host.interactive else [conda_findings.no_base(spec, site)]
    if prefix is None or not is_folder(prefix):
        return [conda_findings.no_environment(spec, prefix, base, site)]
    if not is_folder(prefix / "conda-meta"):
        return [conda_findings.no_conda_meta(prefix)]
    finding = about_packed(prefix) or conda_findings.about_variables(prefix)
    return [finding] if finding else []


def lacks(spec: EnvironmentSpec, site: Site) -> Lack | None:
    """Where conda is, when it is needed and nowhere to be found."""
    base, prefix = _places(spec, site)
    if base is not None or prefix is not None or not spec.name.strip():
        return None
    question = "conda was not found. Its folder (for example miniforge3 in your home folder)"
    return Lack(question, "CONDA_PATH", lambda text: accept_base(text, site))


def wrap(request: Request, site: Site) -> Command:
    """The environment's own program with the variables of its activation; raises EnvironmentMissing."""
    spec, entries, env, cwd, dry = request.spec, request.entries, request.env, request.cwd, request.dry
    base, prefix = _places(spec, site, dry=dry)
    if prefix is None or not is_folder(prefix):
        if dry:
            return Command(tuple(_guessed_words(spec, entries, base, site)), cwd, env)
        raise _missing(spec, prefix, base, site)
    argv = program_words(words(entries), prefix, site.host)
    if dry:
        return Command(tuple(argv), cwd, env)
    _refuse_broken(prefix)
    from runner.environments.conda.activation_cache import activated

    change = activated(site, prefix, base)
    # Python holds back what it prints into a pipe; with a console, as before, it did not
    own = {"PYTHONUNBUFFERED": "1", **python_prints_utf8(site.host), **SHUT_OUT}
    return Command(tuple(argv), cwd, env, {**own, **change.variables}, change.unset)


def environ_below(spec: EnvironmentSpec, site: Site) -> tuple[dict[str, str], dict[str, str]]:
    """For a program of another environment; raises EnvironmentMissing."""
    from runner.environments.conda.activation_cache import activated
    from runner.environments.conda.below import without_python

    base, prefix = _places(spec, site)
    if prefix is None or not is_folder(prefix):
        raise _missing(spec, prefix, base, site)
    _refuse_broken(prefix)
    change = activated(site, prefix, base)
    kept = {name: value for name, value in site.host.environ.items() if name not in change.unset}
    return without_python({**kept, **SHUT_OUT, **change.variables}, prefix, site.host)


def origin(spec: EnvironmentSpec, site: Site) -> str:
    """That it came in a bundle, and which one of the machine's conda does not count for that."""
    packed = packed_prefix(spec.name, site)
    if packed is None:
        return ""
    other = prefix_of(spec.name, find_base(site, dry=True).base, site.repo, site.host)
    passed = f"; not {other}, of this machine's conda" if other and is_folder(other) else ""
    return f"came in a bundle: {packed}{passed}"


def how_to_add(package: str, spec: EnvironmentSpec, site: Site) -> str:
    if packed := packed_prefix(spec.name, site):
        return f"{packed} came in a bundle. Install {package} where that was made, and make the bundle again."
    name = package.removesuffix("-python-headless")  # conda's name of OpenCV
    option = "-p" if is_prefix(spec.name, site.host.platform) else "-n"
    return f'Install {name} into the environment and start again: conda install {option} "{spec.name}" {name}'


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """The environment's packages with version, build and channel, and what pip put there besides."""
    from runner.environments.conda.packages import packages

    _, prefix = _places(spec, site)
    if prefix is None:
        return {"kind": "conda", "name": spec.name}
    came = {"bundle": note["digest"]} if (note := told(prefix)) else {}
    return {"kind": "conda", "name": spec.name, "prefix": str(prefix), **came, **packages(prefix, site.host)}


def _places(spec: EnvironmentSpec, site: Site, *, dry: bool = False) -> tuple[PurePath | None, PurePath | None]:
    """Base and the environment's folder. conda is looked for only here, when a segment needs it.

    One that came in a bundle needs no conda, and counts before one of the same name that the machine's has.
    """
    if packed := packed_prefix(spec.name, site):
        return None, packed
    base = find_base(site, dry=dry).base
    return base, prefix_of(spec.name, base, site.repo, site.host)


def _refuse_broken(prefix: PurePath) -> None:
    if broken := about_packed(prefix):
        raise EnvironmentMissing(broken.message, broken.cure)


def _guessed_words(
    spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], base: PurePath | None, site: Site
) -> list[str]:
    """For a plan alone: where CONDA_PATH leads to a disk that is not there, the environment is taken to be in it."""
    plain = words(entries)
    written = site.dotenv.get("CONDA_PATH", "").strip().strip('"')
    folder = site.host.path(written)
    if base or not written or is_folder(folder) or spec.name != spec.name.strip() or not spec.name:
        return plain
    return program_words(plain, folder if spec.name == "base" else folder / "envs" / spec.name, site.host)


def _missing(spec: EnvironmentSpec, prefix: PurePath | None, base: PurePath | None, site: Site) -> EnvironmentMissing:
    from runner.environments.conda import findings as conda_findings

    finding = conda_findings.about_name(spec) or (
        conda_findings.no_base(spec, site)
        if base is None and prefix is None
        else conda_findings.no_environment(spec, prefix, base, site)
    )
    return EnvironmentMissing(finding.message, finding.cure)


KIND = Kind(
    check, wrap, fingerprint,
    folder=lambda spec, entries, site: _places(spec, site)[1],
    program=lambda word, spec, site: (prefix := _places(spec, site)[1]) and find_program(word, prefix, site.host),
    lacks=lacks, how_to_add=how_to_add, below=Below(check_environment, environ_below), tool="conda",
    packs=True, origin=origin,
)  # fmt: skip
