"""`run-pipeline reproduce`: a recorded run again, from its own record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner.cli.common import as_given, make_site, offline_option, print_json, screen, usual
from runner.cli.compare import measurer_for, reported, show
from runner.cli.completing import complete_files
from runner.cli.options import records_of
from runner.compare.places import Place
from runner.compare.report import as_data, check_folder
from runner.compare.sides import machine
from runner.compare.verdict import conclude
from runner.errors import Interrupted
from runner.records.journal import Journal
from runner.report.console import Console
from runner.report.lines import LineReporter
from runner.reproduce.again import Again, Asked, look, refuse, run_again
from runner.reproduce.difference import Weight
from runner.reproduce.recorded import LAST, find_run, read_run

EPILOG = """\b
Examples:
  run-pipeline reproduce pipeline.yaml              the last run, again
  run-pipeline reproduce pipeline.yaml 42 -n        what differs from run 42
  run-pipeline reproduce pipeline.yaml 42 --report report
\b
Exit codes: 0 the same, or within the tolerance; 1 different, missing or not comparable; 2 it would not be the same run,
or something of it is gone; 3 an environment of then cannot be had; others as everywhere."""


@click.command(name="reproduce", epilog=EPILOG)
@click.argument("record", metavar="FILE.yaml|DIR", shell_complete=complete_files)
@click.argument("run", metavar="[RUN]", default=LAST)
@click.option("--dry-run", "-n", is_flag=True, help="Only tell what differs from then; nothing is written or run.")
@click.option("--anyway", is_flag=True, help="Run it although what differs may change the result.")
@click.option(
    "--todays-lock", is_flag=True, help="With the environments as they are today, as for records that hold no lock."
)
@click.option("--fresh", is_flag=True, help="Run all of it, also what an earlier call has finished.")
@click.option("--report", metavar="DIR", help="Write a page with pictures (index.html) and report.json into DIR.")
@click.option(
    "--tolerance", multiple=True, metavar="LIMIT=N", help="Such as image.max=1 or labels.pq=0.95; repeatable."
)
@click.option("--ignore", multiple=True, metavar="GLOB", help="Files to leave out, such as '*.log'; repeatable.")
@click.option("--ignore-column", multiple=True, metavar="GLOB", help="Columns of tables to leave out; repeatable.")
@click.option("--records", metavar="DIR", help="Where the run records are, if not beside the file.")
@offline_option
@usual
def command(record: str, run: str, **options: Any) -> int:
    """Run a recorded run again, from its own record, and compare its results with those of then.

    RUN is the run's number or `last`; in place of both, the folder of the run. The pipeline's text is that of then, and
    so are the packages of uv's environments, which are made anew in folders of their own. Results go elsewhere: nothing
    is overwritten. What differs from then is told before anything runs.
    """
    given = as_given(record)
    options["console"] = console = screen(as_json=options["as_json"])
    options["report"] = as_given(options["report"]) if options["report"] else None
    site = make_site(options["repo"], interactive=False)
    recorded = read_run(find_run(given, run, records_of(given, options["records"])))
    asked = Asked(options["anyway"], options["todays_lock"], options["fresh"])
    again = look(recorded, site, asked)
    _tell(again, console, as_json=options["as_json"])
    if options["dry_run"]:
        return 0
    refuse(again)
    if options["report"]:
        check_folder(options["report"], [Place(Path(again.folder))])
    reporter = LineReporter(console, windows=sys.platform == "win32", verbose=False)
    with measurer_for(site, [recorded.record.folder / "pipeline.yaml"], options) as measurer:
        found = run_again(again, Journal(reporter), measurer, console.line)
        if measurer.stop.requested:
            raise Interrupted("stopped", "Start it again: what is finished stays finished.")
        conclude(found)
        found.machine, found.settings = machine(site), measurer.settings.as_data()
        page = reported(found, measurer, options) if options["report"] else None
    if options["as_json"]:
        print_json("comparison", **as_data(found), report=str(page) if page else None)
    else:
        console.line("")
        console.line(f"A is {recorded.name}, with its results as they are now; B is the same run again.")
        console.line(f"B's results are in {again.folder}")
        show(found, page, options)
    return 0 if found.good else 1


def _tell(again: Again, console: Console, *, as_json: bool) -> None:
    """All that is different from then, before anything is run."""
    if as_json:
        for one in again.different:
            told = {"what": one.what, "weight": one.weight.value, "segment": one.segment}
            print_json("difference", **told, text=one.text, cure=one.cure)
        return
    console.line(f"{again.run.name}, of {again.run.record.started[:16].replace('T', ' ')}", "bold")
    colours = {Weight.GONE: "red", Weight.CHANGES: "yellow", Weight.NO_LOCK: "yellow"}
    for weight in (Weight.GONE, Weight.NO_LOCK, Weight.CHANGES, Weight.NOTE):
        for one in again.different:
            if one.weight is weight:
                head = console.style(weight.value, colours[weight]) if weight in colours else weight.value
                console.line(f"   {head}: {one.text}")
    if not again.different:
        console.line("   nothing that is known differs from then")
