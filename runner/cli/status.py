"""`run-pipeline status FILE`: what is done, when, how long it took, and what would run. Writes nothing."""

from __future__ import annotations

import click

from runner.cli.common import usual
from runner.cli.completing import complete_files
from runner.cli.on import OnCluster


@click.command(name="status", cls=OnCluster)
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
@click.option("--records", metavar="DIR", help="Where the run records are kept, if not beside the file.")
@click.option("--items", is_flag=True, help="Of segments over many items also those that are not done, with reasons.")
@usual
def command(file: str, records: str | None, items: bool, as_json: bool, repo: str | None) -> int:
    """Show each segment: done or not, when, how long it took, why it would run again; and the last run."""
    from runner.cli.showing import status

    return status(file, records, items, as_json, repo)
