"""What `run-pipeline compare` does."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runner.checks import find_warnings
from runner.cli.asking import ask_user
from runner.cli.common import as_given, error_console, make_site, pipeline_path, print_json, screen, show_error
from runner.cli.options import request_for
from runner.cli.run import run_pipeline, show_warnings
from runner.compare.folders import compare_folders
from runner.compare.measuring import Measurer, lacking
from runner.compare.pipelines import Pipelines, all_places, compare_pipelines
from runner.compare.places import Place
from runner.compare.report import as_data, check_folder, write_report
from runner.compare.results import Comparison, Part, Rung
from runner.compare.settings import read_settings
from runner.compare.sides import machine, versions
from runner.compare.sign_off import check_place, parse, record, signed_off
from runner.compare.verdict import conclude, forgive_noise
from runner.environments import Site
from runner.environments.offline import offline
from runner.errors import EnvironmentMissing, ExitCode, Interrupted, PipelineError, RunnerError, UsageError
from runner.ground.words import some
from runner.model import Pipeline
from runner.pipeline.reader import read_pipeline
from runner.process.stop import StopRequest, install_signal_handlers
from runner.records.journal import Journal, Reporter
from runner.report.console import Console
from runner.report.lines import LineReporter
from runner.runs.look import look_at
from runner.state.holder import user

SHOWN = 5  # pairs of a segment on the screen


def compare(a: str, b: str, **options: Any) -> int:
    """The command, with its options by their names."""
    one, two = (Path(text).expanduser().absolute() for text in (a, b))
    folders = one.is_dir() and two.is_dir()
    signed = parse(options["sign_off"]) if options["sign_off"] else None
    if signed and folders:
        raise UsageError("--sign-off is for two pipelines", "Compare the pipeline files that made these folders.")
    if not folders and (one.is_dir() or two.is_dir()):
        raise UsageError("A and B are a folder and a file", "Give two pipeline files, or two folders.")
    options["report"] = as_given(options["report"]) if options["report"] else None
    options["console"] = screen(as_json=options["as_json"])
    if folders:
        _refuse_nested(one, two)
        if options["report"]:
            check_folder(options["report"], [Place(one), Place(two)])
    site = make_site(options["repo"], interactive=False if options["as_json"] else None)
    if signed:
        check_place(one, two, Path(site.repo))
    with measurer_for(site, () if folders else (one, two), options) as measurer:
        found = compare_folders(one, two, measurer) if folders else _of_pipelines(one, two, measurer, options)
        if measurer.stop.requested:
            raise Interrupted("stopped", "Start the comparison again.")
        for part in found.parts:
            forgive_noise(part, measurer.settings.noise_factor)
        conclude(found)
        found.machine, found.settings = machine(site), measurer.settings.as_data()
        if signed:
            found.sign_off = record(found, one, two, Path(site.repo), *signed, user=user())
        elif one.is_file():
            found.sign_off = signed_off(one, two, Path(site.repo))
        page = reported(found, measurer, options) if options["report"] else None
    if options["as_json"]:
        print_json("comparison", **as_data(found), report=str(page) if page else None)
    else:
        show(found, page, options)
    return 0 if found.good else 1


def _refuse_nested(a: Path, b: Path) -> None:
    one, two = a.resolve(), b.resolve()
    if one == two:
        raise UsageError("A and B are the same folder", "Give the folder of each run.")
    if one.is_relative_to(two) or two.is_relative_to(one):
        inner, outer = (a, b) if one.is_relative_to(two) else (b, a)
        raise UsageError(f"{inner} lies in {outer}", "Give two folders beside each other.")


@contextmanager
def measurer_for(site: Site, pipelines: Iterable[Path], options: dict[str, Any]) -> Iterator[Measurer]:
    files = [pipeline_path(str(path)) for path in pipelines]
    settings = read_settings(files, options["tolerance"], options["ignore"], options["ignore_column"])
    stop = StopRequest()
    with tempfile.TemporaryDirectory(prefix="run-pipeline-compare-") as scratch, install_signal_handlers(stop):
        yield Measurer(site, Path(scratch), settings, stop, options["console"].line)


def _of_pipelines(a: Path, b: Path, measurer: Measurer, options: dict[str, Any]) -> Comparison:
    if a == b:
        raise UsageError("A and B are the same file", "To see A's own noise, compare it with its twin.")
    pipelines = read_pipeline(a), read_pipeline(b)
    _stop_on_problems(pipelines, measurer.site)
    reporter = LineReporter(options["console"], windows=sys.platform == "win32", verbose=False)
    two = Pipelines(
        *pipelines,
        measurer.site,
        Journal(reporter),
        measurer,
        lambda pipeline: _run_as_usual(pipeline, measurer.site, reporter),
        anew=options["fresh"],
        noise=not options["no_noise_floor"],
    )
    if options["report"]:  # looked at before hours of runs
        check_folder(options["report"], [Place(two.folder), *all_places(two)])
    measurer.prepare()
    return compare_pipelines(two)


def _stop_on_problems(pipelines: Iterable[Pipeline], site: Site) -> None:
    """What both lack, and what measures, is told or asked for before A runs for a night. Raises RunnerError."""
    refused: list[RunnerError] = []
    for pipeline in pipelines:
        show_warnings(find_warnings(pipeline, site))
        look = look_at(request_for(pipeline, site))
        try:
            show_warnings(look.problems())
        except PipelineError as error:
            refused.append(error)
        else:
            ask_user((job.spec for job in look.jobs.values()), site)
    if refused:
        if offline(site):
            refused[:0] = [EnvironmentMissing(found.message, found.cure) for found in lacking(site)]
        *others, last = refused
        for one in others:
            show_error(one, error_console())
        raise last


def _run_as_usual(pipeline: Pipeline, site: Site, reporter: Reporter) -> None:
    """`run-pipeline FILE.yaml`; its lines are shown, and a failure ends the comparison."""
    code = run_pipeline(pipeline, site, reporter)
    if code is ExitCode.INTERRUPTED:
        raise Interrupted("stopped", "Start the comparison again: what is finished stays finished.")
    if code is not ExitCode.DONE:
        error = RunnerError(
            f"{pipeline.path.name} did not come to its end, so there is nothing to compare", "Its log is named above."
        )
        error.exit_code = code
        raise error


def reported(comparison: Comparison, measurer: Measurer, options: dict[str, Any]) -> Path:
    """The page; where it cannot be made, the result is on the screen all the same."""
    try:
        drawn = measurer.draw(sorted(comparison.pairs, key=lambda pair: pair.order), comparison.pairs)
        return write_report(comparison, drawn, options["report"])
    except RunnerError:
        if not options["as_json"]:
            show(comparison, None, options)
        raise


def _remarks(part: Part) -> list[str]:
    """What makes no difference but should be known, each once, with the files that it is about."""
    files: dict[str, list[str]] = {}
    for pair in part.pairs:
        for remark in pair.remarks if pair.rung is not Rung.NOISE else ():
            files.setdefault(remark, []).append(pair.name)
    lines = [f"{remark} ({some(names, 1)})" for remark, names in files.items()]
    more = [f"{len(lines) - SHOWN} more remarks; --report DIR shows all"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def show(comparison: Comparison, page: Path | None, options: dict[str, Any]) -> None:
    console: Console = options["console"]
    console.line("")
    for part in comparison.parts:
        console.line(part.name, "bold")
        console.line(f"   {part.sentence}")
        bad = sorted((p for p in part.pairs if not p.rung.good), key=lambda p: p.order)
        for pair in bad[:SHOWN]:
            told = f": {pair.said}" if pair.said else ""
            console.line(f"   {console.style(pair.rung.value, 'red')}  {pair.name}{told}")
        if len(bad) > SHOWN:
            console.line(f"   and {len(bad) - SHOWN} more" + ("" if page else "; --report DIR shows all"))
        for line in _remarks(part):
            console.line(f"   note: {line}")
        found = [row for row in versions(part.a.fingerprint, part.b.fingerprint) if row[1] and row[2]]
        if found and not part.good:
            console.line(f"   other versions: {some([f'{name} {one} -> {two}' for name, one, two in found], 8)}")
    console.line("")
    for note in comparison.notes:
        console.line(f"note: {note}")
    console.line(comparison.sentence, "green" if comparison.good else "red", "bold")
    if comparison.sign_off:
        entry = comparison.sign_off
        console.line(f"Accepted by {entry['signed_by']} on {entry['when'][:10]}: {entry['reason']}")
    if page:
        console.line(f"Report: {page}")
