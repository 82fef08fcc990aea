"""Brings one environment up to date: starts the commands of its preparation, for whoever needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from runner.environments import Preparation
from runner.environments.prepare import run_preparation
from runner.errors import Interrupted
from runner.ground.away import Shares
from runner.ground.text import decoded
from runner.model import Command
from runner.process.stop import StopRequest
from runner.process.supervise import run
from runner.process.tag import RunMark

TAIL = 64 * 1024  # bytes of a tool's output, for explaining its failure


def carry_out(
    preparation: Preparation,
    environ: Mapping[str, str],
    stop: StopRequest,
    *,
    screen: Callable[[bytes], None],
    on_wait: Callable[[str], None] = lambda reason: None,
    log: Path = Path(os.devnull),
    wait: float | None = None,
    timeout: Callable[[], float | None] = lambda: None,
    mark: RunMark | None = None,
    record: Path | None = None,
    shares: Shares | None = None,
) -> bool:
    """False when another process had done it meanwhile. `timeout` tells the seconds that are left for the next command,
    `mark` is that of a run, by which the next one finds what a killed one left, `record` its record,
    `shares` what it needs.

    Raises EnvironmentMissing, Interrupted, Busy after `wait` seconds, TimeoutError.
    """

    def start(command: Command) -> tuple[int, str]:
        tail = bytearray()

        def both(chunk: bytes) -> None:
            tail.extend(chunk)
            del tail[:-TAIL]
            screen(chunk)

        outcome = run(command, environ=environ, screen=both, log=log, timeout=timeout(), stop=stop, mark=mark)
        if outcome.timed_out:
            raise TimeoutError
        if outcome.stopped:
            raise Interrupted(f"stopped while preparing {preparation.title}", "Start again to go on.")
        if outcome.error:
            return 127, outcome.error
        return (outcome.exit_code if outcome.exit_code is not None else 1), decoded(tail)

    cancelled = lambda: stop.requested  # noqa: E731
    return run_preparation(
        preparation, start, on_wait=on_wait, cancelled=cancelled, wait=wait, record=record, shares=shares
    )
