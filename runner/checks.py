"""What is wrong with a pipeline or would stop its segments, found before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from runner.environments import Site, kind
from runner.model import Diagnostic, Finding, Mark, Pipeline, Segment, Severity
from runner.pipeline.findings import script_findings
from runner.pipeline.glued import mended
from runner.pipeline.tokens import ITEM_TOKEN, SIGN, odd_tokens, texts_of
from runner.tasks import Task, make_task


def find_warnings(pipeline: Pipeline, site: Site) -> list[Diagnostic]:
    """What the pipeline file can be said to have got wrong, though it would run: tokens that are none included."""
    found = list(pipeline.warnings)
    for segment in pipeline.segments:
        if segment.is_control:
            continue
        in_shell = segment.environment.strip().lower() == "cmd"
        for key, text in texts_of(segment):
            # nearly every text has none, or begins with a token of ours
            if not SIGN.search(text, 6 if text.startswith(("%YAML%", "%REPO%")) else 0):
                continue
            if key.startswith("commands.") and mended(text):  # a flag that is glued to its value is told as that
                continue
            own = {name for name, _ in segment.env} if in_shell and key.startswith("commands.") else None
            for message, cure in odd_tokens(text, site.dotenv, of_shell=own, items=segment.many is not None):
                found.append(at_segment(Finding(message, cure, key, Severity.WARNING), segment, pipeline))
    return found


def find_problems(jobs: Iterable[Task], pipeline: Pipeline, site: Site, *, items: bool = False) -> list[Diagnostic]:
    """What would stop these jobs, all at once: missing groups, scripts, environments, working directories.

    Warnings among them: see `errors`. `items`: whether there is anything to go over, for those who do not go over it.
    """
    jobs = list(jobs)
    told = _argument_findings(jobs, pipeline, site, items=items)
    out: list[Diagnostic] = []
    for job in jobs:
        about_scripts = list(script_findings(job.segment, job.entries, job.cwd, site.host))
        placed = {finding.message for finding in about_scripts}  # an environment does not know the very place
        all_found = [one for one in kind(job.spec).check(job.spec, job.entries, site) if one.message not in placed]
        all_found += [*about_scripts, *told[job.segment.number]]
        of_item = job.segment.many and ITEM_TOKEN.search(job.cwd)
        if not of_item and not _is_folder(job.cwd, site):
            all_found.append(Finding(f"there is no folder {job.cwd}", _cure_of(job.cwd), "cwd"))
        out += [at_segment(finding, job.segment, pipeline) for finding in all_found]
    return out


def _argument_findings(
    jobs: Sequence[Task], pipeline: Pipeline, site: Site, *, items: bool
) -> dict[int, list[Finding]]:
    """By segment: arguments that a program which ships would refuse, flags glued to values, inputs that are missing."""
    from runner.pipeline.inputs import missing_inputs, step_of
    from runner.pipeline.programs import Answer, ask_about, findings, glued_findings, line_of

    found = {job.segment.number: glued_findings(job.segment) for job in jobs if not kind(job.spec).in_shell}
    known = {job.segment.number: job for job in jobs}
    last = max(known, default=0)
    normal = [segment for segment in pipeline.segments if not segment.is_control and segment.number <= last]
    every = [known.get(segment.number) or make_task(segment, pipeline, site) for segment in normal]
    lines = [(job, line) for job in every if (line := line_of(job.segment, job.entries, job.cwd, site.repo, site.host))]
    answers: dict[int, Answer] = {}
    for (job, line), answer in zip(lines, ask_about([line for _, line in lines], site.repo, site.host), strict=True):
        if answer is None:
            continue
        answers[job.segment.number] = answer
        if job.segment.number in known:
            wrong = findings(line, answer)
            glued = [one for one in found[job.segment.number] if one.key not in {each.key for each in wrong}]
            found[job.segment.number] = [*wrong, *glued]
    if site.host.platform == sys.platform:
        roles = {number: answer.roles() for number, answer in answers.items()}
        steps = [
            step_of(
                job.segment,
                job.entries,
                job.cwd,
                job.outputs,
                roles.get(job.segment.number),
                (job.many.foreach, job.folder) if items and job.many and job.many.foreach else None,
            )
            for job in every
        ]
        for number, missing in missing_inputs(steps, known).items():
            found[number] += missing
    return {number: found.get(number, []) for number in known}


def errors(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those of `problems` that stop a run."""
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _cure_of(cwd: str) -> str:
    from pathlib import Path

    from runner.pipeline.near import folder_meant

    return f"Correct `cwd:`, or make the folder. {folder_meant(Path(cwd))}".rstrip()


def _is_folder(text: str, site: Site) -> bool:
    from pathlib import Path

    return site.host.platform != sys.platform or Path(text).is_dir()


def at_segment(finding: Finding, segment: Segment, pipeline: Pipeline) -> Diagnostic:
    """`finding` with the place in the pipeline file that it is about."""
    of_modules = finding.key.startswith("resources.modules.")
    keys = ("resources.modules",) if of_modules else ("commands",)
    mark = next((mark for key in (finding.key, *keys, "") if (mark := segment.marks.get(key))), None)
    return Diagnostic(
        finding.severity,
        finding.message,
        finding.cure,
        pipeline.path,
        mark,
        _line(pipeline.lines, mark),
        segment.number,
        of_modules or finding.key == "environment",
        finding.missing,
    )


def _line(lines: Sequence[str], mark: Mark | None) -> str:
    return lines[mark.line - 1] if mark and 0 < mark.line <= len(lines) else ""
