"""`run-pipeline bundle`: all that pipelines need in one file, for a computer without a network."""

from __future__ import annotations

import platform

import click

from runner.bundle.asked import Asked, Made
from runner.bundle.fetch import FAILED
from runner.bundle.make import make
from runner.bundle.target import NAMES, here, target_of
from runner.bundle.tools import own_repository
from runner.cli.common import as_given, make_site, offline_option, pipeline_path, print_json, screen, usual
from runner.cli.completing import complete_files
from runner.errors import Interrupted, RunnerError, UsageError
from runner.ground.words import counted, size_text
from runner.pipeline.reader import read_pipeline
from runner.process.stop import StopRequest, install_signal_handlers
from runner.report.console import Console

EPILOG = """\b
Examples:
  run-pipeline bundle pipeline.yaml -o lab.bundle
  run-pipeline bundle a.yaml b.yaml -o lab.bundle --platform windows --python 3.11"""


@click.command(name="bundle", epilog=EPILOG)
@click.argument("files", metavar="FILE.yaml...", shell_complete=complete_files, nargs=-1, required=True)
@click.option("--output", "-o", metavar="FILE", default="", help="The bundle (default: FILE.bundle here).")
@click.option("--platform", "system", metavar="NAME", default="", help=f"Of the computer there: {', '.join(NAMES)}.")
@click.option("--python", metavar="VERSION", default="", help="Of the computer there, such as 3.11 (default: as here).")
@click.option(
    "--update", metavar="OLD", default="", help="Only what the bundle OLD has not: the computer there has that."
)
@click.option("--glibc", metavar="VERSION", default="", help="Of Linux there, such as 2.28 (the default).")
@offline_option
@usual
def command(
    files: tuple[str, ...],
    output: str,
    system: str,
    python: str,
    update: str,
    glibc: str,
    as_json: bool,
    repo: str | None,
) -> int:
    """Put all that pipelines need into one file: packages, the runner, scripts, models.

    `run-pipeline unbundle FILE DIR`, or `python FILE DIR`, makes it ready on a computer without a network. Images and
    results stay here, and so does .env.
    """
    site = make_site(repo)
    console = screen(as_json=as_json)
    given = dict.fromkeys(pipeline_path(name) for name in files)
    asked = Asked(
        [(path, read_pipeline(path)) for path in given],
        as_given(output or f"{next(iter(given)).stem}.bundle"),
        target_of(system or here(), glibc),
        _version(python or ".".join(platform.python_version_tuple()[:2])),
        own_repository(),
        as_given(update) if update else None,
    )
    stop = StopRequest()
    with install_signal_handlers(stop):
        try:
            made = make(asked, site, stop, console.line)
        except RunnerError as error:
            if stop.requested and stop.reason != FAILED:  # then a program that was asked was stopped as well
                raise Interrupted("stopped; no bundle was written", "Start it again.") from error
            raise
    if as_json:
        print_json("bundle", **_as_data(made))
    else:
        _show(made, asked, console)
    return 0


def _version(text: str) -> str:
    """Raises UsageError."""
    parts = text.split(".")
    if len(parts) not in (2, 3) or parts[0] != "3" or not all(part.isdigit() for part in parts[1:]):
        raise UsageError(f"--python {text} is no version", "Write it as 3.11 or 3.11.9.")
    if int(parts[1]) < 11:
        raise UsageError(f"--python {text}: the runner needs Python 3.11 or newer", "Give a newer version.")
    return text


def _as_data(made: Made) -> dict[str, object]:
    manifest = made.manifest
    return {
        "file": str(made.path),
        "bytes": made.size,
        "platform": manifest.platform,
        "machine": manifest.machine,
        "python": manifest.python,
        "pipelines": manifest.pipelines,
        "environments": [one._asdict() for one in manifest.environments],
        "conda": made.conda,
        "notes": made.notes,
        "wheels": made.wheels,
        "shared": made.shared,
        "built": made.built,
        "locked": made.locked,
        "missing": manifest.missing,
        "left": made.left,
    }


def _show(made: Made, asked: Asked, console: Console) -> None:
    manifest = made.manifest
    console.line(f"{made.path}: {size_text(made.size)}, for {asked.target.words}", "bold")
    names = [one.text if ":" in one.text else one.name for one in manifest.environments]
    names += [f"{name} (of conda)" for name in made.conda]
    console.line(f"   environments: {', '.join(names) or 'none'}")
    console.line(f"   {counted(made.wheels, 'package')}, {made.shared} of them in more than one environment")
    if manifest.base:
        console.line(f"   only what is new since {manifest.base}: unpack that first, in the same folder")
    for one in made.built:
        console.line(f"   built here: {one}")
    for one in made.locked:
        console.line(f"   locked for this bundle: {one}")
    for one in made.left:
        console.line(f"   not in it: {one}")
    for one in made.notes:
        console.line(f"   note: {one}", "yellow")
    for one in manifest.missing:
        console.line(f"   needed there: {one}", "yellow")
