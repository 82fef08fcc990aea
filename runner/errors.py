"""The error tree: what happened, what to do, and the exit code that the command line ends with.

Library code raises these; only `runner.cli` turns one into a message and an exit status.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.model import Diagnostic


class ExitCode(IntEnum):
    """What `run-pipeline` itself returns; a child's own code is shown and recorded, never returned."""

    DONE = 0
    SEGMENT_FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    INTERNAL = 4
    INTERRUPTED = 130


class RunnerError(Exception):
    """Something the user should read: `message` says what happened and where, `cure` what to do."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


class UsageError(RunnerError):
    """The command line, or where the runner was started, cannot be used."""

    exit_code = ExitCode.USAGE


class PipelineError(RunnerError):
    """A pipeline file (or .env) is not valid; carries every problem found, each with its position."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic], cure: str = "") -> None:
        super().__init__(message, cure)
        self.diagnostics = tuple(diagnostics)
        if any(one.is_environment and one.severity.value == "error" for one in diagnostics):
            self.exit_code = ExitCode.ENVIRONMENT


class EnvironmentMissing(RunnerError):
    """An environment is not there, or could not be prepared. Never a segment's own failure."""

    exit_code = ExitCode.ENVIRONMENT


class StateError(RunnerError):
    """Status file, records or lock could not be read or written (full disk, read-only folder)."""

    exit_code = ExitCode.INTERNAL


class InTheWay(StateError):
    """Something that is no file of ours stands where one belongs."""

    exit_code = ExitCode.USAGE


class Busy(RunnerError):
    """Another run holds the lock."""

    exit_code = ExitCode.USAGE


class Interrupted(RunnerError):
    """The user, a closing terminal or the system asked us to stop."""

    exit_code = ExitCode.INTERRUPTED
