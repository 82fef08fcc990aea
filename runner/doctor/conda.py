"""conda and mamba: where they are, their versions; and whether the `defaults` channel is in use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from runner.doctor import Context, Line, check, ok, problem, warning
from runner.environments import Site, kind, looked_in
from runner.environments.conda.base import conda_program, find_base
from runner.environments.conda.packed import about_packed, packed_prefix
from runner.environments.conda.prefix import settings_files
from runner.ground.codes import spell_code
from runner.ground.disk import entries, read_text

# channels that Anaconda's terms of service are about
_ANACONDAS = re.compile(r"(?:^|/)(?:defaults|anaconda|main|r|msys2|free|pro|pkgs/(?:main|r|msys2|free|pro))(?:/|$)")
_LICENCE = "Anaconda's terms ask organisations of more than 200 people for a paid licence; conda-forge is free."


@check("conda", "Segments with a conda environment need the environment, and its activation needs conda.")
def conda_programs(context: Context) -> list[Line]:
    """The conda that segments use, and mamba beside it."""
    site = context.site
    search = find_base(site)
    used = dict.fromkeys(job.spec.name for job in context.uses("conda"))
    packed = {name: folder for name in used if (folder := packed_prefix(name, site))}
    lines = [_packed(name, folder) for name, folder in packed.items()]
    if search.base is None:
        if names := ", ".join(name for name in used if name not in packed):
            cure = f"{search.cure}\n{looked_in(search.looked)}"
            return [*lines, problem(f"conda was not found, which {names} needs", cure)]
        needless = ", and this pipeline does not need it" if context.has_file else ""
        return [*lines, ok(f"conda was not found{needless}")]
    program = conda_program(search.base, site.host)
    programs = [str(program)] if program else []
    programs += [found for name in ("mamba", "micromamba") if (found := site.host.which(name))]
    for path in programs:
        got = site.host.capture([path, "--version"])
        said = got.stdout.decode("utf-8", "replace").strip().splitlines()
        if got.code == 0 and said:
            lines.append(ok(f"{' and '.join(said)}, {path}"))
        else:
            why = got.error or f"it ended with {spell_code(got.code)}"
            cure = "Environments are still used from their folders; repair conda before you change one."
            lines.append(warning(f"{path} does not tell its version: {why}", cure))
    if not programs:
        lines.append(ok(f"environments of micromamba in {search.base}"))
    return lines


def _packed(name: str, folder: PurePath) -> Line:
    broken = about_packed(folder)
    return problem(broken.message, broken.cure) if broken else ok(f"environment {name} came in a bundle: {folder}")


@check(
    "conda channels",
    "Packages of Anaconda's `defaults` channel are under terms that may cost a larger institute money.",
)
def defaults_channel(context: Context) -> list[Line]:
    """Settings, recipes and environments of FILE that take packages from Anaconda's own channels."""
    site = context.site
    lines = [line for path in _settings(site) if (line := _setting(path))]
    base = find_base(site).base
    if base is not None and conda_program(base, site.host) and not any(_channels(path) for path in _settings(site)):
        cure = f"`conda config --add channels conda-forge` and `conda config --remove channels defaults`. {_LICENCE}"
        lines.append(warning("conda's settings name no channel, so it takes packages from `defaults`", cure))
    for recipe in [*entries(site.repo / "conda_envs", ".yml"), *entries(site.repo / "conda_envs", ".yaml")]:
        channels = _channels(recipe)
        if any(_ANACONDAS.search(channel) for channel in channels):
            cure = f"Write conda-forge and nodefaults under `channels:` there. {_LICENCE}"
            lines.append(warning(f"{recipe.name} takes packages from the `defaults` channel", cure))
        elif "nodefaults" not in channels and lines:
            cure = "Add `nodefaults` under its `channels:`."
            lines.append(warning(f"{recipe.name} does not keep the `defaults` channel out", cure))
    for name, packages in _installed(context).items():
        cure = f"Create it anew from conda-forge, or move to a uv group. {_LICENCE}"
        held = f"{packages} package{'s' * (packages != 1)}"
        lines.append(warning(f"environment {name} holds {held} of the `defaults` channel", cure))
    if not lines and base is not None:
        lines.append(ok("the `defaults` channel is not used"))
    return lines


def _setting(path: PurePath) -> Line | None:
    """The file is named in the cure too: conda would change the user's own one."""
    channels = _channels(path)
    paid = [channel for channel in channels if _ANACONDAS.search(channel)]
    if not paid:
        return None
    changes = [] if "conda-forge" in channels else ["--add channels conda-forge"]
    changes += [f"--remove channels {channel}" for channel in paid]
    commands = " and ".join(f'`conda config --file "{path}" {change}`' for change in changes)
    named = f"the channel{'s' * (len(paid) > 1)} {', '.join(paid)}"
    return warning(f"{path} names {named}", f"{commands}. {_LICENCE}")


def _settings(site: Site) -> Iterator[PurePath]:
    yield from settings_files(find_base(site).base, site.host)


def _channels(path: PurePath) -> list[str]:
    """`channels:` of a settings file or a recipe."""
    text = read_text(path)
    if "channels" not in text:
        return []
    import yaml

    try:
        data: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return []  # conda itself complains of it better than we could
    channels = data.get("channels") if isinstance(data, dict) else None
    return [str(channel) for channel in channels] if isinstance(channels, list) else []


def _installed(context: Context) -> dict[str, int]:
    """Environments of FILE -> how many of their packages came from there."""
    counts: dict[str, int] = {}
    for job in context.uses("conda"):
        if job.spec.name in counts:
            continue
        channels = kind(job.spec).fingerprint(job.spec, job.entries, context.site).get("channels")
        values = channels.values() if isinstance(channels, dict) else []
        counts[job.spec.name] = sum(bool(_ANACONDAS.search(str(channel))) for channel in values)
    return {name: count for name, count in counts.items() if count}
