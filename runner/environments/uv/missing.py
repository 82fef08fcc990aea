"""What an environment needs and this machine has not, where no network is used: told before anything runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from runner.environments.offline import offline
from runner.environments.site import Once, Site
from runner.environments.uv.findings import explain
from runner.environments.uv.groups import group_packages, read_project
from runner.environments.uv.in_store import older
from runner.environments.uv.pythons import without_conda
from runner.environments.uv.settings import ask_uv
from runner.environments.uv.stamp import Place
from runner.environments.uv.uncached import Answer, Package, uncached
from runner.environments.uv.wheels_at_hand import at_hand, is_local
from runner.environments.uv.workspace import load_project
from runner.errors import EnvironmentMissing
from runner.ground.disk import on_disk
from runner.ground.words import counted
from runner.model import Finding

_SHOWN = 20  # packages that are named to people; a program hears all


def packages_missing(where: Place, wanted: str, site: Site) -> list[Finding]:
    """`wanted`: the environment as it is typed behind `env sync`."""
    if not offline(site):
        return []
    answer, there = _looked(site, where)
    if answer.refused:
        error = explain(where, site, *answer.refused)
        return [Finding(error.message, error.cure)]
    lacking = [one for one in answer.packages if one not in there]
    title, bring = f"uv group `{where.group}`", f"env sync {wanted}"
    return [*finding(title, lacking, answer.untold, bring, site), *_cannot_be_built(title, answer, bring, site)]


def _cannot_be_built(title: str, answer: Answer, bring: str, site: Site) -> Iterator[Finding]:
    """Of packages in folders: what builds them is chosen anew, and must be in the cache with what it is chosen by."""
    said = read_project(on_disk(site.repo)).settings if answer.built else {}
    apart = set(map(str, said.get("no-build-isolation-package", ())))
    for one in () if said.get("no-build-isolation") else answer.built:
        if one.name in apart:
            continue
        folder = Path(url2pathname(urlsplit(one.address).path))
        try:
            table = load_project(folder / "pyproject.toml").get("build-system", {})
        except EnvironmentMissing:
            continue
        wanted = [str(text) for text in table.get("requires", ("setuptools",))]
        with tempfile.TemporaryDirectory(prefix="run-pipeline-build-") as place:
            file = Path(place) / "requirements.txt"
            file.write_text("\n".join(wanted), encoding="utf-8")
            version = ".".join(map(str, answer.python))
            words = ("pip", "compile", "--quiet", "--offline", "--python-version", version, str(file))
            links = {name: value for name, value in site.host.environ.items() if name == "UV_FIND_LINKS"}
            good = ask_uv(words, site, timeout=60.0, more={**links, **without_conda(site.host)}).code == 0
        if not good:
            yield Finding(
                f"{title} cannot be made without a network ({offline(site)}): {one.name} in {folder} is built here, "
                f"and uv's cache has not all of what that takes: {', '.join(wanted)}",
                how_to_bring(bring, site),
                missing=tuple(wanted),
            )


def asked_again(where: Place, site: Site) -> Answer:
    """What uv has in no cache, as it is now, for a preparation."""
    return _looked.anew(site, where)[0]


@Once
def _looked(site: Site, where: Place) -> tuple[Answer, list[Package]]:
    """uv's answer, less what lies in the repository; and what of it is at hand in a folder."""
    version = ("--python", where.python) if where.python else ()
    words = ("sync", "--project", str(site.repo), "--locked", "--only-group", where.group, *version)
    stands = older(where, site) or where
    answer = uncached(words, site, more={"UV_PROJECT_ENVIRONMENT": str(stands.folder), **without_conda(site.host)})
    if not answer.packages:
        return answer, []
    repo = on_disk(site.repo)
    locked = group_packages(repo, where.group, read_project(repo))
    own = {(one["name"], str(one.get("version", ""))) for one in locked if is_local(one)}
    rest = tuple(one for one in answer.packages if one.address or (one.name, one.version) not in own)
    return replace(answer, packages=rest), at_hand(rest, locked, answer.python, site)


@Once
def _cache(site: Site) -> str:
    return ask_uv(("cache", "dir"), site).stdout.decode("utf-8", "replace").strip()


def finding(title: str, lacking: Sequence[Package], untold: int, bring: str, site: Site) -> list[Finding]:
    """Nothing where nothing is missing. `bring`: the command that fills uv's cache on another computer."""
    if not lacking and not untold:
        return []
    count = counted(len(lacking) + untold, "package")
    names = ", ".join(map(str, lacking[:_SHOWN]))
    more = len(lacking) + untold - len(lacking[:_SHOWN])
    listed = ", ".join(part for part in (names, f"{more} more" if more else "") if part)
    return [
        Finding(
            f"{title} cannot be made without a network ({offline(site)}): {count} in neither uv's cache nor a folder "
            f"of wheels: {listed}",
            how_to_bring(bring, site),
            missing=tuple(map(str, lacking)),
        )
    ]


def how_to_bring(bring: str, site: Site) -> str:
    cache = _cache(site)
    there = f"there `run-pipeline {bring}` with UV_CACHE_DIR on a folder, and that in the place of {cache}"
    return (
        "On a computer with a network: `run-pipeline bundle FILE.yaml -o lab.bundle`, and here `run-pipeline unbundle "
        f"lab.bundle DIR`; or {there}.\ndocs/without-a-network.md has each way."
    )
