"""`run-pipeline unbundled`: the second half of unbundling, by the runner that was in the bundle."""

from __future__ import annotations

from pathlib import Path

import click

from runner.bundle import ready
from runner.bundle.form import Manifest
from runner.bundle.own import NotMade
from runner.cli.checking import check_file
from runner.cli.common import error_console, find_repo, make_site, reports_errors, show_error
from runner.cli.env import prepare
from runner.environments import Site
from runner.environments.quoting import quote_cmd, quote_posix
from runner.environments.store import read_store
from runner.errors import EnvironmentMissing, ExitCode, PipelineError
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline
from runner.report.console import Console


@click.command(name="unbundled", hidden=True)
@click.option("--canary", is_flag=True)
@click.option("--no-check", is_flag=True)
@reports_errors
def command(canary: bool, no_check: bool) -> int:
    """Make the environments of the bundle that this runner was unpacked from, and check its pipelines."""
    folder, console = find_repo(None), error_console()
    manifest = ready.read_manifest(folder)
    ready.stay_offline(folder)
    site = ready.with_cache(make_site(str(folder), interactive=False))
    _check_store(site, folder)
    pipelines, code = _read(manifest, folder, console)
    try:
        found = ready.environments(manifest, site, pipelines, lambda one: prepare(one, site, console), console.line)
        for error in found:
            show_error(error, console)
            code = error.exit_code
    except NotMade as error:
        raise EnvironmentMissing(str(error)) from error
    finally:
        ready.drop_cache(folder)
    for name in () if no_check or code else pipelines:
        code = check_file(str(folder / name), site) or code
    for name in pipelines if canary and not code else ():
        code = _try(pipelines[name], site) or code
    _tell(manifest, folder, site, console, ready=not code)
    return int(code)


def _check_store(site: Site, folder: Path) -> None:
    """Raises EnvironmentMissing where none was made: its folder may be one of a share that is not mounted."""
    if site.store is None:
        return
    try:
        read_store(site.store.folder)
    except EnvironmentMissing as error:
        own = " ".join(_runner(folder, site))
        raise EnvironmentMissing(error.message, error.cure.replace("run-pipeline env", f"{own} env")) from error


def _runner(folder: Path, site: Site) -> list[str]:
    """How that of `folder` is started, for a shell."""
    windows = site.host.windows
    program = folder / ".venv" / ("Scripts/run-pipeline.exe" if windows else "bin/run-pipeline")
    words = [str(program)] if program.exists() else [str(program.with_stem("python")), "-m", "runner"]
    return [(quote_cmd if windows else quote_posix)(word) for word in words]


def _read(manifest: Manifest, folder: Path, console: Console) -> tuple[dict[str, Pipeline], int]:
    """Those that can be read; the user may have changed one."""
    found, code = {}, int(ExitCode.DONE)
    for name in manifest.pipelines:
        try:
            found[name] = read_pipeline(folder / name)
        except PipelineError as error:
            show_error(error, console)
            code = int(error.exit_code)
    return found, code


def _try(pipeline: Pipeline, site: Site) -> int:
    """One item, where it goes over many; else all of it."""
    from runner.cli.options import open_reporter
    from runner.cli.run import run_pipeline

    reporter = open_reporter(as_json=False, verbose=False)
    return int(run_pipeline(pipeline, site, reporter, canary=True, rest=False))


def _tell(manifest: Manifest, folder: Path, site: Site, console: Console, *, ready: bool) -> None:
    """What is ready, what must be there besides, and what to type."""
    quote = quote_cmd if site.host.windows else quote_posix
    console.line(f"\n{folder} holds {manifest.name} of {manifest.made[:10]}: {', '.join(manifest.pipelines)}")
    own = tuple(f"Python {python.version} must be installed" for python in manifest.pythons)  # it is: all is made
    if missing := [text for text in manifest.missing if not text.startswith(own)]:
        console.line("What no bundle can bring, and its pipelines need:", "yellow")
        for text in missing:
            console.line(f"  {text}")
    if not ready:
        console.line("Not all of it is ready, for the reasons above. Once they are mended, start it again: it goes on.")
    elif manifest.pipelines:
        words = [*_runner(folder, site), quote(str(folder / manifest.pipelines[0]))]
        console.line(f"Run the first pipeline:\n  {' '.join(words)}")
