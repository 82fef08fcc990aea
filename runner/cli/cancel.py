"""`run-pipeline cancel FILE`: end the jobs of a run that was submitted; what is finished stays done."""

from __future__ import annotations

import click

from runner.cli.on import OnCluster
from runner.cli.submitted import go_on, on_a_submitted_run


@click.command(name="cancel", cls=OnCluster)
@on_a_submitted_run
def command(file: str, records: str | None, as_json: bool, repo: str | None) -> int:
    """End the jobs of FILE, those of this run alone. What they had finished stays done."""
    from runner.cluster.follow import How

    return int(go_on(file, records, repo, How(submits=False, cancels=True), as_json=as_json))
