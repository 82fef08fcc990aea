"""Runs an environment's activate.d scripts once, in a shell that gets no text of the user's."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from runner.errors import EnvironmentMissing
from runner.ground.disk import entries
from runner.ground.text import decoded
from runner.ground.words import time_text
from runner.host import Captured, Host

TIMEOUT = 120.0  # seconds for all scripts of an environment

# {mark} keeps what scripts print out of the answer, and tells on both streams which one it was;
# $0 is found before a script can change PATH
_BASH = (
    'for run_pipeline_script in "$@"; do printf "\\0{mark}%s\\0" "$run_pipeline_script"; '
    'printf "\\0{mark}%s\\0" "$run_pipeline_script" >&2; . "$run_pipeline_script"; done; '
    'unset run_pipeline_script; printf "\\0{mark}\\0"; exec "$0" {options}'
)
_ENV = "-0"
# macOS takes DYLD_ variables from its own programs, such as /usr/bin/env, which knows no -0 in older versions
_PYTHON = '-I -S -c \'import os,sys;sys.stdout.buffer.write(b"\\0".join(k+b"="+v for k,v in os.environb.items()))\''
# paths come in variables, so that the file is plain ASCII whatever the paths are
_BATCH_LINE = 'echo {number}\ncall "%RUN_PIPELINE_SCRIPT_{number}%" 1>&2\n'
_DUMP = "import json,os,sys;sys.stdout.write(json.dumps(dict(os.environ)))"
# a shell's own, and no part of what a script wants
_SHELLS_OWN = ("_", "SHLVL", "PWD", "OLDPWD")


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
    bash = host.which("bash")
    program, options = (sys.executable, _PYTHON) if host.platform == "darwin" else (host.which("env"), _ENV)
    if bash is None or program is None:
        return dict(environ), (_not_run(scripts, prefix, "bash was not found"),)
    # BASH_ENV would source a file of the user's first
    given = {name: value for name, value in environ.items() if name not in ("BASH_ENV", "ENV")}
    mark = f"run_pipeline_{os.urandom(8).hex()}"  # no digit first: printf would take it for a part of \0
    text = _BASH.replace("{options}", options).replace("{mark}", mark)
    argv = [bash, "--noprofile", "--norc", "-c", text, program, *(str(script) for script in scripts)]
    got = host.capture(argv, env=given, timeout=TIMEOUT)
    printed, complained = _sections(got.stdout, mark), _sections(got.stderr, mark)
    answer = printed.pop("", None)
    if got.code != 0 or answer is None:
        script = next(reversed(printed), "")
        raise _failed(got, script, prefix, printed.get(script, "") + complained.get(script, ""))
    after = {}
    for entry in answer.split("\0"):
        name, equals, value = entry.partition("=")
        if equals and not name.startswith("BASH_FUNC_"):
            after[name] = value
    if options == _PYTHON and "LC_CTYPE" not in environ:
        after.pop("LC_CTYPE", None)  # Python sets it for itself in the C locale (PEP 538)
    notes = [_complaint(script, text, prefix) for script, text in complained.items() if script and text.strip()]
    return _without_shell(after, environ), tuple(notes)


def _sections(output: bytes, mark: str) -> dict[str, str]:
    """What each script printed, by its path; "" is the answer behind them."""
    parts = output.decode("utf-8", "surrogateescape").split(f"\0{mark}")[1:]
    return {script: text for script, _, text in (part.partition("\0") for part in parts)}


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
    return _without_shell(after, environ), ()


def _without_shell(after: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """`after` less what the shell itself changes, and less the names that we handed to it alone."""
    own = [name for name in after if name in _SHELLS_OWN or (name.startswith("RUN_PIPELINE_") and name not in before)]
    kept = {name: value for name, value in after.items() if name not in own}
    return {**kept, **{name: before[name] for name in _SHELLS_OWN if name in before}}


def _complaint(script: str, text: str, prefix: PurePath) -> str:
    """A script that reports an error goes on, as in conda; what it set may not be all, and that is to be seen."""
    lines = "\n".join(f"    {line}" for line in _shown(text).splitlines()[-5:])
    return f"while {prefix} was activated, {script} reported:\n{lines}"


def _shown(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def _not_run(scripts: Sequence[PurePath], prefix: PurePath, why: str) -> str:
    names = ", ".join(script.name for script in scripts)
    return f"the activation scripts of {prefix} were not run ({names}): {why}. Variables that they set are missing."


def _failed(got: Captured, script: str, prefix: PurePath, said: str) -> EnvironmentMissing:
    printed = _shown(said).splitlines()[-5:]
    if got.error or got.code is None:
        why = got.error or f"it did not end within {time_text(TIMEOUT)}"
    else:
        why = f"it ended the shell with code {got.code}"
    message = f"the environment {prefix} could not be activated: in {script}, {why}"
    if printed:
        message += "\n" + "\n".join(f"    {line}" for line in printed)
    return EnvironmentMissing(message, "Correct or remove this script, or make the environment anew.")
