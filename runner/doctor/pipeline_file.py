"""FILE itself: is it valid, are the scripts, environments and files there that it names?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from runner.checks import find_problems, find_warnings
from runner.doctor import Context, Line, check, ok, problem, warning
from runner.environments import kind, words
from runner.model import Diagnostic, Severity
from runner.pipeline.diagnostics import alike
from runner.tasks import Task

_SETTINGS = (".yaml", ".yml")
_WRITES = ("out", "save", "result", "write", "export")  # parts of a flag's name: the file is made, not read


@check(
    "pipeline file",
    "A segment whose script, environment or settings file is missing would stop the run, perhaps hours later.",
    20.0,
)
def pipeline_file(context: Context) -> list[Line]:
    """Errors and warnings of the file, and what would stop its segments."""
    if context.refused is not None:
        return _lines(context.refused.diagnostics) or [problem(context.refused.message, context.refused.cure)]
    if context.pipeline is None:
        return []
    pipeline = context.pipeline
    lines = _lines(
        [*find_warnings(pipeline, context.site), *find_problems(context.jobs, pipeline, context.site, items=True)]
    )
    lines += _missing_settings(context.jobs)
    count = len(context.jobs)
    return lines or [
        ok(f"{pipeline.path.name} is valid; the scripts of its {count} segment{'s' if count != 1 else ''} are there")
    ]


def _lines(found: Iterable[Diagnostic]) -> list[Line]:
    """One line for all places that have the same thing wrong."""
    # where conda and Fiji were looked for stands in their own lines
    short = (replace(one, cure=one.cure.partition("\nLooked in:")[0]) for one in found)
    lines = []
    for group in alike(short):
        numbers = [str(one.mark.line) for one in group if one.mark]
        where = f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: " if numbers else ""
        make = problem if group[0].severity is Severity.ERROR else warning
        lines.append(make(f"{where}{group[0].message}", group[0].cure))
    return lines


def _missing_settings(jobs: Iterable[Task]) -> list[Line]:
    """YAML files that a command line names and that are not there; an earlier segment may make one."""
    lines = []
    for job in jobs:
        if kind(job.spec).in_shell or kind(job.spec).elsewhere:
            continue
        entries = words(job.entries)
        for before, word in zip(["", *entries], entries, strict=False):
            if not word.lower().endswith(_SETTINGS) or set(word) & set("*?[\n"):
                continue
            written = any(part in before.lower() for part in _WRITES) and before.startswith("-")
            path = Path(job.cwd, word.partition("=")[2] if word.startswith("-") else word)
            if not written and not path.exists():
                text = f"segment {job.segment.number} names {path}, which is not there"
                lines.append(warning(text, "Correct the path, unless an earlier segment makes the file."))
    return lines
