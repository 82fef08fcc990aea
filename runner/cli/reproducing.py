"""What `run-pipeline reproduce` does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from runner.cli.common import as_given, make_site, print_json, screen
from runner.cli.comparing import measurer_for, reported, show
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
from runner.reproduce.recorded import find_run, read_run


def reproduce(record: str, run: str, **options: Any) -> int:
    """The command, with its options by their names."""
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
