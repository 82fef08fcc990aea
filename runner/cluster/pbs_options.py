"""What qsub is told of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import PurePath

from runner.cluster.jobs import After, ClusterError, Submission
from runner.model import Resources
from runner.site_file import ExecutorSettings

CHUNKS = "PBS_ARRAY_CHUNKS"
# PBS knows no dependency of an element on the one with its number
_AFTER = {After.OK: "afterok", After.ANY: "afterany", After.EACH: "afterany"}


def needed(submission: Submission, settings: ExecutorSettings) -> Iterator[str]:
    """What run-pipeline itself needs."""
    array, chunks = array_part(submission.indices)
    yield from (
        "-N",
        submission.name,
        "-j",
        "oe",
        "-o",
        str(output(submission.log, submission.name, "^array_index^" if array else None)),
    )
    if array:
        yield from ("-J", f"{array}{f'%{settings.at_once}' if settings.at_once else ''}")
    else:
        yield from ("-r", "n")  # an array has to be one that may run again
    if chunks:
        yield from ("-v", f"{CHUNKS}={chunks}")
    if submission.after:
        found: dict[str, list[str]] = {}
        for after, job in submission.after:
            found.setdefault(_AFTER[after], []).append(job.partition(";")[0])
        yield from ("-W", "depend=" + ",".join(":".join((kind, *jobs)) for kind, jobs in found.items()))
    if submission.seconds:
        minutes = ceil(submission.seconds / 60)
        yield from ("-l", f"walltime={minutes // 60:02}:{minutes % 60:02}:00")


def asked_for(resources: Resources, settings: ExecutorSettings) -> Iterator[str]:
    """What the pipeline and the site file say, and nothing besides. What is as it is written comes last."""
    if settings.qos or settings.gpu_type:
        raise ClusterError(
            f"PBS has no `{'qos' if settings.qos else 'gpu-type'}` of its own",
            f"Write it as the site spells it into `constraint` or `options` of [executors.{settings.name}].",
        )
    asked = {
        "ncpus": resources.cpus,
        "mem": f"{ceil(resources.memory / (1 << 20))}mb" if resources.memory else "",
        "ngpus": resources.gpus,
    }
    parts = [f"{name}={value}" for name, value in asked.items() if value]
    if parts or settings.constraint:
        yield from ("-l", ":".join(("select=1", *(parts or ["ncpus=1"]), *filter(None, [settings.constraint]))))
    if queue := resources.queue or settings.partition:
        yield from ("-q", queue)
    if account := resources.account or settings.account:
        yield from ("-A", account)
    for word in (*settings.options, *resources.scheduler_options):
        if word[:2] in _OURS or word.removeprefix("-W").startswith(("depend=", "block=")):
            raise ClusterError(
                f"the option {word!r} cannot be given to qsub: run-pipeline sets it itself",
                "Take it out of `options` in run-pipeline.toml, or of `scheduler-options` of the segment.",
            )
        yield word


_OURS = frozenset("-N -J -o -e -j -I -z -V -r".split())


def array_part(indices: Sequence[int]) -> tuple[str, str]:
    """(range, chunks): PBS knows ranges of at least two without gaps; others are told by their places in `chunks`."""
    if not indices:
        return "", ""
    if len(indices) > 1 and list(indices) == list(range(indices[0], indices[-1] + 1)):
        return f"{indices[0]}-{indices[-1]}", ""
    return f"0-{len(indices) - 1}" if len(indices) > 1 else "", ":".join(map(str, indices))


def output(log: PurePath, name: str, index: int | str | None) -> PurePath:
    """Where PBS puts what it and the job say, at the end of the job."""
    return log / f"pbs-{name}{'' if index is None else f'.{index}'}.out"
