"""Several computers of a share in place of a scheduler: a person starts each part, `run --shard 2/4`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from runner.cluster.jobs import Element, JobLook, JobState, Limits, Looks, Submission
from runner.host import Host
from runner.site_file import ExecutorSettings

KIND = "shards"  # of executor; how many there are is its `at_once`
HERE = "local"  # its name: where an item is tried again


def settings_for(count: int) -> ExecutorSettings:
    return ExecutorSettings(HERE, KIND, at_once=count)


def make(settings: ExecutorSettings, host: Host) -> ByHand:
    return ByHand()


@dataclass
class ByHand:
    """Takes everything, starts nothing, and never says that anything is lost: a person may start it yet."""

    name: str = KIND
    index: str = "${SHARD}"

    def options(self, submission: Submission) -> list[str]:
        return []

    def output(self, log: PurePath, name: str, element: Element) -> PurePath:
        return log / f"{name}.out"

    def test(self, submission: Submission) -> str:
        return ""

    def submit(self, submission: Submission) -> str:
        return submission.name

    def look(self, elements: Sequence[Element]) -> Looks:
        return dict.fromkeys(elements, JobLook(JobState.WAITING))

    def find(self, names: Sequence[str]) -> dict[str, str]:
        return {name: name for name in names}

    def cancel(self, elements: Sequence[Element]) -> None:
        pass

    def limits(self) -> Limits:
        return Limits()
