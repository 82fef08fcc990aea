"""`run-pipeline collect FILE`: what the jobs of a submitted run have finished counts as done; nothing is waited for."""

from __future__ import annotations

import click

from runner.cli.on import OnCluster
from runner.cli.submitted import go_on, on_a_submitted_run


@click.command(name="collect", cls=OnCluster)
@on_a_submitted_run
def command(file: str, records: str | None, as_json: bool, repo: str | None) -> int:
    """Take in what the jobs of FILE have finished by now. It waits for nothing, submits nothing and ends nothing."""
    from runner.cluster.follow import How

    return int(go_on(file, records, repo, How(submits=False, waits=False), as_json=as_json))
