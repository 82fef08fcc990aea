"""What activating a conda environment changes, before its scripts run.

`conda run` holds output back and loses signals, so the program is started directly, with the variables that
`conda activate` would give it. conda is asked for them where it is there; they follow from files alone as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from runner.environments.conda.base import conda_program
from runner.environments.conda.packed import FOLDER
from runner.environments.conda.program import path_folders
from runner.environments.conda.variables import environment_variables
from runner.host import Host


@dataclass(frozen=True)
class Change:
    """What activation does to a cleaned environment, before any script: folders for PATH, variables to set."""

    folders: tuple[str, ...]
    variables: Mapping[str, str]


def own_change(prefix: PurePath, base: PurePath | None, host: Host) -> Change:
    """The change as conda computes it, from the environment's files alone."""
    name = _default_name(prefix, base)
    variables = {
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
        **environment_variables(prefix),
    }
    folders = [str(folder) for folder in path_folders(prefix, host)]
    if base:
        folders.append(str(base / "condabin"))
        if program := conda_program(base, host):
            python = base / ("python.exe" if host.windows else "bin/python")
            variables |= {"CONDA_EXE": str(program), "CONDA_PYTHON_EXE": str(python), "_CE_M": "", "_CE_CONDA": ""}
    return Change(tuple(folders), variables)


def asked_change(prefix: PurePath, base: PurePath | None, clean: Mapping[str, str], host: Host) -> Change | None:
    """The change as conda itself gives it; None where there is no conda or it does not know the JSON form."""
    program = conda_program(base, host) if base else None
    if program is None:
        return None
    shell = "shell.cmd.exe+json" if host.windows else "shell.posix+json"
    got = host.capture([str(program), shell, "activate", str(prefix)], env=clean, timeout=60.0)
    try:
        answer = json.loads(got.stdout) if got.code == 0 else None
        folders = [str(folder) for folder in answer["path"]["PATH"]] if answer else []
        exported = {str(name): str(value) for name, value in answer["vars"]["export"].items()} if answer else {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not exported:
        return None
    theirs = clean.get("PATH", "").split(_separator(host))
    if folders[len(folders) - len(theirs) :] == theirs:
        folders = folders[: len(folders) - len(theirs)]
    variables = {name: value for name, value in exported.items() if not name.startswith("__CONDA_SHLVL_")}
    return Change(tuple(folders), variables)


def applied(change: Change, environ: Mapping[str, str], host: Host) -> dict[str, str]:
    """`environ` with the change made."""
    path = [*change.folders, *([environ["PATH"]] if environ.get("PATH") else [])]
    return {**environ, **change.variables, "PATH": _separator(host).join(path)}


def _default_name(prefix: PurePath, base: PurePath | None) -> str:
    if prefix == base:
        return "base"
    return prefix.name if prefix.parent.name in ("envs", FOLDER) else str(prefix)


def _separator(host: Host) -> str:
    return ";" if host.windows else ":"
