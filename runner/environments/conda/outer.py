"""The caller's environment without what an activated conda or virtual environment, or a notebook, left in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePath

from runner.environments.conda.activation_scripts import activate_scripts, run_scripts
from runner.environments.conda.program import path_folders
from runner.environments.conda.variables import environment_variables
from runner.environments.leaks import leaks, without_outer_libraries
from runner.errors import EnvironmentMissing
from runner.host import Host

# settings of the user about conda, which activation reads; all other CONDA_ variables tell of an active environment
_KEPT = frozenset({"CONDA_ENVS_PATH", "CONDA_ENVS_DIRS", "CONDA_PKGS_DIRS", "CONDA_OVERRIDE_CUDA"})


def without_outer(host: Host) -> dict[str, str]:
    """The variables to start an activation from; PATH loses the outer environments' folders."""
    environ = dict(host.environ)
    for level, outer, in_force in _outer_levels(environ, host):
        environ = _deactivated(environ, level, outer, host, run=in_force)
    drop_names = leaks(environ, conda=True)
    clean = {n: value for n, value in environ.items() if n not in drop_names and not _tells_of_outer(n)}
    clean |= without_outer_libraries(clean, host)
    if "PATH" in clean:
        drop = outer_folders(host)
        separator = ";" if host.windows else ":"
        folders = clean["PATH"].split(separator)
        clean["PATH"] = separator.join(folder for folder in folders if str(host.path(folder)) not in drop)
    return clean


def _outer_levels(environ: Mapping[str, str], host: Host) -> list[tuple[int, PurePath, bool]]:
    """The outer environments, innermost first: level, folder, and whether its scripts are in force.

    conda runs an environment's deactivate.d when another is activated over it (unless that is stacked on it), but
    leaves its variables there.
    """
    written = environ.get("CONDA_SHLVL", "1")
    level = int(written) if written.isdecimal() else 1
    prefix, in_force = environ.get("CONDA_PREFIX"), True
    found = []
    while prefix and level > 0:
        found.append((level, host.path(prefix), in_force))
        in_force = f"CONDA_STACKED_{level}" in environ
        level -= 1
        prefix = environ.get(f"CONDA_PREFIX_{level}")
    return found


def _deactivated(environ: dict[str, str], level: int, outer: PurePath, host: Host, *, run: bool) -> dict[str, str]:
    """`environ` after the outer environment's deactivate.d scripts and without the variables that it set."""
    if run and (scripts := activate_scripts(outer, host, "deactivate.d")[::-1]):
        # the user left this environment active; that it cannot be left well is no fault of the segment's
        with suppress(EnvironmentMissing):
            environ, _ = run_scripts(scripts, environ, outer, host)
    for name, value in environment_variables(outer).items():
        if environ.get(name) == value:
            del environ[name]
        # conda keeps what a variable was before under this name
        before = environ.get(f"__CONDA_SHLVL_{level - 1}_{name}")
        if before is not None:
            environ[name] = before
    return environ


def outer_folders(host: Host) -> frozenset[str]:
    """The PATH folders of the environments that are active around the runner."""
    found: list[str] = []
    for name, value in host.environ.items():
        if value and (name == "CONDA_PREFIX" or name.startswith("CONDA_PREFIX_")):
            found += [str(folder) for folder in path_folders(host.path(value), host)]
        elif value and name == "VIRTUAL_ENV":
            found.append(str(host.path(value) / ("Scripts" if host.windows else "bin")))
    return frozenset(found)


def _tells_of_outer(name: str) -> bool:
    if name in _KEPT:
        return False
    return name.startswith(("CONDA_", "_CONDA_", "__CONDA_")) or name in ("_CE_M", "_CE_CONDA")
