"""`run-pipeline worker RECORD SEGMENT`: what a cluster's job runs. People need it when they look why one fails."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.common import make_site, reports_errors
from runner.cluster.allocation import job_of
from runner.cluster.element import PATIENCE, Element, patient
from runner.cluster.freeze import read_submitted
from runner.cluster.worker import work
from runner.host import this_host
from runner.process.stop import StopRequest, install_signal_handlers
from runner.records.journal import Event, Journal


class _Plain:
    """Warnings and notes, a line each: it goes to the file that the scheduler keeps of the job."""

    def on(self, event: Event) -> None:
        if event.kind in ("note", "warning"):
            click.echo(("warning: " if event.kind == "warning" else "") + str(event.data["text"]))

    def output(self, chunk: bytes, segment: int | None = None) -> None:
        pass  # it is in the log

    def tick(self, seconds: float, segment: int | None = None) -> None:
        pass


@click.command(name="worker", hidden=True)
@click.argument("record", type=click.Path(path_type=Path))
@click.argument("segment", type=click.IntRange(1), required=False)
@click.option("--index", type=click.IntRange(0), default=0, metavar="N", help="Which chunk of the items.")
@click.option("--generation", type=click.IntRange(0, 999), default=0, metavar="N", help="0: the first submission.")
@click.option("--probe", "is_probe", is_flag=True, help="Look whether this node sees all that the jobs need; run none.")
@reports_errors
def command(record: Path, segment: int | None, index: int, generation: int, is_probe: bool) -> int:
    """Run one chunk of a segment that was submitted. RECORD is the folder of the run."""
    if (segment is None) != is_probe:
        raise click.UsageError("give the number of a segment, or --probe")
    record = record.absolute()
    stop = StopRequest()
    stop.shared = bool(job_of(this_host()))
    with install_signal_handlers(stop):
        # to a person, what is not there is not there; a job may be sooner on its node than the file
        seconds = PATIENCE if job_of(this_host()) else 0.0
        submitted = patient(lambda: read_submitted(record), record, stop, seconds)
        site = make_site(submitted.repo, interactive=False)
        journal = Journal(_Plain())
        if segment is None:
            from runner.cluster.probe import probe

            return probe(record, site, journal, stop)
        return int(work(Element(record, segment, index, generation), site, journal, stop))
