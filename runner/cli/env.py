"""`run-pipeline env`: the environments of uv groups, shown, brought up to date, removed."""

from __future__ import annotations

import contextlib
import os
import re
from datetime import datetime
from pathlib import Path

import click

from runner.cli.common import (
    ASKED_STORE,
    REPO_VARIABLE,
    as_given,
    confirmed,
    error_console,
    make_site,
    offline_option,
    path_of,
    pipeline_path,
    print_json,
    repo_option,
    reports_errors,
    show_error,
    table,
    usual,
)
from runner.cli.completing import complete_groups, complete_groups_and_files
from runner.cli.env_clone import clone_command
from runner.environments import Preparation, Site, kind
from runner.environments.offline import offline
from runner.environments.spec import is_named_form, normalised_group, parse_environment
from runner.environments.store import read_store
from runner.environments.uv.groups import read_project
from runner.environments.uv.in_store import all_older, forget_compiled
from runner.environments.uv.inventory import Environment, left_by_go, our_environments, remove, size_of
from runner.environments.uv.settings import ask_uv
from runner.environments.uv.stamp import venv_settings
from runner.errors import EnvironmentMissing, UsageError
from runner.ground.disk import on_disk
from runner.ground.words import counted, size_text
from runner.model import Segment, SegmentType
from runner.pipeline.reader import read_pipeline
from runner.report.console import Console
from runner.tasks import Task, Tasks


def _folder(ctx: click.Context, option: click.Parameter, text: str | None) -> Path | None:
    if text is None:
        return None
    try:
        if not text.strip():
            raise UsageError("its name is empty", "A variable in it may not be set.")
        return as_given(str(path_of(text, "--store")))
    except UsageError as error:
        raise click.BadParameter(f"{error.message}. {error.cure}") from error


@click.group(name="env", invoke_without_command=True)
@click.option(
    "--store", metavar="DIR", callback=_folder, help="Use this store; without a command: make it and look at it."
)
@click.option("--save", is_flag=True, help="Write the store into run-pipeline.toml of the repository.")
@click.option("--repo", metavar="DIR", help="Without a command: the repository.")
@click.pass_context
def command(ctx: click.Context, store: Path | None, save: bool, repo: str | None) -> None:
    """List, update, remove or clone the environments of uv groups, and make a store for them."""
    if store is not None:
        ctx.meta[ASKED_STORE] = store
    if ctx.invoked_subcommand is not None:
        if save or repo:
            raise click.UsageError("--save stands without a command, and --repo behind it")
    elif store is None:
        if save:
            raise click.UsageError("--save needs --store DIR")
        raise click.exceptions.NoArgsIsHelpError(ctx)
    else:
        _store_alone(store, save, repo)


@reports_errors
def _store_alone(store: Path, save: bool, repo: str | None) -> int:
    from runner.cli.store import show_store, usable_folder

    usable_folder(store)
    return show_store(make_site(repo or os.environ.get(REPO_VARIABLE)), os.environ, save=save)


command.add_command(clone_command)


@command.command(name="list")
@usual
def list_command(as_json: bool, repo: str | None) -> int:
    """Show each environment: size, in step with uv.lock or not and why, last used."""
    site = make_site(repo, interactive=False)
    if site.store:
        read_store(site.store.folder)
    environments = our_environments(site)
    sizes = [size_of(on_disk(environment.place.folder)) for environment in environments]
    old = [(folder.name, size_of(folder)) for folder in left_by_go(site)]
    if as_json:
        if site.store:
            print_json("store", folder=str(site.store.folder), link_mode=site.host.environ["UV_LINK_MODE"])
        for environment, size in zip(environments, sizes, strict=True):
            print_json("environment", **_as_data(environment, size))
        for name, size in old:
            print_json("left by the Go runner", name=name, bytes=size)
        return 0
    if site.store:
        print(f"Store {site.store.folder}, files by {site.host.environ['UV_LINK_MODE']} from {_cache(site)}.")
    if not environments:
        print(f"No environments yet in {site.environments}: they are made when a pipeline needs them.")
    else:
        print(f"In {site.environments}:")
        rows = [_row(environment, size) for environment, size in zip(environments, sizes, strict=True)]
        table(["environment", "python", "size", "last used", "state"], rows)
    if before := all_older(site):
        print(f"\nMade before the system stood in the path, moved on when they are needed: {', '.join(before)}")
    if old:
        print("\nLeft by the Go runner, not used any more; remove them yourself when you no longer need it:")
        table(["folder", "size"], [[name, size_text(size)] for name, size in old])
    return 0


@command.command(name="sync")
@click.argument("names", metavar="[GROUP]... [FILE.yaml]...", nargs=-1, shell_complete=complete_groups_and_files)
@click.option("--all", "everything", is_flag=True, help="Every group of pyproject.toml but `dev`.")
@offline_option
@repo_option
@reports_errors
def sync_command(names: tuple[str, ...], everything: bool, repo: str | None) -> int:
    """Make environments, or bring them up to date: of groups (`uv@3.12:GROUP` for a version), or of a pipeline."""
    if not names and not everything:
        raise UsageError("env sync: nothing to do", "Name groups or a pipeline file, or give --all.")
    site = make_site(repo)
    console = error_console()
    wanted = _wanted(names, everything, site)
    _refuse_what_cannot_be(wanted, site)
    for job in wanted:
        preparation = kind(job.spec).prepare(job.spec, job.entries, site)
        if preparation is None:
            console.line(f"{job.spec.text or job.spec.name}: in step")
        else:
            prepare(preparation, site, console)
    for note in site.notes.take():
        console.line(f"warning: {note}", "yellow")
    return 0


@command.command(name="lock", context_settings={"ignore_unknown_options": True})
@click.argument("options", metavar="[OPTION]...", nargs=-1, type=click.UNPROCESSED)
@click.option("--script", metavar="FILE.py", help="Lock this script, which names its own packages, instead.")
@offline_option
@repo_option
@reports_errors
def lock_command(options: tuple[str, ...], script: str | None, repo: str | None) -> int:
    """Bring uv.lock up to date by what the repository says alone: your own uv.toml and UV_ variables do not count.

    OPTION: what `uv lock` has, such as --upgrade or --upgrade-package NAME.
    """
    from runner.environments.uv.failures import explain

    site = make_site(repo, interactive=False)
    path = str(Path(script).absolute()) if script else ""
    of = ("--script", path) if path else ("--project", str(site.repo))
    answer = ask_uv(["lock", *of, *options], site, timeout=3600.0, script=path)
    said = answer.error or answer.stderr.decode("utf-8", "replace")
    if answer.code != 0 and "network was disabled" in said and (why := offline(site)):
        quoted = "\n".join(f"uv: {line}" for line in said.strip().splitlines())
        message = f"without a network ({why}) uv's cache does not have what the lock would be made of"
        raise EnvironmentMissing(message, f"Do it on a computer with a network, and bring the lock here.\n{quoted}")
    if answer.code != 0:
        raise explain("uv.lock", said, answer.code or 1, repo=str(site.repo), folder=str(site.environments))
    print(said.strip())
    if (why := offline(site)) and (older := _older(said)):
        error_console().line(
            f"warning: without a network ({why}) only uv's cache was looked at, and these are older than before: "
            f"{', '.join(older)}. With a network, `run-pipeline env lock --upgrade` takes them up again.",
            "yellow",
        )
    return 0


def _older(said: str) -> list[str]:
    """Of what `uv lock` printed: packages that it has put back."""
    from packaging.version import InvalidVersion, Version

    found = []
    for name, old, new in re.findall(r"^Updated (\S+) v(\S+) -> v(\S+)$", said, re.MULTILINE):
        with contextlib.suppress(InvalidVersion):
            if Version(new) < Version(old):
                found.append(f"{name} {old} -> {new}")
    return found


@command.command(name="remove")
@click.argument("names", metavar="[GROUP]...", nargs=-1, shell_complete=complete_groups)
@click.option("--unused", is_flag=True, help="All whose group is no longer in pyproject.toml.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@repo_option
@reports_errors
def remove_command(names: tuple[str, ...], unused: bool, yes: bool, repo: str | None) -> int:
    """Remove environments of groups. A pipeline that needs one makes it again."""
    if not names and not unused:
        raise UsageError("env remove: nothing to do", "Name groups, or give --unused.")
    site = make_site(repo)
    doomed = _doomed(names, unused, site)
    if not doomed:
        print("Nothing to remove.")
        return 0
    total = 0
    for environment in doomed:
        size = size_of(on_disk(environment.place.folder))
        total += size
        print(f"  {environment.name}  {size_text(size)}  {environment.place.folder}")
    count = counted(len(doomed), "environment")
    if not confirmed(f"Remove {count} ({size_text(total)})?", site, yes=yes):
        return 0
    for environment in doomed:
        remove(environment, site)
    forget_compiled(site)
    print(f"Removed {count}, {size_text(total)}.")
    return 0


def _cache(site: Site) -> str:
    return site.host.environ["UV_CACHE_DIR"]


def _wanted(names: tuple[str, ...], everything: bool, site: Site) -> list[Task]:
    """One job for each environment, in the order given. Raises UsageError, PipelineError."""
    jobs: list[Task] = []
    if everything:
        jobs += [_group_job(name, site) for name in read_project(on_disk(site.repo)).groups if name != "dev"]
    for name in names:
        is_file = name.lower().endswith((".yaml", ".yml"))
        jobs += _pipeline_jobs(name, site) if is_file else [_group_job(name, site)]
    distinct: dict[object, Task] = {}
    for job in jobs:
        distinct.setdefault(job.environment_key, job)
    return list(distinct.values())


def _pipeline_jobs(name: str, site: Site) -> list[Task]:
    pipeline = read_pipeline(pipeline_path(name))
    return [job for job in Tasks(pipeline, site).values() if kind(job.spec).managed]


def _group_job(name: str, site: Site) -> Task:
    """A job that only names an environment."""
    text = name if is_named_form(name) else f"uv:{name}"
    spec = parse_environment(text, "", site.host.platform)
    segment = Segment(0, name, SegmentType.NORMAL, "", environment=text)
    return Task(segment, spec, ("python",), {}, str(site.repo), ())


def _refuse_what_cannot_be(wanted: list[Task], site: Site) -> None:
    """Raises EnvironmentMissing, with all of them."""
    found = [
        finding
        for job in wanted
        for finding in kind(job.spec).check(job.spec, job.entries, site)
        if finding.key == "environment" or kind(job.spec).by_commands
    ]
    if not found:
        return
    *others, last = [EnvironmentMissing(one.message, one.cure) for one in dict.fromkeys(found)]
    for error in others:
        show_error(error, error_console())
    raise last


def prepare(preparation: Preparation, site: Site, console: Console) -> None:
    from runner.executors.carry import carry_out
    from runner.process.stop import StopRequest, install_signal_handlers

    stop = StopRequest()
    console.line(f"preparing {preparation.title}")
    with install_signal_handlers(stop):
        carry_out(
            preparation,
            site.host.environ,
            stop,
            screen=console.raw,
            on_wait=lambda reason: console.line(f"waiting: {reason}"),
        )
    console.line(f"{preparation.title}: in step")


def _doomed(names: tuple[str, ...], unused: bool, site: Site) -> list[Environment]:
    """The environments to remove; by group (all its versions) or by the folder's name."""
    environments = our_environments(site)
    chosen = [environment for environment in environments if unused and environment.unused]
    for name in names:
        if name.startswith(".venv_"):
            raise UsageError(f"{name} is not one of ours", "The Go runner made it: remove that folder yourself.")
        group = normalised_group(name.rpartition(":")[2])
        found = [e for e in environments if e.name == name] or [e for e in environments if e.place.group == group]
        if not found:
            have = ", ".join(environment.name for environment in environments) or "none"
            raise UsageError(f"there is no environment of a group {name!r}", f"There are: {have}.")
        chosen += [environment for environment in found if environment not in chosen]
    return chosen


def _as_data(environment: Environment, size: int) -> dict[str, object]:
    return {
        "name": environment.name,
        "group": environment.place.group,
        "python": environment.place.python,
        "folder": str(environment.place.folder),
        "bytes": size,
        "in_step": environment.in_step,
        "why": environment.why,
        "unused": environment.unused,
        "users": environment.users,
        "last_used": _when(environment.used),
    }


def _row(environment: Environment, size: int) -> list[str]:
    state = "in step" if environment.in_step else environment.why
    if environment.preparing is not None:
        state = f"being prepared by {environment.preparing}"
    if environment.users:
        state += f", in use by {', '.join(environment.users)}"
    version = venv_settings(environment.place.folder).get("version_info", "?")
    used = (_when(environment.used) or "never")[:16].replace("T", " ")
    return [environment.name, version, size_text(size), used, state]


def _when(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
