"""Removes a recipe and its conda pipelines, once each has a signed twin on uv and nothing else needs them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.compare.sign_off import signed_off
from runner.errors import StateError, UsageError
from runner.ground.files import state_errors
from runner.ground.words import shown
from runner.migrate.files import SCRIPTS, files_below, first_link
from runner.migrate.needs import Wanted, may_mention, mentioned, read, signed_pipelines
from runner.migrate.pipelines import NO_VALUES, named_files, plain_name, twin_of
from runner.migrate.recipe import read_recipe
from runner.migrate.recipe_lines import Recipe, Source
from runner.state.locks import LockFile
from runner.state.status import pipeline_of, read_status, status_path

RECIPES = "conda_envs"
PIPELINES = "pipeline_configs"
_LARGEST = 64 << 20  # bytes of a script or notebook
SIGN_OFFS = "sign_offs"
# what this runner's tests read, and nobody runs
_TESTS = Path(__file__).resolve().parents[2] / "tests"


@dataclass
class Retirement:
    """What would be removed, and what stands against it."""

    name: str
    recipes: list[Path] = field(default_factory=list)
    pipelines: list[Path] = field(default_factory=list)
    statuses: list[Path] = field(default_factory=list)
    signed: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what stays although it looks like one of them, and why

    @property
    def files(self) -> list[Path]:
        """All that goes, the recipes last: a half-done retirement can be started again."""
        return [*self.statuses, *self.pipelines, *self.recipes]


def plan_retirement(
    name: str,
    repo: Path,
    others: Sequence[str],
    start: Path,
    *,
    names: Sequence[str] = (),
    dotenv: Mapping[str, str] = NO_VALUES,
) -> Retirement:
    """`others`: more places with pipelines than pipeline_configs; `names`: other names of the environment.

    Raises UsageError when there is no such recipe.
    """
    recipes = _matching(name, repo)
    retirement = Retirement(name, sorted(recipes))
    calls = [text for path, recipe in recipes.items() for text in (path.stem, *_names(recipe))]
    wanted = Wanted.of([name, *names, *calls], dotenv)
    _Search(repo, wanted, retirement).go(_candidates(repo, others, start))
    return retirement


def carry_out(retirement: Retirement) -> list[Path]:
    """Removes exactly `retirement.files`. Raises StateError; what is gone by then stays gone."""
    gone = []
    for path in retirement.files:
        with state_errors("remove", path):
            path.unlink()
        gone.append(path)
    return gone


@dataclass
class _Search:
    """Goes through every YAML file of the repository, and judges each that needs the environment."""

    repo: Path
    wanted: Wanted
    retirement: Retirement

    def go(self, candidates: Sequence[Path]) -> None:
        """`candidates` may be removed; any other file that needs something is an obstacle."""
        obstacles = self.retirement.obstacles

        def unreadable(error: OSError) -> None:
            obstacles.append(f"the folder {error.filename} cannot be read: {error.strerror or error}")

        every = [*candidates, *files_below(self.repo, hidden=True, failed=unreadable)]
        every += signed_pipelines(self.repo / SIGN_OFFS, self.repo)
        # each once, by the path that was given first, however else it can be reached
        known = {os.path.realpath(path): path for path in reversed([*self.retirement.recipes, *every])}
        kept = {path for real, path in known.items() if not _is_below(Path(real), _TESTS)}
        files = sorted(kept - set(self.retirement.recipes))
        for path in files:
            self._look(path, path in candidates)
        for path in self.retirement.files:
            if link := first_link(path, self.repo):
                obstacles.append(f"{self._shown(path)}: {link} is a link, and a retirement follows none: remove it")
        going = set(self.retirement.files)
        self._find_statuses(going)
        below = files_below(self.repo, SCRIPTS, hidden=True)
        scripts = [one for one in below if not _is_below(one, _TESTS, self.repo / SIGN_OFFS)]
        scripts = [one for one in scripts if not one.exists() or one.stat().st_size <= _LARGEST]
        for path in [*files, *scripts]:
            if path not in going and (found := mentioned(path, [one.name for one in going])):
                obstacles.append(f"{self._shown(path)} names {', '.join(found)}, which would be removed")
        for path in scripts:
            obstacles += [f"{self._shown(path)} calls it by itself: `{text}`" for text in self.wanted.calls_in(path)]

    def _look(self, path: Path, is_candidate: bool) -> None:
        found, obstacles, shown = read(path), self.retirement.obstacles, self._shown(path)
        if isinstance(found, str):
            if is_candidate or may_mention(path, self.wanted.names):
                obstacles.append(f"{shown} cannot be read, so whether it needs the environment is not known: {found}")
            return
        if found is None:
            return
        obstacles += [f"{shown}: {text}" for text in self.wanted.other_uses(found)]
        if not self.wanted.used_by(found):
            return
        if is_candidate:
            self._judge(path)
        else:
            obstacles.append(
                f"{shown} runs in conda too, and is not below {PIPELINES}: give it with --pipelines, or change it"
            )

    def _judge(self, path: Path) -> None:
        obstacles, shown = self.retirement.obstacles, self._shown(path)
        twin = next((one for one in candidates(path) if one.is_file()), None)
        if twin is None:
            obstacles.append(f"{shown} still runs in conda and has no twin {twin_of(path).name}")
            return
        found = read(twin)
        if found is None or isinstance(found, str):
            obstacles.append(f"{twin.name}, the twin of {shown}, cannot be run: {found or 'it has no `run:`'}")
            return
        if self.wanted.used_by(found):
            obstacles.append(f"{twin.name}, the twin of {shown}, still names the conda environment")
            return
        if holder := LockFile.of_run(status_path(path), path.name).held():
            obstacles.append(f"{shown} is being run: {holder}")
        self.retirement.pipelines.append(path)
        signature = find_sign_off(path, twin, self.repo)
        if isinstance(signature, str):
            obstacles.append(signature)
        else:
            who, why, when = (signature.get(key) for key in ("signed_by", "reason", "when"))
            self.retirement.signed.append(f"{shown}: {who}: {why} ({when})")

    def _find_statuses(self, going: set[Path]) -> None:
        for path in self.retirement.pipelines:
            status = status_path(path)
            if not os.path.lexists(status) or status in self.retirement.statuses:
                continue
            if why := _not_ours(status, path, going):
                self.retirement.left.append(f"{self._shown(status)}: {why}")
            else:
                self.retirement.statuses.append(status)

    def _shown(self, path: Path) -> str:
        return shown(path, self.repo)


def _is_below(path: Path, *folders: Path) -> bool:
    return any(Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)) for folder in folders)


def _not_ours(status: Path, pipeline: Path, going: set[Path]) -> str:
    """Why a file in the place of a status file is not to be removed with `pipeline`; "" when it is."""
    if not stat.S_ISREG(status.lstat().st_mode):
        return "a link or a folder, no status file"
    for other in (pipeline.with_suffix(".yaml"), pipeline.with_suffix(".yml")):
        theirs = status_path(other)
        # without one of its own, cells.yml goes on with that of cells.yaml
        if other not in going and other.is_file() and (theirs == status or not theirs.is_file()):
            return f"the status file of {other.name} too"
    try:
        found = read_status(status)
    except StateError as error:
        return f"no status file that can be taken for its own: {error.message}"
    if found.broken or found.extra:
        return f"no status file: {found.broken or 'it holds more than `segments:`'}"
    return ""


def _candidates(repo: Path, others: Sequence[str], start: Path) -> list[Path]:
    """The YAML files of pipeline_configs, and what --pipelines names. Raises UsageError."""
    found = [path for path in files_below(repo / PIPELINES, linked=True) if pipeline_of(path) is None]
    return list(dict.fromkeys([*found, *named_files(others, start)]))


def candidates(path: Path) -> Iterator[Path]:
    """Where the twin of a conda pipeline may stand: NAME_uv.yaml, and NAME.yaml for NAME_conda.yaml."""
    yield twin_of(path)
    yield path.with_name(f"{path.stem}_uv{path.suffix}")
    if path.stem.endswith("_conda"):
        yield path.with_name(path.stem.removesuffix("_conda") + path.suffix)


def find_sign_off(path: Path, twin: Path, repo: Path) -> Mapping[str, Any] | str:
    """The newest sign-off of the pair as both files are now, or why there is none."""
    found = signed_off(path, twin, repo) or signed_off(twin, path, repo)
    if found is not None:
        return found
    command = f'`run-pipeline compare "{path}" "{twin}" --sign-off "NAME: REASON"`'
    return f"nobody has signed that {twin.name} gives what {path.name} gives, as they are now: {command}"


def _matching(name: str, repo: Path) -> dict[Path, Recipe]:
    """The recipes of that file name or environment. Raises UsageError when there are none, or one cannot be read."""
    found: dict[Path, Recipe] = {}
    for path in sorted((repo / RECIPES).glob("*")):
        if path.suffix.lower() not in (".yml", ".yaml") or not path.is_file():
            continue
        try:
            found[path] = read_recipe(path)
        except UsageError:
            if path.stem.lower() == plain_name(name):
                raise
    matching = {
        path: recipe
        for path, recipe in found.items()
        if plain_name(name) in (path.stem.lower(), *map(plain_name, _names(recipe)))
    }
    if not matching:
        known = ", ".join(sorted(path.stem for path in found)) or "none"
        raise UsageError(f"there is no recipe {name} in {repo / RECIPES}", f"There are: {known}.")
    return matching


def _names(recipe: Recipe) -> list[str]:
    """What the environment is called: by name, and by the folder that an exported recipe has as `prefix:`."""
    prefixes = [line.text for line in recipe.lines if line.source is Source.SETTING]
    return [recipe.name, *(text.partition(":")[2] for text in prefixes if text.startswith("prefix:"))]
