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
    from runner.errors import Busy

    try:
        return int(go_on(file, records, repo, How(submits=False, cancels=True), as_json=as_json))
    except Busy as error:
        from runner.cli.common import make_site, pipeline_path, screen
        from runner.cli.options import records_of
        from runner.cluster.session import cancel_followed, submitted_run
        from runner.ground.words import counted

        path = pipeline_path(file)
        record, submitted, _ = submitted_run(records_of(path, records), path.name)
        count = cancel_followed(record, submitted, make_site(repo, interactive=False).host)
        screen(as_json=as_json).line(f"{counted(count, 'job')} cancelled. {error.message}: it ends with them.")
        return 0
