"""Batch files among the programs of FILE, which cmd.exe reads once more."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor import Context, Line, check, ok, warning
from runner.environments import kind, words
from runner.process.launch import is_batch
from runner.tasks import Task


@check("batch files", "cmd.exe takes `%` in an argument of a `.bat` or `.cmd` file for the name of a variable.")
def batch_files(context: Context) -> list[Line]:
    """Each segment that gives a `.bat` or `.cmd` file an argument with `%`."""
    if not context.site.host.windows or not context.jobs:
        return []
    lines: list[Line] = []
    for job in context.jobs:
        program = _batch_program(job, context)
        marked = [word for word in words(job.entries)[1:] if "%" in word] if program else []
        if marked:
            lines.append(
                warning(
                    f"segment {job.segment.number} gives the batch file {program} an argument with `%`: {marked[0]}",
                    "A batch file that hands it on reads `%` again and loses it. Start the .exe behind it instead, or "
                    "give the text in a file.",
                )
            )
    return lines or [ok("no batch file of this pipeline gets an argument with `%`")]


def _batch_program(job: Task, context: Context) -> str:
    """The segment's program where it is a batch file, else ""."""
    return next((name for name in _programs(job, context) if is_batch(name)), "")


def _programs(job: Task, context: Context) -> Iterator[str]:
    entries = words(job.entries)
    if not entries:
        return
    own = kind(job.spec)
    first = entries[0].split()[0].strip('"') if own.in_shell and entries[0].strip() else entries[0]
    yield first
    if found := own.program(first, job.spec, context.site):
        yield str(found)
