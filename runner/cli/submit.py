"""`run-pipeline submit FILE`: hand what is not done to a cluster, and wait for nothing."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.common import offline_option, usual
from runner.cli.completing import complete_files
from runner.cli.on import OnCluster
from runner.cli.submitted import executor_option, records_option, selecting


@click.command(name="submit", cls=OnCluster)
@click.argument("file", metavar="FILE.yaml", shell_complete=complete_files)
@executor_option
@click.option("--force", "-f", is_flag=True, help="Everything, done or not.")
@selecting
@records_option
@offline_option
@usual
def command(file: str, **options: Any) -> int:
    """Submit the segments of FILE.yaml that are not done yet, and return once the cluster has taken them.

    Environments are prepared first, and a small job proves from a node that all is visible there. A segment whose
    items an earlier one makes is submitted by `resume`.
    """
    from runner.cli.run import execute
    from runner.cli.submitted import executor_settings
    from runner.errors import UsageError

    def settings(site: Any) -> Any:
        found = executor_settings(site, options["executor"])
        if found is None:
            raise UsageError(
                "nothing says which cluster", "Add --executor slurm, or pbs, or a name of run-pipeline.toml."
            )
        return found

    return execute(file, options | {"accept": False, "verbose": False}, settings, waits=False)
