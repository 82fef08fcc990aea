"""The contract of a scheduler: one module each, named here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import PurePath
from typing import Protocol

from runner.cluster.by_hand import KIND
from runner.cluster.jobs import ClusterError, Element, Limits, Looks, Submission
from runner.host import Host
from runner.site_file import ExecutorSettings


class Scheduler(Protocol):
    """Each call asks programs of the scheduler, each with a limit of time; raises SchedulerAway where none answers."""

    name: str  # slurm, pbs
    index: str  # words of the shell that stand for an element's chunk number

    def options(self, submission: Submission) -> list[str]:
        """As they will be passed: shown by `--dry-run`. Pure. Raises ClusterError for one that cannot be given."""

    def output(self, log: PurePath, name: str, element: Element) -> PurePath:
        """The file with what the scheduler and the worker of an element say, of the submission of this name."""

    def test(self, submission: Submission) -> str:
        """Whether it would be taken, without submitting: when it would start, or "". Raises ClusterError."""

    def submit(self, submission: Submission) -> str:
        """The job's id. Raises QueueFull, ClusterError with what the scheduler said.

        After SchedulerAway it may have been taken all the same: look for its name (`find`) before submitting again.
        """

    def look(self, elements: Sequence[Element]) -> Looks:
        """Of each of `elements`, UNKNOWN where the scheduler answers and does not know it (any more). No others' jobs.

        Such an element is not in the queue: it ended a while ago, or was cancelled while it waited.
        One query for all that the scheduler still has in its memory; one more, of the accounts that are kept, only
        for jobs that are gone from there.
        """

    def find(self, names: Sequence[str]) -> dict[str, str]:
        """name -> job id, of own jobs with these names that are in the queue or ended a short while ago."""

    def cancel(self, elements: Sequence[Element]) -> None:
        """Those that are over already are passed over."""

    def limits(self) -> Limits:
        """Two questions: only for a segment of more than a thousand elements, or after a refusal."""


_SCHEDULERS = {"slurm": "runner.cluster.slurm", "pbs": "runner.cluster.pbs", KIND: "runner.cluster.by_hand"}


def scheduler_of(settings: ExecutorSettings, host: Host) -> Scheduler:
    """That of `settings`; raises ClusterError where its programs are not on this machine."""
    if settings.kind not in _SCHEDULERS:
        raise ClusterError(f"the executor {settings.name} is no cluster", "Name one: --executor slurm, or pbs.")
    found: Scheduler = import_module(_SCHEDULERS[settings.kind]).make(settings, host)
    return found
