"""The `_uv` twin of a pipeline, and the end of the conda variants."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.migrate.pipelines import pipeline_files, plan_twins, write_twins
from runner.migrate.retire import plan_retirement
from runner.pipeline.reader import read_pipeline
from tests.migrate.places import Place

PIPELINE = """\
# what it is for
run:
- name: Segment   # the hard part
  environment: cells   # conda
  commands: [python, a.py, cells]
- name: Stop here
  type: pause
  message: look
- name: Measure
  environment: 'conda:Cells'
  commands: [python, b.py]
- name: Other
  environment: other env
  commands: [python, c.py]
- name: Folder
  environment: "D:/envs/cells"
  commands: [python, d.py]
"""


def write(folder: Path, text: str = PIPELINE, name: str = "a b.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text.encode("utf-8"))
    return path


def test_only_the_environments_change_and_comments_stay(tmp_path: Path) -> None:
    path = write(tmp_path)
    (twin,) = plan_twins([path], ["cells"], "new_cells")
    (target,) = write_twins([twin])
    assert (target.name, twin.segments) == ("a b_uv.yaml", (1, 3, 5))
    changes = [
        line for line in difflib.ndiff(PIPELINE.splitlines(), target.read_text().splitlines()) if line[:2] == "+ "
    ]
    assert changes == [
        "+   environment: uv:new_cells   # conda",
        "+   environment: 'uv:new_cells'",
        '+   environment: "uv:new_cells"',
    ]
    assert [one.environment for one in read_pipeline(target).segments] == [
        "uv:new_cells", "", "uv:new_cells", "other env", "uv:new_cells",
    ]  # fmt: skip
    assert "other env" in twin.note


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_line_ends_and_umlauts_stay(tmp_path: Path, ends: str) -> None:
    text = PIPELINE.replace("the hard part", "schwierig: für Größe").replace("\n", ends)
    (target,) = write_twins(plan_twins([write(tmp_path, text)], ["cells"], "g"))
    assert target.read_bytes().decode().count(ends) == text.count(ends)
    assert "schwierig: für Größe" in target.read_text(encoding="utf-8")


def test_an_anchor_that_names_the_environment_is_changed_once_for_all(tmp_path: Path) -> None:
    text = "run:\n- name: a\n  environment: &e cells\n  commands: [x]\n- name: b\n  environment: *e\n  commands: [x]\n"
    (target,) = write_twins(plan_twins([write(tmp_path, text)], ["cells"], "g"))
    assert [one.environment for one in read_pipeline(target).segments] == ["uv:g", "uv:g"]


def test_a_twin_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = write(tmp_path)
    theirs = write(tmp_path, "run: []\n", "a b_uv.yaml")
    (twin,) = plan_twins([path], ["cells"], "g")
    assert "differs" in twin.note
    assert write_twins([twin]) == []
    assert theirs.read_text() == "run: []\n"


def test_a_conda_variant_has_its_twin_without_that_word(tmp_path: Path) -> None:
    (twin,) = plan_twins([write(tmp_path, name="x_conda.yml")], ["cells"], "g")
    assert twin.target.name == "x_uv.yml"


def test_a_pipeline_that_does_not_use_the_environment_has_no_twin(tmp_path: Path) -> None:
    assert plan_twins([write(tmp_path)], ["something"], "g") == []


def test_folders_and_patterns_are_searched_for_pipelines(tmp_path: Path) -> None:
    for name in ("a.yaml", "sub/b.yml", ".hidden/c.yaml"):
        write(tmp_path / "p" / Path(name).parent, name=Path(name).name)
    write(tmp_path / "p", "segments: []\n", "a_status.yaml")
    assert [path.name for path in pipeline_files([str(tmp_path / "p")], tmp_path)] == ["a.yaml", "b.yml"]
    assert [path.name for path in pipeline_files(["p/*.yaml"], tmp_path)] == ["a.yaml"]
    with pytest.raises(UsageError, match="no pipeline file"):
        pipeline_files(["gone"], tmp_path)


def test_migrating_writes_the_twins_and_can_do_so_later(place: Place) -> None:
    path = write(place.repo / "pipeline_configs", name="job.yaml")
    recipe = place.recipe("- grid")
    place.migrate(recipe, "--yes", "--pipelines", place.repo / "pipeline_configs")
    twin = path.with_name("job_uv.yaml")
    assert "uv:cells" in twin.read_text()
    twin.unlink()
    before = place.pyproject
    said = place.migrate(recipe, "--yes", "--pipelines", path)
    assert "there already" in said
    assert twin.is_file()
    assert place.pyproject == before
    records = place.records(recipe, "--dry-run", "--pipelines", path)
    assert [one["note"] for one in records if one["event"] == "pipeline"] == ["is there already, and is the same"]


def test_another_name_by_which_pipelines_call_the_environment_can_be_given(place: Place) -> None:
    write(place.repo / "pipeline_configs", PIPELINE.replace("cells", "cells-gpu"), "job.yaml")
    place.migrate(
        place.recipe("- grid"), "--yes", "--pipelines", place.repo / "pipeline_configs", "--environment", "cells-gpu"
    )
    assert (place.repo / "pipeline_configs" / "job_uv.yaml").is_file()


def sign(repo: Path, a: Path, b: Path) -> Path:
    """As `compare --sign-off` leaves it."""
    from runner.compare.sign_off import path_for

    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    entry = {"signed_by": "Ada", "reason": "same cells", "when": "2025-01-01", "verdict": "same"}
    entry["hashes"] = {path.relative_to(repo).as_posix(): digest(path) for path in (a, b)}  # type: ignore[assignment]
    target = path_for(a, b, repo)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(entry), encoding="utf-8")
    return target


def test_nothing_is_retired_without_a_twin_and_a_sign_off(place: Place) -> None:
    place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", name="job.yaml")
    assert "has no twin job_uv.yaml" in place.migrate("--retire", "cells", "--yes", code=2)
    (target,) = write_twins(plan_twins([path], ["cells"], "g"))
    said = place.migrate("--retire", "cells", "--yes", code=2)
    assert "nobody has signed" in said
    assert f'compare "{path}" "{target}" --sign-off' in " ".join(said.split())
    sign(place.repo, path, target)
    path.write_text(PIPELINE + "# edited since\n", encoding="utf-8")
    assert "nobody has signed" in place.migrate("--retire", "cells", "--yes", code=2)
    assert path.is_file()


def test_with_both_the_recipe_and_the_conda_variants_go_and_the_twin_stays(place: Place) -> None:
    recipe = place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", name="job.yaml")
    (target,) = write_twins(plan_twins([path], ["cells"], "g"))
    sign(place.repo, path, target)
    status = write(place.repo / "pipeline_configs", "segments: []\n", "job_status.yaml")
    other = place.recipe("- grid", name="other")
    assert "Ada: same cells" in place.migrate("--retire", "cells", "--dry-run")
    assert recipe.is_file()
    assert "--yes" in place.migrate("--retire", "cells", code=2)
    said = place.migrate("--retire", "cells", "--yes")
    assert "conda env remove --name cells" in said
    assert not any(one.exists() for one in (recipe, path, status))
    assert target.is_file()
    assert other.is_file()


def test_a_twin_that_still_names_conda_holds_everything_back(place: Place) -> None:
    place.recipe("- grid")
    path = write(place.repo / "pipeline_configs", name="job.yaml")
    write(path.parent, PIPELINE, "job_uv.yaml")
    found = plan_retirement("cells", place.repo, [], place.repo)
    assert any("still names the conda environment" in text for text in found.obstacles)
    assert "still names" in place.migrate("--retire", "cells", "--yes", code=2)
    assert path.is_file()


def test_a_name_that_no_recipe_has_is_said_with_those_that_there_are(place: Place) -> None:
    place.recipe("- grid")
    assert "There are: cells." in place.migrate("--retire", "gone", code=2)


MANY = """\
run:
- name: Segment
  environment: cells   # conda
  foreach: "%YAML%/raw/**/*.nd2"
  matrix: {sigma: [1, 2]}
  batch: 20
  needs: []
  resources: {cpus: 2, memory: 4 GB}
  max-failures: 5%
  identity: content
  commands: [python, a.py, '%ITEMS%', '%COL:sigma%']
  outputs: ['%YAML%/out/%MATRIX%/%STEM%.tif']
- name: Measure
  environment: cells
  foreach: {csv: plates.csv}
  needs: [Segment]
  inputs: ['%YAML%/out/**/*.tif']
  commands: [python, b.py, '%COL:well%']
"""


def test_a_twin_keeps_the_keys_of_segments_over_many_files(tmp_path: Path) -> None:
    path = write(tmp_path, MANY)
    (written,) = write_twins(plan_twins([path], ["cells"], "cells"))
    assert written.read_text(encoding="utf-8") == MANY.replace("environment: cells", "environment: uv:cells")
