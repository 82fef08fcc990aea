"""What would stop a segment of a uv group, and why a preparation failed, each with its cure."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import PurePath

from runner.environments.offline import offline
from runner.environments.site import Once, Site
from runner.environments.uv import failures as uv_failures
from runner.environments.uv.groups import Project
from runner.environments.uv.settings import ask_uv, downloads_off, lock_command
from runner.environments.uv.stamp import Place, interpreter
from runner.errors import RunnerError
from runner.ground.disk import is_file
from runner.model import EnvironmentSpec, Finding

# in the messages of uv_failures
_NOT_HAD = ("cannot be reached", "no longer on the server", "refused to hand", "not in uv's cache")


def explain(where: Place, site: Site, code: int, output: str) -> RunnerError:
    title, folder = f"uv group {where.group}", str(where.folder)
    return uv_failures.explain(title, output, code, repo=str(site.repo), folder=folder, lock=lock_command(site))


def is_unreachable(output: str) -> bool:
    """Whether uv said that it cannot have a file from where uv.lock has it."""
    error = uv_failures.explain("", output, 2, repo="", folder="")
    return any(sign in error.message for sign in _NOT_HAD)


def no_group(spec: EnvironmentSpec, project: Project, site: Site) -> Finding:
    file = site.repo / "pyproject.toml"
    near = get_close_matches(spec.name, list(project.groups), 3, 0.6)
    if near:
        cure = "Did you mean " + " or ".join(f"`uv:{project.groups[name]}`" for name in near) + "?"
    elif project.groups:
        cure = "It has: " + ", ".join(sorted(project.groups.values())) + "."
    else:
        cure = "It has no [dependency-groups] at all: is this the right repository (--repo)?"
    return Finding(f"{file} has no dependency group `{spec.name}`", cure)


def python_missing(where: Place, project: Project, site: Site) -> list[Finding]:
    """Asked only where uv may not fetch a Python: it would fail later, in the middle of a run."""
    forbids = downloads_off(site)
    if not forbids:
        return []
    wanted = where.python or project.requires_python.get(where.group, "")
    refused = python_refused(site, wanted)
    if not refused:
        return []
    if "No interpreter found" not in refused:
        error = explain(where, site, 2, refused)
        return [Finding(error.message, error.cure)]
    managed_only = "managed installations" in refused and "search path" not in refused
    lacks = "which is not among uv's own" if managed_only else "which this machine lacks"
    message = f"uv group `{where.group}` needs Python {wanted}, {lacks}, and downloads are off"
    if offline(site):
        cure = (
            f'On a computer with a network: `uv python install "{wanted}"`, and its folder (`uv python dir`) in the '
            f"place of that here (UV_PYTHON_INSTALL_DIR); or allow downloads ({forbids})."
        )
    else:
        cure = f'Install it with `uv python install "{wanted}"`, or allow downloads ({forbids}).'
    if managed_only:
        cure += " UV_PYTHON_PREFERENCE, UV_MANAGED_PYTHON or a uv.toml says that no other may be taken."
    return [Finding(message, cure, missing=(f"python=={wanted}",))]


@Once
def python_refused(site: Site, wanted: str) -> str:
    """Why there is no such Python, in uv's words; "" where there is one."""
    # --no-project: the version of this group counts, not that of the project
    words = ["python", "find", "--no-project", *([wanted] if wanted else [])]
    answer = ask_uv(words, site, timeout=60.0)
    return "" if answer.code == 0 else answer.stderr.decode("utf-8", "replace").strip() or answer.error


def own_program(name: str, where: Place, site: Site) -> PurePath | None:
    """The environment's program of that name."""
    folder = interpreter(where.folder, site.host).parent
    endings = ("", ".exe", ".cmd", ".bat", ".com") if site.host.windows else ("",)
    return next((path for ending in endings if is_file(path := folder / f"{name}{ending}")), None)


def program_missing(program: str, where: Place, site: Site) -> Finding | None:
    if not program or own_program(program, where, site):
        return None
    cure = (
        f"Add the package that brings `{program}` to that group in pyproject.toml, then run {lock_command(site)}; "
        "for a script put `python` in front, for a command of the system use `environment: cmd`."
    )
    return Finding(f"the environment of uv group `{where.group}` has no program `{program}`", cure, "commands")
