"""`run-pipeline cancel FILE`: end the jobs of a run that was submitted; what is finished stays done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.on import OnCluster
from runner.cli.submitted import go_on, on_a_submitted_run

if TYPE_CHECKING:
    from runner.errors import Busy, StateError
    from runner.records.layout import Record


@click.command(name="cancel", cls=OnCluster)
@on_a_submitted_run
def command(file: str, records: str | None, as_json: bool, repo: str | None) -> int:
    """End the jobs of FILE, those of this run alone. What they had finished stays done."""
    from runner.cli.common import pipeline_path
    from runner.cli.options import records_of
    from runner.cluster.follow import How
    from runner.errors import Busy, StateError
    from runner.records.layout import latest_run

    path = pipeline_path(file)
    record = latest_run(records_of(path, records))
    try:
        return int(go_on(file, records, repo, How(submits=False, cancels=True), as_json=as_json))
    except Busy as error:
        return _followed(path, records, repo, error, as_json=as_json)
    except StateError as error:
        if record is None:
            raise
        return _give_up(path, record, repo, error, as_json=as_json)


def _followed(path: Path, records: str | None, repo: str | None, error: Busy, *, as_json: bool) -> int:
    """Another process follows the run, here or on another computer. Raises RunnerError."""
    from runner.cli.common import make_site, screen
    from runner.cli.options import records_of
    from runner.cluster.session import cancel_followed, submitted_run
    from runner.ground.words import counted

    record, submitted, _ = submitted_run(records_of(path, records), path.name)
    console = screen(as_json=as_json)
    count = cancel_followed(record, submitted, make_site(repo, interactive=False).host, console.line)
    console.line(f"{counted(count, 'job')} cancelled. {error.message}: it ends with them.")
    return 0


def _give_up(path: Path, record: Record, repo: str | None, error: StateError, *, as_json: bool) -> int:
    """Its record is damaged: what was submitted is ended all the same. Raises RunnerError."""
    from runner.cli.common import make_site, print_json, screen
    from runner.cli.submitted import executor_settings
    from runner.cluster.freeze import read_submitted
    from runner.cluster.session import give_up
    from runner.errors import StateError, UsageError
    from runner.state.locks import LockFile
    from runner.state.status import status_path

    site = make_site(repo, interactive=False)
    try:
        settings = read_submitted(record.folder).settings
    except StateError:
        found = executor_settings(site, str(record.data.get("executor") or "") or None)
        if found is None:
            raise UsageError(f"{error.message}; so nothing says which cluster has its jobs", error.cure) from error
        settings = found
    with LockFile.of_run(status_path(path), f"run-pipeline {path.name}").acquire(wait=0):
        jobs = give_up(record, settings, site.host, screen(as_json=as_json).line)
    ended = f"its jobs were ended: {', '.join(jobs)}" if jobs else "no job of it is known (look at the queue)"
    if as_json:
        print_json("cancelled", record=str(record.folder), jobs=jobs, why=error.message)
        return 0
    screen().line(f"{error.message}.\nThis run is given up, and {ended}. What they finished stays done.")
    return 0
