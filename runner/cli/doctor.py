"""`run-pipeline doctor [FILE]`: one page about this machine, each line with its state and its cure."""

from __future__ import annotations

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files


@click.command(name="doctor")
@click.argument("file", metavar="[FILE.yaml]", shell_complete=complete_files, required=False)
@click.option(
    "--gpu", is_flag=True, help="Also compute on the GPU with PyTorch; prepares its environment as a run does."
)
@click.option("--records", metavar="DIR", help="Where run records are kept, if not beside the file.")
@offline_option
@usual
def command(file: str | None, gpu: bool, records: str | None, as_json: bool, repo: str | None) -> int:
    """Look at this machine before a long run: programs, environments, disk, GPU, network, paths.

    Takes less than 30 seconds and changes nothing. Exit status 1: there is a problem.
    """
    from runner.cli.examining import doctor

    return doctor(file, gpu, records, as_json, repo)
