"""Until jobs that were cancelled have ended: each has a while for it, and runs the same as what is started next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from runner.cluster.jobs import ClusterError, Handle, JobState
from runner.cluster.scheduler import Scheduler
from runner.ground.words import counted

PATIENCE = 60.0  # seconds; Slurm's KillWait, between a kind end and one by force, is 30 as it comes


def until_ended(
    scheduler: Scheduler, handles: Iterable[Handle], tell: Callable[[str], None], wait: Callable[[float], object]
) -> None:
    """`wait` is asked to sleep, and says whether to leave off."""
    left = [(one.job, index) for one in handles if one.job for index in one.indices or (None,)]
    deadline, told = time.monotonic() + PATIENCE, False
    while left:
        try:
            left = [element for element, look in scheduler.look(left).items() if look.state is JobState.RUNNING]
        except ClusterError:
            return
        if left and not told:
            tell(f"waiting for the end of {counted(len(left), 'job')}")
            told = True
        if time.monotonic() > deadline:
            break
        if left and wait(1.0):
            return
    if left:
        tell(f"{counted(len(left), 'job')} still ended after {PATIENCE:.0f} s: see squeue before you start it again")
