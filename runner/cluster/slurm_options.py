"""What sbatch is told of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil

from runner.cluster.elements import ranges
from runner.cluster.jobs import ClusterError, Submission
from runner.model import Resources
from runner.site_file import ExecutorSettings


def needed(submission: Submission, settings: ExecutorSettings) -> Iterator[str]:
    """What run-pipeline itself needs."""
    log = str(submission.log).replace("%", "%%")
    yield f"--job-name={submission.name}"
    yield f"--chdir={submission.cwd}"
    yield f"--output={log}/slurm-{'%A_%a' if submission.indices else '%j'}.out"
    yield from ("--open-mode=append", "--export=NONE", "--no-requeue", "--kill-on-invalid-dep=yes")
    if submission.indices:
        yield f"--array={ranges(submission.indices)}{f'%{settings.at_once}' if settings.at_once else ''}"
    if submission.after:
        yield f"--dependency={','.join(f'{after}:{_number(job)}' for after, job in submission.after)}"
    if submission.seconds:
        yield f"--time={ceil(submission.seconds / 60)}"


def asked_for(resources: Resources, settings: ExecutorSettings) -> Iterator[str]:
    """What the pipeline and the site file say, and nothing besides. What is as it is written comes last, and counts."""
    if resources.cpus:
        yield f"--cpus-per-task={resources.cpus}"
    if resources.memory:
        yield f"--mem={ceil(resources.memory / (1 << 20))}M"
    if resources.gpus:
        kind = f"{settings.gpu_type}:" if settings.gpu_type else ""
        yield f"--gres=gpu:{kind}{resources.gpus}" if settings.gpus == "gres" else f"--gpus={kind}{resources.gpus}"
    named = {
        "partition": resources.queue or settings.partition,
        "account": resources.account or settings.account,
        "qos": settings.qos,
        "constraint": settings.constraint,
    }
    yield from (f"--{name}={value}" for name, value in named.items() if value)
    for word in (*settings.options, *resources.scheduler_options):
        name = word.partition("=")[0]
        if (name if name.startswith("--") else name[:2]) in _OURS:
            raise ClusterError(
                f"the option {word!r} cannot be given to sbatch: run-pipeline sets {name} itself",
                "Take it out of `options` in run-pipeline.toml, or of `scheduler-options` of the segment.",
            )
        yield word


def clusters(settings: ExecutorSettings) -> list[str]:
    """Those that `options` name for sbatch; "": the one that Slurm's programs know by themselves."""
    text = "\0".join(settings.options)
    if match := re.search(r"(?:^|\0)(?:--clusters?[=\0]|-M\0?)([^\0]+)", text):
        return match[1].split(",")
    return [""]


_OURS = frozenset(
    "--array -a --job-name -J --wait -W --wrap --test-only --parsable --dependency -d --output -o --error -e "
    "--chdir -D --export-file --open-mode".split()
)


def _number(job: str) -> str:
    return job.partition(";")[0]
