"""`use-linux-distro` on Windows: a uv group's environment inside a WSL distribution.

The environment lies in the Linux home folder, since a virtual environment on a Windows drive is slow there. Beside
it an empty folder named by the hash of pyproject.toml and uv.lock says what it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.environments import Kind, Preparation, Request, Site
from runner.environments.python_words import python_words
from runner.environments.uv.findings import no_group
from runner.environments.uv.groups import lock_file, read_project
from runner.environments.uv.kind import how_to_add, place
from runner.environments.wsl.inside import (
    Inside,
    ask,
    local_folder,
    look_inside,
    mounted_share,
    start_words,
    wsl_program,
)
from runner.environments.wsl.paths import NotMountedError, is_own, to_linux
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.disk import on_disk
from runner.model import Command, EnvironmentSpec, Finding, ResolvedEntry

_STATE = ".run-pipeline"  # in the Linux home folder


@dataclass(frozen=True)
class Target:
    """Where the environment of a group lies inside the distribution; all paths are Linux ones."""

    distro: str
    group: str
    python: str  # version, or ""
    folder: str
    stamps: str  # holds one empty folder, named by the hash

    def program(self, name: str) -> str:
        return f"{self.folder}/bin/{name}"


def check(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> list[Finding]:
    """No uv group, no wsl.exe, no such distribution, no uv in it, a share that it does not have."""
    if not spec.name:
        cure = "Use a uv group there (`environment: uv:GROUP`), or take `use-linux-distro` out."
        return [Finding(f"use-linux-distro works with uv groups only, not with {spec.text!r}", cure)]
    if wsl_program(site) is None:
        cure = "Install WSL first (wsl --install), or take `use-linux-distro` out of the segment."
        return [Finding("use-linux-distro was requested, but wsl.exe was not found", cure, "use-linux-distro")]
    try:
        project = read_project(on_disk(site.repo))
        if spec.name not in project.groups:
            return [no_group(spec, project, site)]
        inside = look_inside(site, spec.distro)
        for text in (*python_words(entries, str(site.repo), site.host)[0], str(site.repo)):
            _linux(text, spec, site)
    except EnvironmentMissing as error:
        return [Finding(error.message, error.cure, "use-linux-distro")]
    if not entries:
        return [Finding("the segment has no command", "Add a script or `python` under `commands:`.", "commands")]
    if not inside.uv:
        cure = "Install uv inside it, for example with `pipx install uv`, and start again."
        return [Finding(f"there is no uv in the WSL distribution {spec.distro!r}", cure, "use-linux-distro")]
    return []


def prepare(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Preparation | None:
    """`uv sync` inside the distribution, when pyproject.toml or uv.lock changed; raises EnvironmentMissing."""
    inside = look_inside(site, spec.distro)
    target = _target(spec, inside.home, site)
    stamp = f"{target.stamps}/{_stamp(site)}"
    if _is_folder(stamp, spec, site):
        return None
    version = ["--python", target.python] if target.python else []
    repo = _linux(str(site.repo), spec, site).replace("\\", "/")
    sync = ["env", f"UV_PROJECT_ENVIRONMENT={target.folder}", "UV_NO_PROGRESS=1", inside.uv, "sync", "--project", repo]
    sync += ["--locked", "--only-group", target.group, *version]
    title = f"uv group {target.group} in WSL ({target.distro})"
    return Preparation(
        title,
        tuple(_inside(words, spec, site) for words in (_begin(target), sync, ["mkdir", "-p", stamp])),
        on_disk(site.environments / f"wsl-{target.distro}-{target.group}.lock"),
        lambda: not _is_folder(stamp, spec, site),
        lambda command, code, output: _failed(title, output, code, site, target),
        lambda output: None,
    )


# the folder of stamps says that the environment is ours; the stamps in it go first, so that an interrupted sync is not
# taken for done; without pyvenv.cfg the environment's python is the base Python to uv, which would empty that
_BEGIN = (
    'if [ -e "$1" ] && [ ! -d "$2" ]; then echo "$1 is in the way: the runner did not make it" >&2; exit 1; fi; '
    'rmdir "$2"/* 2>/dev/null; [ -s "$1/pyvenv.cfg" ] || rm -rf -- "$1"; mkdir -p "$2"'
)


def _begin(target: Target) -> list[str]:
    return ["sh", "-c", _BEGIN, "sh", target.folder, target.stamps]


def wrap(request: Request, site: Site) -> Command:
    """wsl.exe --exec env NAME=VALUE… PYTHON …, with paths and variables as Linux has them."""
    spec, env, cwd, dry = request.spec, request.env, request.cwd, request.dry
    inside = Inside("~", "$PATH", "uv") if dry else look_inside(site, spec.distro)
    target = _target(spec, inside.home, site)
    words = [_linux(word, spec, site, dry=dry) for word in python_words(request.entries, cwd, site.host)[0]]
    folder = _linux(cwd, spec, site, dry=dry).replace("\\", "/")
    given = {name: _linux(value, spec, site, dry=dry) for name, value in env.items()}
    own = {
        "PYTHONUNBUFFERED": "1",
        "VIRTUAL_ENV": target.folder,
        "PATH": f"{target.folder}/bin:{inside.path}",
        **({"UV_PYTHON": target.python} if target.python else {}),
    }
    if words[0] == "python":
        words = [target.program("python"), *words[1:]]
    prefix = start_words(spec.distro, site, folder)
    variables = [f"{name}={value}" for name, value in {**own, **given}.items()]
    # the segment's variables reach Linux as words of `env`: WSL hands on none by itself
    return Command((*prefix, "env", *variables, *words), _start_folder(cwd, site), env, {"WSL_UTF8": "1"})


def fingerprint(spec: EnvironmentSpec, entries: Sequence[ResolvedEntry], site: Site) -> Mapping[str, object]:
    """Group, distribution and packages, as uv lists them inside the distribution."""
    import json

    inside = look_inside(site, spec.distro)
    target = _target(spec, inside.home, site)
    got = ask(spec.distro, [inside.uv, "pip", "list", "--python", target.program("python"), "--format", "json"], site)
    try:
        packages = {entry["name"]: entry["version"] for entry in json.loads(got.stdout)} if got.code == 0 else {}
    except (ValueError, KeyError, TypeError):
        packages = {}
    return {"kind": "wsl", "distro": spec.distro, "group": target.group, "packages": packages}


def _target(spec: EnvironmentSpec, home: str, site: Site) -> Target:
    where = place(spec, site)
    # two repositories may have groups of the same name
    mark = hashlib.sha256(str(site.repo).lower().encode()).hexdigest()[:8]
    version = f"-py{where.python}" if where.python else ""
    name = f"{where.group}{version}-{mark}"
    return Target(
        spec.distro, where.group, where.python, f"{home}/{_STATE}/envs/{name}", f"{home}/{_STATE}/made/{name}"
    )


def _linux(text: str, spec: EnvironmentSpec, site: Site, *, dry: bool = False) -> str:
    """A word with its path as the distribution has it. Raises EnvironmentMissing for a share that it lacks."""

    def mounted(root: str) -> str | None:
        return root.replace("\\", "/") if dry else mounted_share(site, root, spec.distro)

    try:
        return to_linux(text, mounted, spec.distro)
    except NotMountedError as error:
        raise _not_mounted(str(error.args[0]), spec) from None


def _inside(words: Sequence[str], spec: EnvironmentSpec, site: Site) -> Command:
    argv = (*start_words(spec.distro, site, "/"), *words)
    return Command(argv, _start_folder(str(site.repo), site), activation={"WSL_UTF8": "1"})


def _start_folder(cwd: str, site: Site) -> str:
    return (local_folder(site) or cwd) if cwd.startswith(("\\\\", "//")) else cwd


def _is_folder(path: str, spec: EnvironmentSpec, site: Site) -> bool:
    return ask(spec.distro, ["test", "-d", path], site).code == 0


def _stamp(site: Site) -> str:
    digest = hashlib.sha256()
    repo = on_disk(site.repo)
    for file in (repo / "pyproject.toml", lock_file(repo)):
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()[:16]


def _not_mounted(root: str, spec: EnvironmentSpec) -> EnvironmentMissing:
    if is_own(root):
        message = f"{root} lies in another WSL distribution than {spec.distro!r}, which cannot reach it"
        return EnvironmentMissing(message, "Copy the data, or name that distribution in `use-linux-distro`.")
    folder = "/mnt/" + root.rstrip("\\").rsplit("\\", 1)[-1]
    return EnvironmentMissing(
        f"the network share {root} is not mounted in the WSL distribution {spec.distro!r}",
        f"Mount it there: sudo mkdir -p '{folder}' && sudo mount -t drvfs '{root}' '{folder}'",
    )


def _failed(title: str, output: str, code: int, site: Site, target: Target) -> RunnerError:
    from runner.environments.uv.failures import explain

    return explain(title, output, code, repo=str(site.repo), folder=target.folder)


KIND = Kind(check, wrap, fingerprint, prepare, how_to_add=how_to_add, tool="wsl", managed=True, elsewhere=True)
