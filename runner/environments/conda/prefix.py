"""From a conda environment's name to its folder, as conda itself, mamba and the Go runner look it up."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from runner.environments.spec import is_prefix
from runner.ground.disk import entries, is_folder, read_text
from runner.host import Host


def prefix_of(name: str, base: PurePath | None, repo: PurePath, host: Host) -> PurePath | None:
    """The folder of environment `name`; None when no such environment is found. A folder given is taken as given."""
    if is_prefix(name, host.platform):
        # relative to the repository, where segments are started
        return repo / expanded(name, host)
    if name in ("base", "root"):
        return base
    if not name.strip():
        return None
    if base and is_folder(base / "envs" / name):
        return base / "envs" / name
    for folder in environment_folders(base, host):
        if is_folder(folder / name):
            return folder / name
    return next((path for path in listed_environments(host) if path.name == name and is_folder(path)), None)


def environment_names(base: PurePath | None, host: Host) -> list[str]:
    """Every environment that `prefix_of` would find by name, sorted, without base."""
    names = {
        entry.name
        for folder in environment_folders(base, host)
        for entry in entries(folder)
        if is_folder(entry / "conda-meta")
    }
    names |= {path.name for path in listed_environments(host) if path != base and is_folder(path)}
    return sorted(names)


def environment_folders(base: PurePath | None, host: Host) -> list[PurePath]:
    """The folders that hold environments by name: BASE/envs first, as the Go runner had it."""
    found = [base / "envs"] if base else []
    for name in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        found += [expanded(part, host) for part in host.environ.get(name, "").split(_separator(host)) if part.strip()]
    for settings in settings_files(base, host):
        found += [expanded(part, host) for part in _envs_dirs(settings)]
    found.append(host.home / ".conda" / "envs")
    if host.windows and (local := host.environ.get("LOCALAPPDATA")):
        found.append(host.path(local) / "conda" / "conda" / "envs")
    if root := host.environ.get("MAMBA_ROOT_PREFIX"):
        found.append(host.path(root) / "envs")
    found += [host.home / "micromamba" / "envs", host.home / ".local" / "share" / "mamba" / "envs"]
    return list(dict.fromkeys(found))


def listed_environments(host: Host) -> list[PurePath]:
    """The prefixes that conda keeps in ~/.conda/environments.txt, whatever made them."""
    lines = read_text(host.home / ".conda" / "environments.txt").splitlines()
    return [host.path(line.strip()) for line in lines if line.strip()]


def expanded(text: str, host: Host) -> PurePath:
    """`text` as a path, with a leading `~` and `$NAME`, `${NAME}` or `%NAME%` replaced."""
    text = _with_variables(text.strip(), host.environ)
    if text == "~" or text.startswith(("~/", "~\\")):
        return host.home / text[2:]
    return host.path(text)


def _with_variables(text: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return environ.get(next(part for part in found.groups() if part is not None), found[0])

    return re.sub(r"\$\{(\w+)\}|\$(\w+)|%(\w+)%", value, text)


def _separator(host: Host) -> str:
    return ";" if host.windows else ":"


def settings_files(base: PurePath | None, host: Host) -> Iterator[PurePath]:
    """The files that conda and mamba read their settings from, those that count more first."""
    if named := host.environ.get("CONDARC"):
        yield host.path(named)
    yield host.home / ".condarc"
    yield host.home / ".conda" / ".condarc"
    yield host.home / ".config" / "conda" / ".condarc"
    yield host.home / ".mambarc"
    if base:
        yield base / ".condarc"
    yield host.path("C:/ProgramData/conda/.condarc" if host.windows else "/etc/conda/.condarc")


def _envs_dirs(settings: PurePath) -> list[str]:
    text = read_text(settings)
    if "envs_" not in text:
        return []
    import yaml

    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return []  # conda itself complains of it better than we could
    if not isinstance(data, dict):
        return []
    found: list[str] = []
    for key in ("envs_dirs", "envs_path"):
        value = data.get(key)
        parts = value.split(os.pathsep) if isinstance(value, str) else value
        if isinstance(parts, list):
            found += [part for part in parts if isinstance(part, str) and part.strip()]
    return found
