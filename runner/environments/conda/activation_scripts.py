"""Runs an environment's activate.d scripts once, in a shell that gets no text of the user's."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from runner.environments.sourcing import shown, sourced, without_shell
from runner.errors import EnvironmentMissing
from runner.ground.disk import entries
from runner.ground.text import decoded
from runner.ground.words import time_text
from runner.host import Captured, Host

TIMEOUT = 120.0  # seconds for all scripts of an environment

_SOURCE = 'for run_pipeline_script in "$@"; do run_pipeline_at "$run_pipeline_script"; . "$run_pipeline_script"; done'
# paths come in variables, so that the file is plain ASCII whatever the paths are
_BATCH_LINE = 'echo {number}\ncall "%RUN_PIPELINE_SCRIPT_{number}%" 1>&2\n'
_DUMP = "import json,os,sys;sys.stdout.write(json.dumps(dict(os.environ)))"


def activate_scripts(prefix: PurePath, host: Host, folder: str = "activate.d") -> list[PurePath]:
    """The scripts that activation sources, in order."""
    return entries(prefix / "etc" / "conda" / folder, ".bat" if host.windows else ".sh")


def run_scripts(
    scripts: Sequence[PurePath], environ: Mapping[str, str], prefix: PurePath, host: Host
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The environment after `scripts`, and notes for the user. Raises EnvironmentMissing when a script ends the shell.

    A command that fails within a script does not end it, as in conda.
    """
    run = _in_cmd if host.windows else _in_bash
    return run(scripts, environ, prefix, host)


def _in_bash(
    scripts: Sequence[PurePath], environ: Mapping[str, str], prefix: PurePath, host: Host
) -> tuple[dict[str, str], tuple[str, ...]]:
    got = sourced(_SOURCE, [str(script) for script in scripts], environ, host, timeout=TIMEOUT)
    if got is None:
        return dict(environ), (_not_run(scripts, prefix, "bash was not found"),)
    if got.after is None:
        script = next(reversed(got.printed), "")
        raise _failed(got.answer, script, prefix, got.said(script))
    notes = [_complaint(script, text, prefix) for script, text in got.complained.items() if text.strip()]
    return got.after, tuple(notes)


def _in_cmd(
    scripts: Sequence[PurePath], environ: Mapping[str, str], prefix: PurePath, host: Host
) -> tuple[dict[str, str], tuple[str, ...]]:
    # `call` reads its words twice: no way is known to hand it these signs
    if any(sign in str(script) for script in scripts for sign in '%^!"'):
        return dict(environ), (_not_run(scripts, prefix, "cmd.exe cannot call a path with % ^ or ! in it"),)
    own = {f"RUN_PIPELINE_SCRIPT_{number}": str(script) for number, script in enumerate(scripts, 1)}
    own["RUN_PIPELINE_PYTHON"] = sys.executable
    lines = "".join(_BATCH_LINE.format(number=number) for number in range(1, len(scripts) + 1))
    text = f'@echo off\n{lines}echo end\n"%RUN_PIPELINE_PYTHON%" -I -S -c "{_DUMP}"\n'
    with tempfile.TemporaryDirectory(prefix="run-pipeline-") as folder:
        (Path(folder) / "activate.bat").write_bytes(text.replace("\n", "\r\n").encode("ascii"))
        # the folder of the repository may be a share, in which cmd.exe cannot stand
        program = environ.get("COMSPEC") or "cmd.exe"
        argv = [program, "/d", "/c", ".\\activate.bat"]
        got = host.capture(argv, env={**environ, **own}, cwd=folder, timeout=TIMEOUT)
    lines_out = got.stdout.decode("utf-8", "replace").split("\n")
    try:
        after = json.loads(lines_out[-1])
    except ValueError:
        numbers = [line.strip() for line in lines_out if line.strip().isdigit()]
        script = scripts[min(int(numbers[-1]), len(scripts)) - 1] if numbers else scripts[0]
        raise _failed(got, str(script), prefix, decoded(got.stderr)) from None
    after = {str(name): str(value) for name, value in after.items() if name != "PROMPT"}
    return without_shell(after, environ), ()


def _complaint(script: str, text: str, prefix: PurePath) -> str:
    """A script that reports an error goes on, as in conda; what it set may not be all, and that is to be seen."""
    lines = "\n".join(f"    {line}" for line in shown(text).splitlines()[-5:])
    return f"while {prefix} was activated, {script} reported:\n{lines}"


def _not_run(scripts: Sequence[PurePath], prefix: PurePath, why: str) -> str:
    names = ", ".join(script.name for script in scripts)
    return f"the activation scripts of {prefix} were not run ({names}): {why}. Variables that they set are missing."


def _failed(got: Captured, script: str, prefix: PurePath, said: str) -> EnvironmentMissing:
    printed = shown(said).splitlines()[-5:]
    if got.error or got.code is None:
        why = got.error or f"it did not end within {time_text(TIMEOUT)}"
    else:
        why = f"it ended the shell with code {got.code}"
    message = f"the environment {prefix} could not be activated: in {script}, {why}"
    if printed:
        message += "\n" + "\n".join(f"    {line}" for line in printed)
    return EnvironmentMissing(message, "Correct or remove this script, or make the environment anew.")
