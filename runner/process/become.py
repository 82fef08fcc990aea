"""A program in the place of this one, for callers that hold on to the process they started: Jupyter."""

from __future__ import annotations

import os
from collections.abc import Mapping

from runner.model import Command
from runner.process.launch import child_environ, launch_for


def become(command: Command, environ: Mapping[str, str], platform: str, keep: Mapping[str, str]) -> int:
    """`keep`: variables that it gets besides. Returns where a process cannot become another: its exit code."""
    environ = {**child_environ(environ, command, platform), **keep}
    if platform != "win32":
        os.execvpe(command.argv[0], list(command.argv), environ)
    import subprocess

    launch = launch_for(command.argv, environ, platform, cwd=command.cwd)
    # handles that the caller wants to be inherited stay open: by them Jupyter interrupts a kernel
    return subprocess.run(
        launch.args, executable=launch.executable, env=environ, close_fds=False, check=False
    ).returncode
