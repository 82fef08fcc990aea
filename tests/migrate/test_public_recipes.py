"""The recipes of public tools: every line accounted for. That they lock is docs/conda-to-uv-recipes.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from runner.migrate.facts import facts_of
from runner.migrate.names import Status
from runner.migrate.plan import Wishes
from runner.migrate.planning import make_plan
from runner.migrate.recipe import read_recipe
from tests.migrate.places import Place

RECIPES = sorted((Path(__file__).resolve().parents[1] / "examples" / "conda_recipes").glob("*.yml"))
PROJECT = '[project]\nname = "lab"\nversion = "1"\nrequires-python = ">=3.11"\n'


def entries(path: Path) -> int:
    """How many things the recipe asks for, counted by another reader."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    own = [one for one in data["dependencies"] if isinstance(one, str)]
    pip = [one for part in data["dependencies"] if isinstance(part, dict) for one in part["pip"] or []]
    return len(own) + len(pip) + len(data.get("channels", []))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_line_is_dropped_in_silence(path: Path) -> None:
    plan = make_plan(read_recipe(path), facts_of(PROJECT, path.parent), Wishes(group="g", python="3.12"))
    lines = [item for item in plan.items if not item.line.text.startswith("channel_priority")]
    assert len(lines) == entries(path)
    for item in plan.items:
        assert item.requirements or item.note, item
    for requirement in plan.requirements:
        Requirement(str(requirement))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_what_is_lost_is_only_what_is_known_to_be(path: Path) -> None:
    plan = make_plan(read_recipe(path), facts_of(PROJECT, path.parent), Wishes(group="g", python="3.12"))
    assert {item.line.text for item in plan.items if item.status is Status.LOST} <= {"nb_conda"}


@pytest.mark.parametrize("name", ["merge_channels", "track_indexed_mask"])
def test_a_small_one_locks_for_all_platforms(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, tmp_path / "cache")
    monkeypatch.setattr(Place, "environ", lambda self, make=Place.environ: {**make(self), "UV_OFFLINE": "0"})
    place.make(PROJECT)
    records = place.records(RECIPES[0].with_name(f"{name}.yml"), "--dry-run", code=None)
    if not records[-1]["locked"] and "cannot be reached" in str(records[-1]["reason"]):
        pytest.skip("the package index cannot be reached")
    assert records[-1]["locked"], records[-1]["reason"]
    locked = {one["name"] for one in records[-1]["versions"]}  # type: ignore[attr-defined]
    assert {"numpy", "tqdm", "bioio"} <= locked
