"""What every command needs: the repository, the Site, and errors shown in one way."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.errors import ExitCode, PipelineError, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.environments import Site
    from runner.environments.store import Store
    from runner.host import Host
    from runner.model import Diagnostic
    from runner.report.console import Console
    from runner.site_file import SiteFile

REPO_VARIABLE = "RUN_PIPELINE_REPO"
ENVIRONMENTS_VARIABLE = "RUN_PIPELINE_ENVS"
ASKED_STORE = "store"  # of click's context: what `env --store` names

repo_option = click.option(
    "--repo",
    metavar="DIR",
    envvar=REPO_VARIABLE,
    help="The repository with pyproject.toml, .env and standard_code/ (default: the one this runner stands in).",
)


def _remember_offline(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.meta[_OFFLINE] = value


_OFFLINE = f"{__name__}.offline"
offline_option = click.option(
    "--offline",
    is_flag=True,
    expose_value=False,
    callback=_remember_offline,
    help="Use no network; say at once what is missing (also: UV_OFFLINE=1, `offline = true` in run-pipeline.toml).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")


def usual(function: Callable[..., Any]) -> Callable[..., Any]:
    """--json and --repo, and errors shown in one way."""
    return json_option(repo_option(reports_errors(function)))


def find_repo(option: str | None) -> Path:
    """The repository: --repo, RUN_PIPELINE_REPO, else the folder that this package stands in (editable install)."""
    if option:
        repo = Path(option).expanduser().absolute()
        if not (repo / "pyproject.toml").is_file():
            raise UsageError(
                f"{repo} is not a repository of pipelines: it holds no pyproject.toml",
                f"Give --repo (or {REPO_VARIABLE}) the folder that holds pyproject.toml, uv.lock and standard_code.",
            )
        return repo
    repo = Path(__file__).resolve().parent.parent.parent
    if (repo / "pyproject.toml").is_file():
        return repo
    raise UsageError(
        "the runner was installed away from its repository, so it cannot tell where the pipelines' code is",
        f"Give --repo DIR, set {REPO_VARIABLE}, or install it from the repository with `uv tool install --editable .`",
    )


def make_site(repo_option: str | None, *, interactive: bool | None = None) -> Site:
    """The surroundings of this invocation. Raises UsageError, PipelineError (a bad .env)."""
    from runner.cli import crash
    from runner.environments import Site
    from runner.host import this_host
    from runner.pipeline.dotenv import read_dotenv
    from runner.site_file import read_site_file, site_file_of

    repo, host = find_repo(repo_option), this_host(interactive=interactive)
    said = read_site_file(repo, host)
    dotenv = read_dotenv(repo / ".env", host.environ)
    crash.known.update(dotenv)
    named, variables = _places(said, repo), host.environ
    store = _store(named, repo, variables)
    host = _as_the_site_says(host, said.uv.program, named, store)
    folder = variables.get(ENVIRONMENTS_VARIABLE) or dotenv.get(ENVIRONMENTS_VARIABLE)
    site = Site(host, repo, dotenv, _environments(folder, named, repo, store, host), store)
    site = _without_network(site, said.offline)
    site_file_of.tell(site, said)
    return site


def _without_network(site: Site, file: Path | None) -> Site:
    """With UV_OFFLINE for all that is started, where the command line or a file says that no network is used."""
    from dataclasses import replace

    from runner.environments.offline import OPTION, VARIABLE, offline, said_in

    context = click.get_current_context(silent=True)
    why = OPTION if context is not None and context.meta.get(_OFFLINE) else ""
    if not why and not site.host.environ.get(VARIABLE):
        why = said_in(file) or offline(site)
    if why:
        host = replace(site.host, environ={**site.host.environ, VARIABLE: "1"})
        site = replace(site, host=host)
        offline.tell(site, why)
    return site


def _places(said: SiteFile, repo: Path) -> dict[str, Path]:
    """The folders that `[uv]` of run-pipeline.toml names."""
    texts = {name: getattr(said.uv, name) for name in ("store", "cache", "pythons", "environments")}
    where = " or ".join(map(str, said.files))
    return {name: repo / path_of(text, f"`{name}` of [uv] in {where}") for name, text in texts.items() if text}


def _store(named: Mapping[str, Path], repo: Path, variables: Mapping[str, str]) -> Store | None:
    """That of the command line, else of the caller's variable, else of run-pipeline.toml."""
    from runner.environments.store import VARIABLE, store_at

    folder = _asked_store()
    if folder is None and (text := variables.get(VARIABLE)):
        folder = repo / path_of(text, VARIABLE)
    if folder is None:
        folder = named.get("store")
    if folder is None:
        return None
    # the other folders that the file names belong to its own store
    apart = named if named.get("store", folder) == folder else {}
    return store_at(
        folder, cache=apart.get("cache"), pythons=apart.get("pythons"), environments=apart.get("environments")
    )


def _asked_store() -> Path | None:
    """The store of `env --store DIR`."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(ASKED_STORE)


def _as_the_site_says(host: Host, program: str, named: Mapping[str, Path], store: Store | None) -> Host:
    """With the places of uv and what it keeps that run-pipeline.toml names, where the caller's variables name none."""
    from dataclasses import replace

    from runner.environments.store import variables

    own = {"RUN_PIPELINE_UV": program} if program else {}
    for name, variable in (("cache", "UV_CACHE_DIR"), ("pythons", "UV_PYTHON_INSTALL_DIR")):
        if name in named and store is None:
            own[variable] = str(named[name])
    own |= variables(store, host) if store else {}
    given = {name: value for name, value in own.items() if name not in host.environ}
    return replace(host, environ={**host.environ, **given}) if given else host


def _environments(folder: str | None, named: Mapping[str, Path], repo: Path, store: Store | None, host: Host) -> Path:
    """Where this system's environments are: by the command line, the caller's variable, run-pipeline.toml."""
    from runner.environments.store import platform_folder
    from runner.ground.disk import on_disk

    if folder and _asked_store() is None:
        return repo / path_of(folder, ENVIRONMENTS_VARIABLE)
    parent = store.environments if store else named.get("environments")
    return on_disk(parent) / platform_folder(host) if parent else repo / ".venvs"


def path_of(folder: str, name: str) -> Path:
    """What `name` says, with `~` and the variables in it. Raises UsageError where one is not set."""
    import re

    path = os.path.expandvars(folder)
    if re.search(r"\$\{?\w|%\w+%", path):
        raise UsageError(
            f"{name} is {folder}, which names a variable that is not set",
            "Write the folder in full.",
        )
    return Path(path).expanduser()


def as_given(text: str) -> Path:
    """Absolute; a relative one is relative to where the user stands. No links are resolved: %YAML% is as given."""
    return Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100


def pipeline_path(text: str) -> Path:
    """FILE as given, where it is a pipeline file. Raises UsageError."""
    from runner.state.status import pipeline_of

    path = as_given(text)
    if path.is_dir():
        candidates = sorted(p.name for p in path.glob("*.y*ml") if pipeline_of(p) is None)
        hint = f" It holds {', '.join(candidates[:5])}." if candidates else ""
        raise UsageError(f"{path} is a folder, not a pipeline file.{hint}", "Name the YAML file itself.")
    if of := pipeline_of(path):
        raise UsageError(f"{path.name} is a status file, not a pipeline file", f"Name {of.name}.")
    if not path.exists():
        raise UsageError(f"there is no file {path}", _near_file(path))
    return path


def _near_file(path: Path) -> str:
    from runner.pipeline.near import did_you_mean, folder_meant, near

    if not path.parent.is_dir():
        cure = folder_meant(path.parent) or "Check the drive or the network share."
        return f"There is no folder {path.parent} either. {cure}"
    meant = near(path.name, (p.name for p in path.parent.glob("*.y*ml")))
    return did_you_mean(path.name, meant) if meant else f"Check the name; you stand in {Path.cwd()}."


def screen(*, as_json: bool = False) -> Console:
    """What people read: standard output, or the other stream where programs read that one (--json)."""
    from runner.report.console import open_console

    return open_console(sys.stderr if as_json else sys.stdout, os.environ)


def error_console() -> Console:
    return screen(as_json=True)


def print_json(event: str, **values: Any) -> None:
    """An object for programs, on a line of its own."""
    print(json.dumps({"event": event, **values}))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def confirmed(question: str, site: Site, *, yes: bool, as_json: bool = False) -> bool:
    """Whether to remove what was shown. Raises UsageError where nobody could answer."""
    if not (yes or site.host.interactive):
        raise UsageError("nobody is there to confirm the removal", "Give --yes to remove them without a question.")
    return yes or click.confirm(question, err=as_json)


def show_diagnostics(diagnostics: Sequence[Diagnostic], console: Console) -> None:
    """Each with its position, excerpt and cure; errors red, warnings yellow. Equal ones once, with all their lines."""
    from runner.model import Severity
    from runner.pipeline.diagnostics import alike, render

    for diagnostic, *others in alike(diagnostics):
        colour = "red" if diagnostic.severity is Severity.ERROR else "yellow"
        first, *rest = render(diagnostic, others)
        console.line(first, colour, "bold")
        for line in rest:
            console.line(line)


def show_error(error: RunnerError, console: Console) -> None:
    if isinstance(error, PipelineError):
        show_diagnostics(error.diagnostics, console)
    console.line(f"error: {error.message}", "red", "bold")
    for line in error.cure.splitlines():
        console.line(f"  {line}")


def reports_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """The body of a command: a RunnerError becomes a message and its exit code, Ctrl-C 130, a bug a report and 4."""

    @wraps(function)
    def body(*args: Any, **kwargs: Any) -> None:
        try:
            code = function(*args, **kwargs)
        except RunnerError as error:
            show_error(error, error_console())
            code = error.exit_code
        except (KeyboardInterrupt, click.exceptions.Abort):  # Abort: Ctrl-C or the end of the input at a question
            error_console().line("interrupted")
            code = ExitCode.INTERRUPTED
        except (click.exceptions.Exit, click.ClickException):
            raise
        except Exception as error:
            from runner.cli.crash import write_report

            code = write_report(error, error_console())
        sys.exit(int(code or 0))

    return body


def holds_window(function: Callable[..., Any]) -> Callable[..., Any]:
    """After all that is shown, an error too, a window that was double-clicked stays open until it was read."""

    @wraps(function)
    def body(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            from runner.cli.finish import hold_window

            hold_window()

    return body
