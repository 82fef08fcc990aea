"""uv itself, the Pythons that the groups ask for, and uv.lock in step with pyproject.toml."""

from __future__ import annotations

from runner.doctor import Context, Line, check, from_error, ok, problem, warning
from runner.environments import Site
from runner.environments.offline import offline
from runner.environments.uv.binary import VARIABLE, Uv, find_uv, version_of
from runner.environments.uv.groups import lock_file, no_lock, read_project
from runner.environments.uv.kind import place
from runner.environments.uv.settings import ask_uv, downloads_off, lock_command, settings
from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk
from runner.host import Captured

_OUT_OF_STEP = ("needs to be updated", "No solution found")


@check("uv", "uv makes the environments of all `uv:` and `script` segments.")
def uv_program(context: Context) -> list[Line]:
    """Which uv is used, its version and where it comes from."""
    try:
        uv = find_uv(context.site)
    except EnvironmentMissing as error:
        if context.has_file and not context.uses("uv"):
            return [ok("not found, and this pipeline does not need it")]
        first, *passed_over = error.message.splitlines()
        return [problem(first, "\n".join([error.cure, *(line.strip() for line in passed_over)]))]
    return [ok(f"{version_of(uv, context.site.host)}, {uv.path} ({_origin(uv, context.site)})")]


def _origin(uv: Uv, site: Site) -> str:
    host = site.host
    if host.environ.get(VARIABLE) or site.dotenv.get(VARIABLE):
        return f"named by {VARIABLE}"
    path = host.path(uv.path)
    if path.is_relative_to(site.repo) and not path.is_relative_to(site.repo / ".venv"):
        return "in the repository"
    folders = host.environ.get("PATH", "").split(";" if host.windows else ":")
    return "on PATH" if str(path.parent) in folders else "of the Python package uv"


@check(
    "Python versions",
    "Each group may ask for a Python of its own; one that is missing is downloaded, or stops the run where "
    "downloads are off.",
    20.0,
)
def pythons(context: Context) -> list[Line]:
    """Each Python version that a group asks for: here, to be downloaded, or missing."""
    wanted = _wanted_pythons(context)
    uv = _uv(context.site)
    if uv is None or not wanted:
        return []
    found: list[str] = []
    lines: list[Line] = []
    for version, groups in wanted.items():
        answer = ask_uv(["python", "find", "--no-project", "--system", *([version] if version else [])], context.site)
        text = f"Python {version or 'of any version'} (for {_some(groups)})"
        if answer.code == 0:
            found.append(f"{version or 'any'}: {answer.stdout.decode('utf-8', 'replace').strip()}")
        elif answer.code is None:
            lines.append(warning(f"{text}: {answer.error}", "Try again, or look at it with `uv python list`."))
        elif not (forbids := downloads_off(context.site)):
            lines.append(ok(f"{text} is not here; uv downloads it when it is needed"))
        else:
            install = f'`{typed(uv, context.site)} python install "{version}"`'
            cure = f"Install it with {install}, or allow downloads ({forbids})."
            lines.append(problem(f"{text} is missing, and uv may not download it", cure))
    return ([ok("; ".join(found))] if found else []) + lines


def _wanted_pythons(context: Context) -> dict[str, list[str]]:
    """Version -> groups whose environment is still to be made with it, or is made."""
    wanted: dict[str, list[str]] = {}
    try:
        project = read_project(on_disk(context.site.repo))
    except EnvironmentMissing:
        return {}
    for spec in context.uv_groups():
        if spec.name in project.groups:
            version = place(spec, context.site).python or project.requires_python.get(spec.name, "")
            wanted.setdefault(version, []).append(spec.name)
    return wanted


@check("lock", "An environment is prepared only from a `uv.lock` that is in step with `pyproject.toml`.", 20.0)
def lock(context: Context) -> list[Line]:
    """`uv lock --check`: without the network first, since what is in step needs none."""
    site = context.site
    uv = _uv(site)
    if context.has_file and not context.uv_groups():
        return []
    try:
        if not lock_file(on_disk(site.repo)).is_file():
            error = no_lock(on_disk(site.repo))
            return [problem(error.message, f"Run {lock_command(site, uv=typed(uv, site))} and commit the file.")]
    except EnvironmentMissing as broken:
        return [from_error(broken)]
    if uv is None:
        return [warning("not looked at: uv was not found", "See the line about uv.")]
    words = ["lock", "--check", "--project", str(site.repo)]
    answer = ask_uv([*words, "--offline"], site)
    if answer.code not in (0, None) and not offline(site):
        online = ask_uv(words, site)
        answer = online if online.code == 0 else answer
    if answer.code == 0:
        return [ok("uv.lock is in step with pyproject.toml", _left_out(site)), *_unreadable(site)]
    return [_why_not(answer, uv, site)]


def _left_out(site: Site) -> str:
    found = settings(site)
    names = " and ".join(map(str, found.files))
    return f"Of {names} only what says how to download counts, not which packages." if found.stand_in else ""


def _unreadable(site: Site) -> list[Line]:
    return [warning(note, "Correct that file: uv itself refuses to start beside it.") for note in site.notes]


def _why_not(answer: Captured, uv: Uv, site: Site) -> Line:
    from runner.environments.uv.failures import explain

    said = answer.stderr.decode("utf-8", "replace")
    if answer.code is None:
        return warning(f"`uv lock --check` gave no answer: {answer.error}", f"Run it yourself in {site.repo}.")
    if any(sign in said for sign in _OUT_OF_STEP):
        cure = f"Run {lock_command(site, uv=typed(uv, site))} and commit uv.lock with pyproject.toml."
        return problem("uv.lock is not in step with pyproject.toml; no environment can be prepared", cure)
    lock, folder = lock_command(site, uv=typed(uv, site)), str(site.environments)
    return from_error(explain("uv.lock", said, answer.code, repo=str(site.repo), folder=folder, lock=lock))


def typed(uv: Uv | None, site: Site) -> str:
    """uv as a user types it: that of the Python package is mostly not on PATH."""
    if uv is None or site.host.which("uv"):
        return "uv"
    return f'"{uv.path}"' if " " in str(uv.path) else str(uv.path)


def _uv(site: Site) -> Uv | None:
    try:
        return find_uv(site)
    except EnvironmentMissing:
        return None


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} groups"
