"""pyproject.toml keeps its comments, its order and its line ends."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.migrate.facts import Index, facts_of
from runner.migrate.plan import Clash, IndexSource, Plan, Wishes
from runner.migrate.planning import make_plan
from runner.migrate.project import with_group, without_group
from runner.migrate.recipe import read_recipe

FULL = """\
# first of all
[project]
name = "lab"   # ours
version = "1"
requires-python = ">=3.11"

[dependency-groups]
dev = ["pytest"]  # tests
# the old one
old = [
    "numpy>=2",  # not 1
]

[tool.uv]
package = false
conflicts = [
    [{ group = "old" }, { group = "dev" }],
]

[tool.uv.dependency-groups]
old = { requires-python = ">=3.11" }

[tool.uv.sources]
torch = { index = "a", group = "old" }  # CUDA

[[tool.uv.index]]
name = "a"
url = "https://example.org/a"
explicit = true

[tool.ruff]
line-length = 120
"""
BARE = '[project]\nname = "lab"\nversion = "1"\nrequires-python = ">=3.11"\n'


def a_plan(folder: Path) -> Plan:
    path = folder / "new.yml"
    path.write_text(
        "name: new\ndependencies: [python=3.12, numpy=1.26, pip: ['x ; sys_platform == \"win32\"']]\n", encoding="utf-8"
    )
    found = make_plan(read_recipe(path), facts_of(BARE, folder), Wishes())
    return replace(
        found,
        indexes=(Index("b", "https://example.org/b"),),
        sources=(
            IndexSource("torch", "b", marker="sys_platform != 'darwin'"),
            IndexSource("x", path="tools/x", editable=True),
        ),
        conflicts={"old": Clash.CONTRADICTS},
    )


@pytest.mark.parametrize("text", [FULL, BARE, FULL.replace("\n\n[tool.uv.sources]", "\n[tool.uv.sources]")])
def test_the_group_its_python_sources_index_and_conflicts_are_there(tmp_path: Path, text: str) -> None:
    data = tomllib.loads(with_group(text, a_plan(tmp_path), tmp_path))
    assert data["dependency-groups"]["new"] == ["numpy==1.26.*", 'x ; sys_platform == "win32"']
    uv = data["tool"]["uv"]
    assert uv["dependency-groups"]["new"] == {"requires-python": "==3.12.*"}
    assert uv["index"][-1] == {"name": "b", "url": "https://example.org/b", "explicit": True}
    assert uv["conflicts"][-1] == [{"group": "new"}, {"group": "old"}]
    torch = uv["sources"]["torch"]
    ours = torch[-1] if isinstance(torch, list) else torch
    assert ours == {"index": "b", "group": "new", "marker": "sys_platform != 'darwin'"}
    assert uv["sources"]["x"] == {"path": "tools/x", "group": "new", "editable": True}


def test_nothing_that_was_there_changes_but_a_source_that_becomes_two(tmp_path: Path) -> None:
    after = with_group(FULL, a_plan(tmp_path), tmp_path)
    removed = [line for line in difflib.ndiff(FULL.splitlines(), after.splitlines()) if line.startswith("- ")]
    assert removed == ['- torch = { index = "a", group = "old" }  # CUDA']
    assert "\n\n[tool.ruff]" in after
    assert "# from new.yml, by run-pipeline migrate\nnew = [\n" in after


def test_line_ends_of_windows_stay(tmp_path: Path) -> None:
    after = with_group(FULL.replace("\n", "\r\n"), a_plan(tmp_path), tmp_path)
    assert after.count("\n") == after.count("\r\n")
    assert after.replace("\r\n", "\n") == with_group(FULL, a_plan(tmp_path), tmp_path)


def test_writing_it_twice_changes_nothing_more(tmp_path: Path) -> None:
    once = with_group(FULL, a_plan(tmp_path), tmp_path)
    assert tomllib.loads(with_group(once, a_plan(tmp_path), tmp_path)) == tomllib.loads(once)


def test_what_a_group_had_can_be_taken_away_for_writing_it_anew(tmp_path: Path) -> None:
    data = tomllib.loads(without_group(with_group(FULL, a_plan(tmp_path), tmp_path), "New"))
    before = tomllib.loads(FULL)["tool"]["uv"]
    assert data["tool"]["uv"]["sources"] == before["sources"]
    assert data["tool"]["uv"]["conflicts"] == before["conflicts"]


def test_a_source_that_holds_for_the_whole_repository_is_not_overruled(tmp_path: Path) -> None:
    text = FULL.replace(', group = "old" }', " }")
    with pytest.raises(UsageError, match="for the whole repository"):
        with_group(text, a_plan(tmp_path), tmp_path)


def test_a_pair_stands_behind_the_one_that_names_the_same_group_and_comments_stay(tmp_path: Path) -> None:
    pairs = """\
    # NumPy 1 is not for all
    [{ group = "big" }, { group = "old" }],  # since 2024
    [{ group = "big" }, { group = "dev" }],
    # the last one
"""
    text = FULL.replace('    [{ group = "old" }, { group = "dev" }],\n', pairs).replace("dev = [", "big = []\ndev = [")
    plan = replace(a_plan(tmp_path), conflicts={"Old": Clash.SHIFTED, "dev": Clash.SHIFTED, "rest": Clash.SHIFTED})
    after = with_group(text, plan, tmp_path)
    groups = [[one["group"] for one in pair] for pair in tomllib.loads(after)["tool"]["uv"]["conflicts"]]
    assert groups == [["big", "old"], ["new", "Old"], ["big", "dev"], ["new", "dev"], ["new", "rest"]]
    for comment in ("# NumPy 1 is not for all\n", "# since 2024\n", "# the last one\n"):
        assert comment in after
    assert after.index("# since 2024") < after.index('"Old"')
