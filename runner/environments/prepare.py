"""Carries out a Preparation: one process at a time, on all hosts of the share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from runner.environments import Preparation
from runner.environments.users import in_use, users_of
from runner.errors import Busy, EnvironmentMissing, Interrupted, StateError
from runner.ground.away import Shares
from runner.model import Command
from runner.state.locks import Lock, LockFile

_LOOK = 1.0  # seconds between two looks at whether a program still runs


def run_preparation(
    preparation: Preparation,
    run: Callable[[Command], tuple[int, str]],
    *,
    on_wait: Callable[[str], None] = lambda reason: None,
    cancelled: Callable[[], bool] = lambda: False,
    wait: float | None = None,
    record: Path | None = None,
    shares: Shares | None = None,
) -> bool:
    """Bring the environment up to date; False when another process had done it by the time we got the lock.

    `run` starts a command and gives its exit code and output; `on_wait` hears why nothing happens yet: a process that
    prepares the same environment, programs that run from it, here or on another computer. Jobs of the run with
    `record` do not count: they wait for us. A share of `shares` that is away is waited for, too. Raises
    EnvironmentMissing, Interrupted once `cancelled` says so, and Busy after `wait` seconds (None: waits for ever).
    """
    deadline = None if wait is None else time.monotonic() + wait

    def pause(seconds: float) -> bool:
        time.sleep(0 if cancelled() else seconds)
        return cancelled()

    try:
        preparation.lock.parent.mkdir(parents=True, exist_ok=True)
        shares = shares or Shares((preparation.lock.parent, *(Path(one.cwd) for one in preparation.commands)), on_wait)
        while True:
            shares.settle(pause)
            held = LockFile(preparation.lock, preparation.title)
            with held.acquire(wait, lambda holder: on_wait(f"{holder} is preparing it"), cancelled) as lock:
                while lock.is_ours():  # while a share was away, another computer may have taken it
                    try:
                        if not preparation.still_needed():
                            return False
                        _wait_for_users(preparation, record, on_wait, cancelled, deadline)
                        _carry_out(preparation, run, lock)
                        return True
                    except (OSError, StateError, EnvironmentMissing):
                        if not shares.settle(pause) and lock.is_ours():
                            raise
                        # what uv made below the place of a mount hides that it is away; our lock is not there
                        shares.wait_for(lock.path, pause)
    except Busy:
        raise
    except StateError as error:
        raise EnvironmentMissing(f"{preparation.title}: {error.message}", error.cure) from error
    except OSError as error:
        raise _unusable(preparation, error) from error


def _wait_for_users(
    preparation: Preparation,
    record: Path | None,
    on_wait: Callable[[str], None],
    cancelled: Callable[[], bool],
    deadline: float | None,
) -> None:
    """Until no program runs from the environment: uv could not replace its files, or it would fail."""
    folder = preparation.changes
    if folder is None or not folder.exists():
        return
    told: list[str] = []
    while users := users_of(folder, record):
        if users != told:
            told = users
            on_wait(f"it changes, and {', '.join(users[:3])} still runs from it; close that if you do not need it")
        if cancelled():
            raise Interrupted(f"stopped while waiting for {preparation.title}", "Start again to go on.")
        if deadline is not None and time.monotonic() > deadline:
            raise in_use(preparation.title, users)
        time.sleep(_LOOK)


def _carry_out(preparation: Preparation, run: Callable[[Command], tuple[int, str]], lock: Lock) -> None:
    preparation.begin()
    output = ""
    for command in preparation.commands:
        code, output = run(command)
        if code != 0:
            output = _instead(preparation, command, code, output, run)
    if not lock.is_ours():  # then nobody knows who else made it meanwhile, or on which disk it was made
        raise StateError(f"{preparation.title}: its lock {lock.path} was lost meanwhile", "Start again.")
    preparation.done(output)


def _instead(
    preparation: Preparation, failed: Command, code: int, said: str, run: Callable[[Command], tuple[int, str]]
) -> str:
    """Another way to the same; where there is none, or it fails too, the first failure is the one to tell."""
    commands = preparation.instead(failed, code, said)
    output = ""
    for command in commands:
        other, output = run(command)
        if other != 0:
            commands = ()
            break
    if not commands:
        raise preparation.explain(failed, code, said)
    return output


def _unusable(preparation: Preparation, error: OSError) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"{preparation.title} cannot be prepared in {preparation.lock.parent}: {error.strerror or error}",
        "Check that the folder is there and that you may write to it, or set RUN_PIPELINE_ENVS to another one.",
    )
