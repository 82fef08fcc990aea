"""An environment of uv that is taken along: its lock as a pylock.toml, and made from that where no network is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.environments import Locked, Preparation, Site
from runner.environments.uv.binary import find_uv
from runner.environments.uv.in_store import compiled
from runner.environments.uv.pythons import without_conda
from runner.environments.uv.settings import ask_uv, lock_command, options, settings
from runner.environments.uv.variables import unwanted
from runner.environments.uv.workspace import load_toml
from runner.errors import EnvironmentMissing, RunnerError
from runner.ground.disk import on_disk
from runner.model import Command

_MINOR = re.compile(r"(?:c?python[@=]*)?(3\.\d+)(?:\.\d+)?")


def python_of(asked: str, rule: str, wanted: str, title: str) -> str:
    """The version that is asked for, else `wanted` where the rule allows it, else the nearest older, or newer, one.

    Raises EnvironmentMissing.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if found := _MINOR.fullmatch(asked):
        return re.sub(r"^\D+", "", found[0])
    try:
        allowed = SpecifierSet(",".join(part for part in (rule, asked if asked[:1] in "<>=!~" else "") if part))
    except InvalidSpecifier:
        allowed = SpecifierSet()
    number = int(wanted.split(".")[1])
    nearest = [*range(number - 1, 7, -1), *range(number + 1, number + 20)]
    for version in (wanted, *(f"3.{one}" for one in nearest)):
        if allowed.contains(version if version.count(".") == 2 else f"{version}.99"):
            return version
    raise EnvironmentMissing(f"{title}: no Python is allowed by {allowed}", "Correct its requires-python.")


def pylock_of(site: Site, of: Sequence[str], *, script: str = "") -> Locked:
    """What `uv export` says of the project or script. Raises EnvironmentMissing."""
    from runner.environments.uv.failures import explain

    words = ["export", "-q", "--locked", "--format", "pylock.toml", "--no-header", *of]
    answer = ask_uv(words, site, timeout=600.0, script=script)
    if answer.code != 0:
        said = answer.error or answer.stderr.decode("utf-8", "replace")
        name = Path(script).name if script else "uv.lock"
        lock = lock_command(site, script=script)
        raise explain(name, said, answer.code or 1, repo=str(site.repo), folder=str(site.environments), lock=lock)
    return Locked(answer.stdout.decode("utf-8"), on_disk(site.repo))


def indexes(site: Site) -> tuple[str, tuple[str, ...]]:
    """What the user names by uv's variables and uv.toml files: the index of all ("" for none), and those beside it."""
    environ = site.host.environ
    first = [environ.get(name, "") for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")]
    more = " ".join(environ.get(name, "") for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL")).split()
    for path in settings(site).files:
        table = load_toml(path, "")
        first.append(str(table.get("index-url", "")))
        more += [str(url) for url in table.get("extra-index-url", [])]
        for one in table.get("index", []):
            (first if one.get("default") else more).append(str(one.get("url", "")))
    named = [re.sub(r"^[\w.-]+=(?=\w+:)", "", url) for url in (*filter(None, first), "", *filter(None, more))]
    place = named.index("")
    return named[0], tuple(named[1:place] + named[place + 1 :])


def unpacking(
    title: str,
    folder: Path,
    pylock: Path,
    python: str,
    site: Site,
    lock: Path,
    still_needed: Callable[[], bool],
    begin: Callable[[], None],
    done: Callable[[str], None],
) -> Preparation:
    """Makes the environment in `folder` from a pylock.toml whose files lie beside it."""
    uv = find_uv(site).path
    env = {"UV_NO_PROGRESS": "1", "UV_NO_WRAP": "1", "UV_VENV_CLEAR": "1", **without_conda(site.host)}

    def command(*words: str) -> Command:
        argv = (uv, *words, "-q", "--offline", *options(site))
        return Command(argv, str(site.repo), env, unset=unwanted(site.host.environ), stop_leader_only=True)

    def explain(failed: Command, code: int, said: str) -> RunnerError:
        return EnvironmentMissing(f"{title} could not be made from {pylock}", said.strip()[-2000:])

    return Preparation(
        title,
        (
            command("venv", "--relocatable", "--no-project", "--python", python, str(folder)),
            command("pip", "sync", "--python", str(folder), str(pylock)),
            *compiled(folder, site),
        ),
        lock,
        still_needed,
        explain,
        done,
        begin,
        changes=folder,
    )
