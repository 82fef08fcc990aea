"""What `run-pipeline doctor` does."""

from __future__ import annotations

import shutil
import time

import click

from runner.cli.common import make_site, pipeline_path, print_json, screen
from runner.cli.options import records_of
from runner.doctor import Context, Line
from runner.doctor.checks import CHECKS
from runner.doctor.examine import TOTAL, Result, examine, within
from runner.environments import Site
from runner.errors import PipelineError
from runner.ground.words import counted, time_text
from runner.pipeline.reader import read_pipeline
from runner.report.console import Console
from runner.tasks import Tasks

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_STATE_WIDTH = 9
_READING = 8.0  # seconds for the repository's settings and FILE
_NARROWEST, _WIDEST = 60, 140


def doctor(file: str | None, gpu: bool, records: str | None, as_json: bool, repo: str | None) -> int:
    """The command."""
    began = time.monotonic()
    console = screen()
    if not as_json:
        console.live("looking at this machine…")
    given = click.get_current_context()

    def read() -> Context:
        with given.scope(cleanup=False):  # in a thread of its own, where click knows of no command line
            return _context(file, gpu, records, make_site(repo, interactive=False))

    context = within(_READING, read)
    results = examine(CHECKS, context, total=TOTAL - (time.monotonic() - began))
    seconds = time.monotonic() - began
    counts = dict.fromkeys(_COLOURS, 0)
    for result in results:
        for line in result.lines:
            counts[line.state.value] += 1
    if as_json:
        _print_json(results, counts, seconds)
    else:
        _show(results, counts, seconds, console)
    return 1 if counts["problem"] else 0


def _context(file: str | None, gpu: bool, records: str | None, site: Site) -> Context:
    if file is None:
        return Context(site, gpu=gpu)
    path = pipeline_path(file)
    try:
        pipeline = read_pipeline(path)
    except PipelineError as error:
        return Context(site, refused=error, gpu=gpu)
    jobs = tuple(Tasks(pipeline, site).values())
    return Context(site, pipeline, jobs, records=records_of(path, records), gpu=gpu)


def _print_json(results: list[Result], counts: dict[str, int], seconds: float) -> None:
    for result in results:
        for line in result.lines:
            print_json("line", check=result.check.title, state=line.state.value, text=line.text, cure=line.cure)
    numbers = {"ok": counts["ok"], "warnings": counts["warning"], "problems": counts["problem"]}
    print_json("summary", **numbers, seconds=round(seconds, 1))


def _show(results: list[Result], counts: dict[str, int], seconds: float, console: Console) -> None:
    title_width = max(len(result.check.title) for result in results if result.lines) + 2
    for result in results:
        title = result.check.title
        for line in result.lines:
            _show_line(title, line, title_width, console)
            title = ""
    parts = [counted(counts["problem"], "problem"), counted(counts["warning"], "warning"), f"{counts['ok']} ok"]
    worst = "problem" if counts["problem"] else "warning" if counts["warning"] else "ok"
    console.line()
    console.line(f"{', '.join(parts)} ({time_text(seconds)})", _COLOURS[worst], "bold")


def _show_line(title: str, line: Line, title_width: int, console: Console) -> None:
    indent = _STATE_WIDTH + title_width
    columns = shutil.get_terminal_size((100, 24)).columns
    width = max(_NARROWEST, min(_WIDEST, columns)) - indent
    first, *rest = _wrapped(line.text, width)
    state = console.style(line.state.value.ljust(_STATE_WIDTH), _COLOURS[line.state.value], "bold")
    console.line(f"{state}{title.ljust(title_width)}{first}")
    for text in rest:
        console.line(" " * indent + text)
    for paragraph in line.cure.splitlines():
        for number, text in enumerate(_wrapped(paragraph, width - 3)):
            console.line(" " * indent + console.style(("→ " if number == 0 else "  ") + text, "cyan"))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; a path that is longer stays whole, so that it can be copied."""
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
