"""Carries out a Preparation: one process at a time, on all hosts of the share."""

from __future__ import annotations

from collections.abc import Callable

from runner.environments import Preparation
from runner.errors import Busy, EnvironmentMissing, StateError
from runner.model import Command
from runner.state.holder import Holder
from runner.state.locks import LockFile


def run_preparation(
    preparation: Preparation,
    run: Callable[[Command], tuple[int, str]],
    *,
    on_wait: Callable[[Holder], None] = lambda holder: None,
    cancelled: Callable[[], bool] = lambda: False,
    wait: float | None = None,
) -> bool:
    """Bring the environment up to date; False when another process had done it by the time we got the lock.

    `run` starts a command and gives its exit code and output; `on_wait` hears of a process that prepares the same
    environment. Raises EnvironmentMissing, and Busy after `wait` seconds (None: waits for ever).
    """
    try:
        preparation.lock.parent.mkdir(parents=True, exist_ok=True)
        with LockFile(preparation.lock, preparation.title).acquire(wait, on_wait, cancelled):
            return _carry_out(preparation, run)
    except Busy:
        raise
    except StateError as error:
        raise EnvironmentMissing(f"{preparation.title}: {error.message}", error.cure) from error
    except OSError as error:
        raise _unusable(preparation, error) from error


def _carry_out(preparation: Preparation, run: Callable[[Command], tuple[int, str]]) -> bool:
    if not preparation.still_needed():
        return False
    preparation.begin()
    output = ""
    for command in preparation.commands:
        code, output = run(command)
        if code != 0:
            raise preparation.explain(command, code, output)
    preparation.done(output)
    return True


def _unusable(preparation: Preparation, error: OSError) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"{preparation.title} cannot be prepared in {preparation.lock.parent}: {error.strerror or error}",
        "Check that the folder is there and that you may write to it, or set RUN_PIPELINE_ENVS to another one.",
    )
