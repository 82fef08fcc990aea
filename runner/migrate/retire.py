"""Removes a recipe and its conda pipelines, once each has a signed twin on uv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.migrate.pipelines import pipeline_files, plain_name, twin_of, uses
from runner.migrate.recipe import read_recipe

RECIPES = "conda_envs"
PIPELINES = "pipeline_configs"


@dataclass
class Retirement:
    """What would be removed, and what stands against it."""

    name: str
    recipes: list[Path] = field(default_factory=list)
    pipelines: list[Path] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        return [*self.pipelines, *self.recipes]


def plan_retirement(name: str, repo: Path, others: Sequence[str], start: Path) -> Retirement:
    """`others`: more places with pipelines than pipeline_configs. Raises UsageError when there is no such recipe."""
    recipes = {
        path: environment
        for path, environment in _recipes(repo)
        if plain_name(name) in (path.stem.lower(), plain_name(environment))
    }
    if not recipes:
        known = ", ".join(sorted(path.stem for path, _ in _recipes(repo))) or "none"
        raise UsageError(f"there is no recipe {name} in {repo / RECIPES}", f"There are: {known}.")
    retirement = Retirement(name, sorted(recipes))
    names = sorted({*recipes.values()})
    folder = repo / PIPELINES
    files = pipeline_files([str(folder)], repo) if folder.is_dir() and any(folder.rglob("*.y*ml")) else []
    files += [path for path in pipeline_files(others, start) if path not in files]
    for path in files:
        if uses(path, names):
            _judge(path, names, repo, retirement)
    return retirement


def carry_out(retirement: Retirement) -> list[Path]:
    """Removes the files, the recipes last: a half-done retirement can be started again."""
    gone = []
    for path in retirement.files:
        path.unlink(missing_ok=True)
        gone.append(path)
        status = path.with_name(f"{path.stem}_status{path.suffix}")
        if path in retirement.pipelines and status.is_file():
            status.unlink()
            gone.append(status)
    return gone


def _judge(path: Path, names: Sequence[str], repo: Path, retirement: Retirement) -> None:
    twin = next((one for one in candidates(path) if one.is_file()), None)
    shown = path.relative_to(repo).as_posix() if path.is_relative_to(repo) else str(path)
    if twin is None:
        retirement.obstacles.append(f"{shown} still runs in conda and has no twin {twin_of(path).name}")
        return
    if uses(twin, names):
        retirement.obstacles.append(f"{twin.name}, the twin of {shown}, still names the conda environment")
        return
    retirement.pipelines.append(path)
    found = find_sign_off(path, twin, repo)
    if isinstance(found, str):
        retirement.obstacles.append(found)
    else:
        retirement.signed.append(f"{shown}: {found.get('signed_by')}: {found.get('reason')} ({found.get('when')})")


def candidates(path: Path) -> Iterator[Path]:
    """Where the twin of a conda pipeline may stand: NAME_uv.yaml, and NAME.yaml for NAME_conda.yaml."""
    yield twin_of(path)
    yield path.with_name(f"{path.stem}_uv{path.suffix}")
    if path.stem.endswith("_conda"):
        yield path.with_name(path.stem.removesuffix("_conda") + path.suffix)


def find_sign_off(path: Path, twin: Path, repo: Path) -> Mapping[str, Any] | str:
    """The newest sign-off of the pair as both files are now, or why there is none."""
    from runner.compare.sign_off import signed_off

    found = signed_off(path, twin, repo) or signed_off(twin, path, repo)
    if found is not None:
        return found
    command = f'`run-pipeline compare "{path}" "{twin}" --sign-off "NAME: REASON"`'
    return f"nobody has signed that {twin.name} gives what {path.name} gives, as they are now: {command}"


def _recipes(repo: Path) -> list[tuple[Path, str]]:
    """Each environment file of conda_envs with the environment's name."""
    found = []
    for path in sorted((repo / RECIPES).glob("*.y*ml")):
        try:
            found.append((path, read_recipe(path).name))
        except UsageError:
            continue  # another YAML file
    return found
