"""`run-pipeline check FILE`: is it valid, and could its environments be prepared? Runs and writes nothing."""

from __future__ import annotations

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files


@click.command(name="check")
@click.argument("files", metavar="FILE.yaml...", shell_complete=complete_files, nargs=-1, required=True)
@offline_option
@usual
def command(files: tuple[str, ...], as_json: bool, repo: str | None) -> int:
    """Check pipeline files: their text, the scripts they name, the environments they need.

    Environments are looked for, not prepared. Exit status 0: could run as it is.
    """
    from runner.cli.checking import check

    return check(files, as_json=as_json, repo=repo)
