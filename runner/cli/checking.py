"""What `run-pipeline check` does."""

from __future__ import annotations

import os
from glob import glob
from pathlib import Path

from runner.checks import errors, find_problems, find_warnings
from runner.cli.common import make_site, pipeline_path, screen, show_diagnostics, show_error
from runner.cli.dry_run import print_findings
from runner.cli.options import request_for
from runner.environments import Site, kind, parts
from runner.environments.offline import offline
from runner.errors import ExitCode, PipelineError
from runner.ground.words import counted
from runner.model import Diagnostic, Mark, Pipeline, Severity
from runner.pipeline.reader import read_pipeline
from runner.runs.look import look_at
from runner.state.status import pipeline_of
from runner.tasks import Task, Tasks


def check(files: tuple[str, ...], as_json: bool, repo: str | None) -> int:
    """The command."""
    site = make_site(repo, interactive=False)
    return max((check_file(file, site, as_json=as_json) for file in _chosen(files)), default=ExitCode.DONE)


def _chosen(files: tuple[str, ...]) -> list[str]:
    """Patterns filled in, which cmd.exe leaves to the program; status files are none, unless one is named alone.

    A file that is there is no pattern, whatever signs its name has.
    """
    named = (() if os.path.lexists(file) else sorted(glob(file)) for file in files)  # noqa: PTH207  (as it was typed)
    found = [name for file, names in zip(files, named, strict=True) for name in names or (file,)]
    return [name for name in found if pipeline_of(Path(name)) is None] if len(found) > 1 else found


def check_file(file: str, site: Site, *, as_json: bool = False) -> int:
    """Shows what is found; the exit code."""
    path = pipeline_path(file)
    try:
        pipeline = read_pipeline(path)
    except PipelineError as error:
        if as_json:
            print_findings(error.diagnostics)
        else:
            show_error(error, screen())
        return error.exit_code
    jobs = list(Tasks(pipeline, site).values())
    found = [*find_problems(jobs, pipeline, site), *_item_problems(pipeline, site)]
    problems = errors(found)
    warnings = [
        *find_warnings(pipeline, site),
        *_measuring(pipeline, site),
        *(one for one in found if one not in problems),
    ]
    if as_json:
        print_findings([*warnings, *problems])
    else:
        _show(pipeline, jobs, warnings, problems, site)
    if not problems:
        return ExitCode.DONE
    return ExitCode.ENVIRONMENT if any(p.is_environment for p in problems) else ExitCode.USAGE


def _measuring(pipeline: Pipeline, site: Site) -> list[Diagnostic]:
    """Of a file that says how it is compared: whether the results could be measured without a network."""
    line = next((number for number, line in enumerate(pipeline.lines, 1) if line.startswith("compare:")), 0)
    if not line or not offline(site):
        return []
    from runner.compare.measuring import lacking

    return [
        Diagnostic(Severity.WARNING, one.message, one.cure, pipeline.path, Mark(line, 1, 7), missing=one.missing)
        for one in lacking(site)
    ]


def _item_problems(pipeline: Pipeline, site: Site) -> list[Diagnostic]:
    """Of what its segments go over, and of what they ask of this machine."""
    if not any(segment.many or segment.resources for segment in pipeline.segments):
        return []
    return list(look_at(request_for(pipeline, site)).item_problems(every=True))


def _show(
    pipeline: Pipeline, jobs: list[Task], warnings: list[Diagnostic], problems: list[Diagnostic], site: Site
) -> None:
    console = screen()
    show_diagnostics([*warnings, *problems], console)
    bad = {p.segment for p in problems}
    for job in jobs:
        if job.segment.number not in bad:
            needs = kind(job.spec).prepare(job.spec, job.entries, site) is not None
            where = f"{job.segment.environment}{' (would be prepared first)' if needs else ''}"
            came = [origin for part in parts(job.spec) if (origin := kind(part).origin(part, site))]
            where += "".join(f" ({one})" for one in came)
            console.line(f"ok    {job.segment.number:>3}. {job.segment.name or '(no name)'}  {where}", "green")
    if problems:
        console.line(f"{pipeline.path}: {counted(len(problems), 'problem')}", "red", "bold")
    elif warnings:
        console.line(f"{pipeline.path}: could run, but look at the warning{'s' * (len(warnings) != 1)}")
    else:
        console.line(f"{pipeline.path}: could run as it is")
