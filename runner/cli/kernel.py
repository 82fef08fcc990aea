"""`run-pipeline kernel`: environments of segments in Jupyter."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from runner.cli.common import (
    error_console,
    json_option,
    make_site,
    offline_option,
    print_json,
    repo_option,
    reports_errors,
)
from runner.cli.completing import complete_groups
from runner.environments import Request, Site, kind
from runner.environments.offline import offline
from runner.environments.spec import parse_environment
from runner.environments.users import note_use
from runner.environments.uv.missing import how_to_bring
from runner.environments.uv.settings import ask_uv
from runner.errors import EnvironmentMissing, UsageError
from runner.ground.disk import on_disk
from runner.kernels import LAUNCH, Kernel, gone, install, installed, kernels_folder, remove
from runner.model import Command, EnvironmentSpec
from runner.process.become import become
from runner.process.launch import child_environ

_FORMS = "Write uv:GROUP, uv@3.12:GROUP, a conda environment's name, or conda:NAME + uv:GROUP."

prefix_option = click.option(
    "--prefix", metavar="DIR", help="Of the Jupyter installation in DIR instead of your own kernels (a JupyterHub)."
)


@click.group(name="kernel")
def command() -> None:
    """Use the environment of a segment in Jupyter: install, list or remove kernels."""


@command.command(name="install")
@click.argument("environment", shell_complete=complete_groups)
@click.option("--name", metavar="TEXT", help="What Jupyter shows (default: the environment, and its Python).")
@prefix_option
@offline_option
@repo_option
@reports_errors
def install_command(environment: str, name: str | None, prefix: str | None, repo: str | None) -> int:
    """Make a kernel that starts in ENVIRONMENT, written as in a pipeline: uv:GROUP, uv@3.12:GROUP, a conda name.

    The environment is made ready now, and brought up to date whenever the kernel is started.
    """
    site = make_site(repo)
    spec = _spec(environment, site)
    _make_ready(spec, site)
    version, has_one = _asked(spec, site)
    if not has_one:
        _side(spec, version, site)
    shown = name.strip() if name else _plain(environment, _minor(version))
    if not shown.isprintable() or not shown:
        raise UsageError("--name holds signs that cannot be shown", "Give plain words.")
    start = (sys.executable, "-m", "runner", "kernel", "start", "--repo", str(site.repo), environment)
    made = install(_folder(prefix, site), shown, environment, site.repo, start, {})
    print(f"Jupyter shows it as {shown!r}: {made.folder}")
    return 0


@command.command(name="list")
@json_option
@prefix_option
@repo_option
@reports_errors
def list_command(as_json: bool, prefix: str | None, repo: str | None) -> int:
    """Show the kernels made here, and whether each can start."""
    site = make_site(repo, interactive=False)
    kernels = list(installed(_folder(prefix, site)))
    for kernel in kernels:
        state = _state(kernel, site)
        if as_json:
            print_json(
                "kernel", name=kernel.name, shown=kernel.shown, environment=kernel.environment, repo=kernel.repo,
                folder=str(kernel.folder), can_start=not state, why=state,
            )  # fmt: skip
        else:
            print(f"{kernel.name}\n  {kernel.shown}\n  {kernel.environment} of {kernel.repo}")
            print(f"  {state or 'can start'}")
    if not kernels and not as_json:
        print(f"No kernels of ours in {_folder(prefix, site)}. `run-pipeline kernel install uv:GROUP` makes one.")
    return 0


@command.command(name="remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@prefix_option
@repo_option
@reports_errors
def remove_command(names: tuple[str, ...], prefix: str | None, repo: str | None) -> int:
    """Remove kernels, by their name, by what Jupyter shows, or by their environment. Environments stay."""
    site = make_site(repo, interactive=False)
    folder = _folder(prefix, site)
    kernels = list(installed(folder))
    doomed: dict[str, Kernel] = {}
    for name in names:
        found = [k for k in kernels if name in (k.name, k.shown, k.environment)]
        if not found:
            have = ", ".join(kernel.name for kernel in kernels) or "none"
            raise UsageError(f"there is no kernel {name!r} of ours in {folder}", f"There are: {have}.")
        doomed.update({kernel.name: kernel for kernel in found})
    for kernel in doomed.values():
        remove(kernel)
        print(f"Removed {kernel.name}.")
    return 0


@command.command(name="start", hidden=True)
@click.argument("environment")
@click.option("-f", "connection", required=True, metavar="FILE")
@repo_option
@reports_errors
def start_command(environment: str, connection: str, repo: str | None) -> int:
    """What Jupyter starts: the kernel in its environment, in the place of this process where the system can do that."""
    site = make_site(repo, interactive=False)
    spec = _spec(environment, site)
    _make_ready(spec, site)
    version, has_one = _asked(spec, site)
    side = "" if has_one else str(_side(spec, version, site))
    note = note_use(kind(spec).folder(spec, ("python",), site))  # of this process, which becomes the kernel
    started = _wrapped(spec, site, ("-c", LAUNCH, side, str(note.path) if note else "", "-f", connection))
    # what a segment must not see: by these Jupyter interrupts the kernel, and the kernel ends with Jupyter
    keep = {name: value for name, value in site.host.environ.items() if name.startswith("JPY_")}
    try:
        return become(started, site.host.environ, site.host.platform, keep)
    finally:
        if note is not None:
            note.release()


def _plain(environment: str, minor: str) -> str:
    """For people: `segment_er (uv, Python 3.11)`."""
    found = re.fullmatch(r"(uv|conda)(?:@[^:]*)?:([^+]+)", environment.strip(), re.IGNORECASE)
    name, of = (found[2].strip(), f"{found[1].lower()}, ") if found else (environment.strip(), "")
    return f"{name} ({of}Python {minor})"


def _minor(version: str) -> str:
    return ".".join(version.split("-")[0].split(".")[:2])


def _folder(prefix: str | None, site: Site) -> Path:
    return on_disk(kernels_folder(site.host, Path(prefix).expanduser().absolute() if prefix else None))


def _spec(environment: str, site: Site) -> EnvironmentSpec:
    spec = parse_environment(environment, "", site.host.platform)
    found = kind(spec)
    if found.by_commands or found.elsewhere or found.tool in ("", "imagej"):
        raise UsageError(f"{environment!r} is no environment that a notebook could use", _FORMS)
    return spec


def _make_ready(spec: EnvironmentSpec, site: Site) -> None:
    """Raises EnvironmentMissing with what would stop a segment."""
    from runner.executors.carry import carry_out
    from runner.process.stop import StopRequest

    words = ("python", "-c", "pass")
    for finding in kind(spec).check(spec, words, site):
        raise EnvironmentMissing(finding.message, finding.cure)
    if preparation := kind(spec).prepare(spec, words, site):
        console = error_console()
        console.line(f"preparing {preparation.title}")
        carry_out(preparation, site.host.environ, StopRequest(), screen=console.raw, on_wait=console.line)


def _wrapped(spec: EnvironmentSpec, site: Site, words: tuple[str, ...]) -> Command:
    return kind(spec).wrap(Request(spec, ("python", *words), {}, str(Path.cwd()), many=True), site)


def _asked(spec: EnvironmentSpec, site: Site) -> tuple[str, bool]:
    """The environment's Python as `3.11.2-cpython-311-x86_64-linux-gnu`, and whether it has an ipykernel of its own."""
    code = (
        "import sys, sysconfig, importlib.util as u; print('.'.join(map(str, sys.version_info[:3])), "
        "sysconfig.get_config_var('SOABI') or sys.platform, bool(u.find_spec('ipykernel')), sys.executable)"
    )
    asked = _wrapped(spec, site, ("-c", code))
    answer = site.host.capture(
        asked.argv, env=child_environ(site.host.environ, asked, site.host.platform), cwd=asked.cwd
    )
    words = answer.stdout.decode("utf-8", "replace").split(None, 3)
    if answer.code != 0 or len(words) != 4:
        said = answer.error or answer.stderr.decode("utf-8", "replace").strip()
        raise EnvironmentMissing(f"the Python of {spec.text} does not start: {said}", "Try it: run-pipeline doctor.")
    return f"{words[0]}-{words[1]}", words[2] == "True"


def _side(spec: EnvironmentSpec, version: str, site: Site) -> Path:
    """The folder with ipykernel for environments of this Python."""
    folder = on_disk(site.environments) / ".kernels" / f"{_minor(version)}-{version.partition('-')[2]}"
    if folder.is_dir():
        return folder
    import shutil
    import tempfile

    error_console().line("getting ipykernel, which Jupyter needs and the environment has not")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        python = _wrapped(spec, site, ("-c", "pass")).argv[0]
        words = ["pip", "install", "--quiet", "--python", python, "--target", str(part), "ipykernel>=6"]
        answer = ask_uv(words, site, timeout=900.0)
        if answer.code != 0:
            said = answer.error or answer.stderr.decode("utf-8", "replace").strip()
            cure = "Add ipykernel to the group (`uv add --group GROUP ipykernel`), or try again with a network."
            if why := offline(site):
                said = f"no network is used ({why}), and it is not in uv's cache"
                cure = f"{how_to_bring(f'kernel install {spec.text}', site)}\n{cure}"
            raise EnvironmentMissing(f"ipykernel could not be had: {said}", cure)
        part.chmod(0o755)
        try:
            part.rename(folder)
        except OSError:  # another start was faster
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _state(kernel: Kernel, site: Site) -> str:
    """Why it cannot start, "" where it can."""
    why, cure = gone(kernel)
    if why:
        return f"cannot start: {why}. {cure}"
    own = site if kernel.repo == str(site.repo) else make_site(kernel.repo, interactive=False)
    spec = parse_environment(kernel.environment, "", own.host.platform)
    findings = kind(spec).check(spec, ("python", "-c", "pass"), own)
    return f"cannot start: {findings[0].message}. {findings[0].cure.splitlines()[0]}" if findings else ""
