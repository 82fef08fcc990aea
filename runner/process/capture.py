"""Ask a program something and get all it printed; the answer is short, and failing is an answer too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from runner.ground.words import time_text
from runner.model import Captured
from runner.process.launch import MARKER, StartError, launch_for, new_marker, why_not_started
from runner.process.spawn import forget, spawn
from runner.process.tag import new_tree_tag, own_run_tag, release

_DRAIN = 2.0


def capture(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = 30.0,
    stdin: bytes = b"",
) -> Captured:
    """Run `argv` to its end. A program that is missing, fails or takes over `timeout` seconds does not raise.

    `code` is negative for a signal on POSIX, and None when there was no start or no end in time; `error` says why.
    """
    if cwd and not os.path.isdir(cwd):  # noqa: PTH112
        return Captured(None, b"", b"", f"The folder to start {argv[0]} in does not exist: {cwd}")
    environ = dict(os.environ if env is None else env)
    environ[MARKER] = marker = new_marker(environ)
    tag = new_tree_tag(own_run_tag())
    process = None
    try:
        launch = launch_for(argv, environ, sys.platform, cwd=cwd or os.getcwd())  # noqa: PTH109
        process = spawn(
            launch, env=environ, cwd=cwd, hidden=True, tag=tag,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        stdout, stderr = process.communicate(stdin, timeout=timeout)
        return Captured(process.returncode, stdout, stderr)
    except StartError as error:
        return Captured(None, b"", b"", str(error))
    except subprocess.TimeoutExpired:
        assert process is not None
        _end(process, marker, tag)
        stdout, stderr = _rest(process)
        return Captured(None, stdout, stderr, f"{argv[0]} did not answer within {time_text(timeout)} and was ended.")
    except (OSError, ValueError) as error:
        if process is not None:
            _end(process, marker, tag)
            raise
        refusal = error if isinstance(error, OSError) else OSError(str(error))
        return Captured(None, b"", b"", why_not_started(refusal, argv, cwd or "", environ, sys.platform))
    except BaseException:
        if process is not None:
            _end(process, marker, tag)
        raise
    finally:
        if process is not None:
            _close(process)
        release(tag)


def _end(process: subprocess.Popen[bytes], marker: str, tag: int) -> None:
    from runner.process.ending import end_tree
    from runner.process.identity import process_started

    end_tree(process.pid, process_started(process.pid), marker, grace=0.0, tag=tag)


def _rest(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What it had printed until then."""
    try:
        return process.communicate(timeout=_DRAIN)
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", error.stderr or b""


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
    process.wait()
    forget(process)
