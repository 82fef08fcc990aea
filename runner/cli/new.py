"""`run-pipeline new FOLDER`: a pipeline file for a folder of images; it never overwrites one."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.common import as_given, make_site, repo_option, reports_errors
from runner.cli.completing import complete_environments, complete_tasks
from runner.environments import Site
from runner.errors import UsageError
from runner.ground.files import state_error
from runner.ground.words import counted
from runner.pipeline.near import did_you_mean, near
from runner.pipeline.new_file import TASKS, images_in, pipeline_text
from runner.state.status import pipeline_of


@click.command(name="new")
@click.argument("folder", metavar="[FOLDER]", required=False, type=click.Path())
@click.option("--task", metavar="TASK", shell_complete=complete_tasks, help="threshold, er, rois, convert or metadata.")
@click.option(
    "--environment",
    metavar="ENV",
    default="",
    shell_complete=complete_environments,
    help="Where every segment runs, instead of the uv group of its program.",
)
@click.option("--output", metavar="FILE.yaml", type=click.Path(), help="Otherwise FOLDER_TASK.yaml beside FOLDER.")
@repo_option
@reports_errors
def command(folder: str | None, task: str | None, environment: str, output: str | None, repo: str | None) -> int:
    """Make a pipeline file for the images in FOLDER. What is not given is asked, where there is a terminal.

    Nothing is run, and no file is written over.
    """
    site = make_site(repo)
    place = _folder(folder, site)
    images = images_in(place)
    click.echo(f"{place} holds {counted(images.count, f'{images.ending} file')}.")
    if images.others:
        others = ", ".join(f"{count} {ending}" for ending, count in images.others.items())
        click.echo(f"Left out, being fewer: {others}. To take those, change the pattern in the file.")
    chosen = _task(task, site)
    results = place.with_name(f"{place.name}_{chosen}")
    asks = site.host.interactive and (folder is None or task is None)
    file = _file(output, results.with_name(results.name + ".yaml"), asks)
    _write(file, pipeline_text(chosen, place, images, results, file, environment))
    click.echo(f"Written: {file}")
    click.echo(f"Look at it, then: run-pipeline {_quoted(file)} --dry-run")
    return 0


def _folder(text: str | None, site: Site) -> Path:
    if text is None and site.host.interactive:
        text = click.prompt("Folder of the images")
    if text is None:
        raise UsageError(
            "new: no folder is given", "Name the folder of the images: `run-pipeline new FOLDER --task TASK`."
        )
    path = as_given(text.strip().strip('"'))
    if path.is_file():
        raise UsageError(f"{path} is a file", f"Name its folder: {path.parent}.")
    if not path.is_dir():
        raise UsageError(f"there is no folder {path}", "Correct the name, or look whether the drive is connected.")
    try:
        next(path.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "Ask for the right to read it.") from error
    if path.parent == path:
        raise UsageError(f"{path} is a whole drive", "Name a folder on it; results go beside that folder.")
    return path


def _task(text: str | None, site: Site) -> str:
    if text is None and site.host.interactive:
        for name, (says, _) in TASKS.items():
            click.echo(f"  {name:10} {says}")
        text = click.prompt("Task", type=click.Choice(list(TASKS)), show_choices=False)
    if text is None:
        raise UsageError("new: no task is given", f"Give --task with one of: {', '.join(TASKS)}.")
    if text not in TASKS:
        meant = near(text, TASKS)
        cure = did_you_mean(text, meant) if meant else f"There are: {', '.join(TASKS)}."
        raise UsageError(f"there is no task {text}", cure)
    return text


def _file(text: str | None, usual: Path, asks: bool) -> Path:
    if text is None and asks:
        text = click.prompt("Pipeline file", default=str(usual))
    path = as_given(text) if text else usual
    if path.is_dir():
        path = path / usual.name
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"{path.name} does not end in .yaml", f"Name it {path.name}.yaml, for example.")
    if pipeline_of(path) is not None:
        raise UsageError(f"{path.name} is the name of a status file", "Choose one that does not end in _status.yaml.")
    return path


def _write(path: Path, text: str) -> None:
    """Raises UsageError where there is such a file already, StateError where it cannot be written."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            try:
                stream.write(text)
                stream.flush()
            except BaseException:
                path.unlink()
                raise
    except FileExistsError:
        raise UsageError(
            f"there is a file {path} already; nothing was written", "Give another name: --output FILE.yaml."
        ) from None
    except FileNotFoundError:
        raise UsageError(f"there is no folder {path.parent}", "Make it first, or give another --output.") from None
    except OSError as error:
        raise state_error("write", path, error) from error


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if any(sign in text for sign in " '&()") else text
