"""`run-pipeline resume FILE`: go on with a run that was submitted, from any shell that sees its folder."""

from __future__ import annotations

import click

from runner.cli.on import OnCluster
from runner.cli.submitted import go_on, on_a_submitted_run


@click.command(name="resume", cls=OnCluster)
@on_a_submitted_run
def command(file: str, records: str | None, as_json: bool, repo: str | None) -> int:
    """Follow the run of FILE that was submitted, until it has ended.

    What a driver that broke off had not submitted is submitted now, and so is what was lost. Ctrl-C leaves it again:
    the jobs go on.
    """
    from runner.cluster.follow import How

    return int(go_on(file, records, repo, How(), as_json=as_json))
