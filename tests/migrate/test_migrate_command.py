"""`run-pipeline migrate` with the real uv, on packages that lie in a folder."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.migrate.places import PYPROJECT, Place, make_installed, make_wheel


def untouched(place: Place) -> tuple[bytes, bytes]:
    return (place.repo / "pyproject.toml").read_bytes(), (place.repo / "uv.lock").read_bytes()


def test_a_recipe_becomes_a_group_that_locks_and_comments_stay(place: Place) -> None:
    recipe = place.recipe("- python=3.12\n- spots=1.4\n- opencv\n- pip")
    said = place.migrate(recipe, "--yes")
    assert "opencv-python" in said
    assert "Wrote the group cells" in said
    data = tomllib.loads(place.pyproject)
    assert data["dependency-groups"]["cells"] == ["spots==1.4.*", "opencv-python"]
    assert data["tool"]["uv"]["dependency-groups"]["cells"] == {"requires-python": "==3.12.*"}
    assert 'count = ["grid>=2"]   # not older' in place.pyproject
    assert "# from conda_envs/cells.yml, by run-pipeline migrate" in place.pyproject
    assert place.installs("cells") == {"grid==2.1", "opencv-python==4.10.0.84", "spots==1.4"}
    place.uv("lock", "--check")


def test_a_dry_run_shows_everything_and_writes_nothing(place: Place, tmp_path: Path) -> None:
    before = untouched(place)
    said = place.migrate(place.recipe("- python=3.12\n- spots"), "--dry-run")
    assert "spots 1.4" in said
    assert "Nothing was written" in said
    assert untouched(place) == before
    assert sorted(path.name for path in place.repo.iterdir()) == [
        "conda_envs", "pipeline_configs", "pyproject.toml", "uv.lock", "wheels",
    ]  # fmt: skip


def test_without_a_terminal_and_without_yes_nothing_is_written(place: Place) -> None:
    before = untouched(place)
    said = place.migrate(place.recipe("- spots"), code=2)
    assert "guessed" in said  # the plan is shown
    assert "--yes" in said
    assert "uv lock" not in said  # and nobody waits for a lock that nobody can accept
    assert untouched(place) == before


def test_a_report_that_cannot_be_written_is_said_before_the_work(place: Place) -> None:
    before = untouched(place)
    said = place.migrate(place.recipe("- spots"), "--yes", "--report", place.root / "gone" / "r.md", code=2)
    assert f"there is no folder {place.root / 'gone'}" in said
    assert "uv lock" not in said
    assert untouched(place) == before


def test_a_uv_lock_that_is_broken_is_told_before_anything_is_tried(place: Place) -> None:
    (place.repo / "uv.lock").write_text('{"a":', encoding="utf-8")
    before = untouched(place)
    said = place.migrate(place.recipe("- spots"), "--yes", code=3)
    assert "the repository does not lock even without the new group: uv.lock is not valid: line 1" in said
    assert "alone" not in said
    assert untouched(place) == before


def test_a_repository_that_contradicts_itself_is_told_with_uvs_reason(place: Place) -> None:
    text = PYPROJECT.replace('count = ["grid>=2"]', 'count = ["grid>=2"]\nother = ["grid<2"]')
    (place.repo / "pyproject.toml").write_text(text, encoding="utf-8")
    before = untouched(place)
    said = place.migrate(place.recipe("- spots"), "--yes", code=3)
    assert "the repository does not lock even without the new group" in said
    assert "we can conclude that lab:count and lab:other are incompatible" in said
    assert untouched(place) == before


def test_a_contradiction_with_another_group_becomes_a_declared_pair(place: Place) -> None:
    place.migrate(place.recipe("- grid<2"), "--yes")
    assert tomllib.loads(place.pyproject)["tool"]["uv"]["conflicts"] == [[{"group": "cells"}, {"group": "count"}]]
    assert place.installs("cells") == {"grid==1.0"}
    assert place.installs("count") == {"grid==2.1"}


def test_a_group_that_would_get_other_versions_is_kept_apart_too(place: Place) -> None:
    make_wheel(place.repo / "wheels", "dots", "1.0", ["grid==2.0"])
    said = place.migrate(place.recipe("- dots"), "--yes")
    assert "count, which would have got other versions" in said
    assert place.installs("count") == {"grid==2.1"}
    assert place.installs("cells") == {"dots==1.0", "grid==2.0"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("- spots\n- no-such-tool", "UV_OFFLINE"),
        ("- spots=9", "no version ==9.* of spots"),
        ("- spots\n- grid<1", "no version <1 of grid"),
    ],
)
def test_what_does_not_lock_leaves_both_files_and_says_why(place: Place, lines: str, reason: str) -> None:
    before = untouched(place)
    said = place.migrate(place.recipe(lines), "--yes", code=3)
    assert reason in said
    assert "as they were" in said
    assert "uv: " in said
    assert untouched(place) == before


def test_a_contradiction_with_the_project_itself_is_told_as_that(place: Place) -> None:
    text = PYPROJECT.replace(
        'requires-python = ">=3.11"  #', 'dependencies = ["grid>=2"]\nrequires-python = ">=3.11"  #'
    )
    (place.repo / "pyproject.toml").write_text(text, encoding="utf-8")
    place.uv("lock")
    before = untouched(place)
    assert "dependencies of [project] itself" in place.migrate(place.recipe("- grid<2"), "--yes", code=3)
    assert untouched(place) == before


def test_a_python_that_the_project_excludes_is_refused_and_another_can_be_asked_for(place: Place) -> None:
    recipe = place.recipe("- python=3.10\n- spots")
    before = untouched(place)
    assert "--python 3.11" in place.migrate(recipe, "--yes", code=2)
    assert untouched(place) == before
    place.migrate(recipe, "--yes", "--python", "3.11")
    assert tomllib.loads(place.pyproject)["tool"]["uv"]["dependency-groups"]["cells"] == {"requires-python": "==3.11.*"}


def test_an_index_that_cannot_be_reached_is_explained_and_nothing_changes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = '[[tool.uv.index]]\nname = "ours"\nurl = "wheels"\nformat = "flat"\ndefault = true\n'
    (place.repo / "pyproject.toml").write_text(
        PYPROJECT.replace('find-links = ["wheels"]\n', "") + index, encoding="utf-8"
    )
    place.uv("lock")
    before = untouched(place)
    nobody = {"UV_OFFLINE": "0", "UV_HTTP_RETRIES": "0", "HTTPS_PROXY": "http://127.0.0.1:9"}
    monkeypatch.setattr(Place, "environ", lambda self, make=Place.environ: {**make(self), **nobody})
    said = place.migrate(place.recipe("- pytorch\n- pytorch-cuda=12.4"), "--yes", code=3)
    assert "the server cannot be reached: https://download.pytorch.org/whl/cu124" in said
    assert "as they were" in said
    assert untouched(place) == before


def test_without_a_network_it_is_said_that_only_the_cache_was_looked_at(place: Place) -> None:
    assert "No network is used" in place.migrate(place.recipe("- pytorch\n- pytorch-cuda=12.4"), "--yes", code=3)


def test_pins_are_what_is_installed_and_differences_are_told(place: Place) -> None:
    prefix = make_installed(
        place.root / "envs" / "cells",
        [
            {"name": "python", "version": "3.12.4"},
            {"name": "spots", "version": "1.4", "dists": {"spots": "1.4"}},
            {"name": "py-opencv", "version": "4.10.0", "dists": {"opencv-python": "4.10.0"}},
            {"name": "opencv", "version": "4.10.0", "depends": ["py-opencv"]},
            {"name": "grid", "version": "2.0", "dists": {"grid": "2.0"}},
            {"name": "only-conda", "version": "7", "dists": {"only-conda": "7"}},
        ],
    )
    recipe = place.recipe("- spots\n- opencv")
    assert "another version than installed: grid 2.0 -> 2.1" in place.migrate(recipe, "--dry-run", "--prefix", prefix)
    said = place.migrate(recipe, "--yes", "--prefix", prefix, "--pin")
    assert "PyPI has no 4.10.0" in said
    assert "only-conda 7" in said
    assert ": not pinned" in said
    data = tomllib.loads(place.pyproject)
    assert data["dependency-groups"]["cells"] == [
        "spots==1.4", "opencv-python==4.10.0.*", "grid==2.0 ; sys_platform == 'linux'",
    ]  # fmt: skip
    assert data["tool"]["uv"]["dependency-groups"]["cells"] == {"requires-python": "==3.12.*"}
    assert "grid==2.0" in place.installs("cells")


def test_a_package_that_only_the_extra_index_has_comes_from_there(place: Place) -> None:
    make_wheel(place.repo / "more wheels", "rare-tool", "3.0")
    recipe = place.recipe("- spots\n- pip:\n  - --find-links ../more wheels\n  - rare-tool")
    place.migrate(recipe, "--yes")
    uv = tomllib.loads(place.pyproject)["tool"]["uv"]
    (index,) = uv["index"]
    assert (index["url"], index["format"], index["explicit"]) == ("more wheels", "flat", True)
    assert uv["sources"] == {"rare-tool": {"index": index["name"], "group": "cells"}}
    assert "rare-tool==3.0" in place.installs("cells")


def test_json_has_a_record_for_every_line_and_one_for_the_whole(place: Place) -> None:
    records = place.records(place.recipe("- spots\n- ffmpeg\n- nb_conda\n- opencv\n- pip"), "--dry-run", code=3)
    lines = [record for record in records if record["event"] == "line"]
    assert [line["status"] for line in lines] == ["guessed", "needs a system package", "lost", "renamed", "not needed"]
    assert records[-1]["event"] == "migration"
    assert records[-1]["locked"] is False
    assert "imageio-ffmpeg" in str(records[-1]["reason"])


def test_the_report_is_kept_also_when_it_does_not_lock(place: Place) -> None:
    target = place.root / "kept report.md"
    place.migrate(place.recipe("- no-such-tool\n- ffmpeg"), "--yes", "--report", target, code=3)
    text = target.read_text(encoding="utf-8")
    assert "It does not lock" in text
    assert "- [ ] `ffmpeg`: needs a system package" in text
    assert "| 3 | `no-such-tool` | guessed |" in text


def test_a_group_is_written_anew_only_when_asked(place: Place) -> None:
    recipe = place.recipe("- grid<2")
    place.migrate(recipe, "--yes")
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("grid<2", "spots"), encoding="utf-8")
    assert "already has a group cells" in place.migrate(recipe, "--yes", code=2)
    place.migrate(recipe, "--yes", "--replace")
    data = tomllib.loads(place.pyproject)
    assert data["dependency-groups"]["cells"] == ["spots"]
    assert data["tool"]["uv"]["conflicts"] == []


def test_a_missing_recipe_and_a_missing_prefix_are_said_in_plain_words(place: Place) -> None:
    assert "cannot be read" in place.migrate(place.repo / "gone.yml", code=2)
    assert "no conda environment" in place.migrate(place.recipe("- grid"), "--prefix", "gone", code=2)
    assert "--prefix" in place.migrate(place.recipe("- grid"), "--pin", code=2)
    assert "which recipe" in place.migrate(code=2)


def test_a_lock_that_fails_in_the_repository_itself_is_taken_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.environments import Site
    from runner.errors import EnvironmentMissing
    from runner.host import Host
    from runner.migrate.facts import read_facts
    from runner.migrate.locking import workbench
    from runner.migrate.plan import Wishes
    from runner.migrate.planning import make_plan
    from runner.migrate.recipe import read_recipe
    from runner.migrate.search import Search
    from runner.migrate.write import write
    from runner.process.capture import capture

    host = Host("linux", place.environ(), place.repo, lambda name: None, capture)
    site = Site(host, place.repo, {}, place.repo / ".venvs")
    facts = read_facts(place.repo)
    plan = make_plan(read_recipe(place.recipe("- spots")), facts, Wishes())
    with workbench(site, place.repo) as bench:
        found = Search(bench, facts, lambda text: None).find(plan)
    before = untouched(place)
    for wheel in (place.repo / "wheels").glob("spots*"):
        wheel.unlink()  # between the trial and the writing
    with pytest.raises(EnvironmentMissing, match="does not lock"):
        write(found, facts, site)
    assert untouched(place) == before


def test_two_hundred_lines_are_planned_at_once(place: Place) -> None:
    names = "\n".join(f"- tool-{number}" for number in range(200))
    records = place.records(place.recipe(names), "--dry-run", code=3)
    assert sum(record["event"] == "line" for record in records) == 200
    assert json.dumps(records)


def test_what_is_to_be_known_of_a_plan_is_said_also_where_it_does_not_lock(place: Place) -> None:
    remark = "cuda-version says CUDA 12.2, for which PyTorch has no index: cu121"
    said = place.migrate(place.recipe("- pytorch\n- no-such-package-here\n- cuda-version=12.2"), "--dry-run", code=3)
    assert remark in said
    assert "https://download.pytorch.org/whl/cu121" in said
    assert remark in place.migrate(place.recipe("- python=2.7\n- pytorch\n- cuda-version=12.2"), "--dry-run", code=2)
