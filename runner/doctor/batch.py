"""Batch files among the programs of FILE, which cmd.exe reads once more."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor import Check, Context, Line, ok, warning
from runner.environments import words
from runner.environments.conda.base import find_base
from runner.environments.conda.prefix import prefix_of
from runner.environments.conda.program import find_program
from runner.jobs import Job
from runner.process.launch import is_batch


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


def _batch_program(job: Job, context: Context) -> str:
    """The segment's program where it is a batch file, else ""."""
    return next((name for name in _programs(job, context) if is_batch(name)), "")


def _programs(job: Job, context: Context) -> Iterator[str]:
    entries = words(job.entries)
    if not entries:
        return
    first = entries[0].split()[0].strip('"') if job.spec.kind == "shell" and entries[0].strip() else entries[0]
    yield first
    if job.spec.kind == "conda":
        base = find_base(context.site).base
        prefix = prefix_of(job.spec.name, base, context.site.repo, context.site.host)
        if prefix is not None and (found := find_program(first, prefix, context.site.host)):
            yield str(found)
    if job.spec.kind == "uv":
        from runner.environments.uv.kind import place
        from runner.ground.disk import is_file

        scripts = place(job.spec, context.site).folder / "Scripts"
        yield from (str(scripts / f"{first}{end}") for end in (".bat", ".cmd") if is_file(scripts / f"{first}{end}"))


CHECKS = (
    Check(
        "batch files",
        "cmd.exe takes `%` in an argument of a `.bat` or `.cmd` file for the name of a variable.",
        batch_files,
    ),
)
