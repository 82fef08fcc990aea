"""Which pairs of groups are declared in conflict, in how many trials; with the real uv."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from uv import find_uv_bin

from runner.environments import Site
from runner.host import Host
from runner.migrate.conflicts import foreseen
from runner.migrate.facts import facts_of, read_facts
from runner.migrate.locking import Attempt, workbench
from runner.migrate.plan import Clash, Plan, Wishes
from runner.migrate.planning import make_plan
from runner.migrate.reasons import unlockable
from runner.migrate.recipe import read_recipe
from runner.migrate.search import TOGETHER_SECONDS, Found, Search
from runner.migrate.versions import allows
from runner.process.capture import capture
from tests.migrate.places import PYPROJECT, Place, make_wheel


def search(
    place: Place, recipe: Path, seconds: float = TOGETHER_SECONDS, uv: Path | None = None
) -> tuple[Found, list[str]]:
    """What is found, and each step on the way."""
    environ = place.environ() | ({"RUN_PIPELINE_UV": str(uv)} if uv else {})
    host = Host("linux", environ, place.repo, lambda name: None, capture)
    facts = read_facts(place.repo)
    steps: list[str] = []
    with workbench(Site(host, place.repo, {}, place.repo / ".venvs"), place.repo) as bench:
        plan = make_plan(read_recipe(recipe), facts, Wishes())
        return Search(bench, facts, steps.append, seconds).find(plan), steps


def with_groups(place: Place, groups: dict[str, str], conflicts: list[tuple[str, str]] = []) -> None:  # noqa: B006
    """The repository of `place`, with these groups of one line each."""
    lines = "".join(f'{name} = ["{line}"]\n' for name, line in groups.items())
    pairs = "".join(f'    [{{ group = "{one}" }}, {{ group = "{other}" }}],\n' for one, other in conflicts)
    text = PYPROJECT.replace("[tool.uv]\n", f"{lines}\n[tool.uv]\nconflicts = [\n{pairs}]\n")
    (place.repo / "pyproject.toml").write_text(text, encoding="utf-8")
    place.uv("lock")


def test_a_second_group_that_contradicts_the_same_eighteen_locks_as_quickly_as_the_first(place: Place) -> None:
    new = {f"x{number}": "grid>=2" for number in range(18)}
    with_groups(place, {**new, "old": "grid<2"}, [("old", name) for name in ("count", *new)])
    found, steps = search(place, place.recipe("- grid<2\n- spots"), seconds=60)
    assert set(found.plan.conflicts) == {"count", *new}
    assert set(found.plan.conflicts.values()) == {Clash.EXCLUDED}
    assert [step for step in steps if "trial" in step] == ["uv lock beside the other groups (19 in conflict), trial 1"]


def test_when_the_trials_take_too_long_the_group_is_kept_apart_from_all_and_that_is_said(place: Place) -> None:
    with_groups(place, {"tidy": "opencv-python"})
    found, steps = search(place, place.recipe("- grid<2"), seconds=0)
    assert found.plan.conflicts == {"count": Clash.EXCLUDED, "tidy": Clash.UNTRIED}
    assert steps[-1] == "uv lock with the group kept apart from all others"
    pairs = tomllib.loads(found.pyproject)["tool"]["uv"]["conflicts"]
    assert pairs == [[{"group": "cells"}, {"group": "count"}], [{"group": "cells"}, {"group": "tidy"}]]
    assert b"opencv-python" in found.lock


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for a uv that does not end")
def test_a_trial_that_does_not_end_is_ended_and_the_group_kept_apart(place: Place) -> None:
    with_groups(place, {"tidy": "opencv-python"})
    uv = place.root / "slow" / "uv"
    uv.parent.mkdir()
    file = "pyproject.toml"
    together = f"grep -q '^cells' {file} && grep -q '^tidy' {file} && ! grep -q 'group = \"tidy\"' {file}"
    uv.write_text(f'#!/bin/sh\n[ "$1" = lock ] && {together} && exec sleep 77\nexec "{find_uv_bin()}" "$@"\n')
    uv.chmod(0o755)
    found, steps = search(place, place.recipe("- spots"), 2, uv)
    assert found.plan.conflicts == {"count": Clash.UNTRIED, "tidy": Clash.UNTRIED}
    assert [step for step in steps if "trial" in step] == ["uv lock beside the other groups, trial 1"]


def test_what_only_uv_can_know_is_found_by_trials(place: Place) -> None:
    make_wheel(place.repo / "wheels", "dots", "1.0", ["grid==2.0"])
    with_groups(place, {"tidy": "opencv-python", "newest": "grid>2.0"})
    found, steps = search(place, place.recipe("- dots"))
    assert found.plan.conflicts == {"newest": Clash.CONTRADICTS}
    assert sum("trial" in step for step in steps) == 2


GROUPS = """\
[project]
name = "lab"
version = "1"
requires-python = ">=3.11"
[dependency-groups]
new = []
later = []
[tool.uv.dependency-groups]
later = { requires-python = ">=3.13" }
"""


def planned(folder: Path, dependencies: str) -> Plan:
    path = folder / "cells.yml"
    path.write_text(f"dependencies: [{dependencies}]\n", encoding="utf-8")
    return make_plan(read_recipe(path), facts_of(GROUPS, folder), Wishes())


@pytest.mark.parametrize(
    ("dependencies", "locked", "clash"),
    [
        ("numpy<2", {"numpy==2.1.0"}, True),
        ("numpy<2", {"numpy==2.1.0", "numpy==1.26.4"}, False),  # of which Python is not known here
        ("numpy<2", {"numpy==1.26.4", "scipy==1.9"}, False),
        ("numpy<2", {"numpy==2.1.0+cu124"}, False),
        ("numpy<2", set(), False),
        ("numpy<2", None, False),
        ("numpy", {"numpy==2.1.0"}, False),
        ("scikit-image=0.24", {"scikit-image==0.25.1"}, True),
        ("pip: [numpy~=1.26]", {"numpy==2.0"}, True),
        ("pip: ['numpy<2; python_version < \"3.12\"']", {"numpy==2.1.0"}, False),
    ],
)
def test_a_clash_is_foreseen_only_where_it_is_certain(
    tmp_path: Path, dependencies: str, locked: set[str] | None, clash: bool
) -> None:
    versions = {"new": None if locked is None else frozenset(locked)}
    found = foreseen(planned(tmp_path, dependencies), facts_of(GROUPS, tmp_path), versions)
    assert found == (("new",) if clash else ())


def test_groups_for_other_pythons_do_not_clash(tmp_path: Path) -> None:
    plan = planned(tmp_path, "python=3.11, numpy<2")
    locked = {"new": frozenset({"numpy==2.1"}), "later": frozenset({"numpy==2.1"})}
    assert foreseen(plan, facts_of(GROUPS, tmp_path), locked) == ("new",)


@pytest.mark.parametrize(
    ("specifier", "version", "allowed"),
    [
        (">=1.24,<2.0", "1.26.4", True),
        (">=1.24,<2.0", "2.0", False),
        ("==4.10.0.*", "4.10.0.84", True),
        ("==4.10.0", "4.10.0.84", False),
        ("==1.2", "1.2.0", True),
        ("!=1.2.*", "1.2.5", False),
        ("~=2.2", "2.9", True),
        ("~=2.2", "3.0", False),
        ("~=2.2.1", "2.3", False),
        (">4.10.0", "4.10.0.84", True),
        ("<=2024.8", "2024.8.10", False),
    ],
)
def test_releases_of_any_length_are_held_against_a_specifier(specifier: str, version: str, allowed: bool) -> None:
    assert allows(specifier, version) is allowed


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "error: Failed to parse entry in group `cells`: `_x==1`\n  Expected package name",
            "not understand its line `_x==1`",
        ),
        (
            "error: No solution found\n  cause: Because there are no versions of numpy{python_full_version < '3.12'} "
            "and lab:cells depends on numpy",
            "there is no version of numpy that can be had",
        ),
        ("error: the moon is full", "the group cells does not lock, and uv's reason is not one that is known here"),
    ],
)
def test_what_uv_says_is_passed_on_whatever_it_is(tmp_path: Path, said: str, message: str) -> None:
    error = unlockable(planned(tmp_path, "numpy"), Attempt(2, said), facts_of(GROUPS, tmp_path), together=False)
    assert message in error.message
    assert "uv: error: " in error.cure
    assert "as they were" in error.cure
