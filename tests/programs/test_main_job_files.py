"""The main job's files: both pipelines name programs, arguments, groups and packages that are there."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
PIPELINES = REPO / "pipeline_configs"
GROUPS = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
NAMES = ["convert_to_tif", "segment_threshold", "mask_measure", "draw_outlines"]


def segments(name):
    return yaml.safe_load((PIPELINES / name).read_text(encoding="utf-8"))["run"]


def arguments(segment, folder):
    """The command line after `python`, with the tokens filled in."""
    words = []
    for entry in segment["commands"][1:]:
        for word in [entry] if isinstance(entry, str) else next(iter(entry.items())):
            words.append(str(word).replace("%REPO%", str(REPO)).replace("%YAML%", str(folder)))
    return words


def test_the_uv_pipeline_runs_each_program_in_the_group_of_its_name():
    assert [segment["environment"] for segment in segments("segment_threshold.yaml")] == [
        f"uv:{name}" for name in NAMES
    ]
    assert set(NAMES) <= set(GROUPS)


def test_both_pipelines_do_the_same_in_folders_of_their_own():
    def neutral(name):
        text = str([(one["name"], one["commands"], one["outputs"]) for one in segments(name)])
        return text.replace("output_segment_threshold_conda", "output_segment_threshold")

    assert neutral("segment_threshold.yaml") == neutral("segment_threshold_conda.yaml")
    assert "output_segment_threshold_conda" in (PIPELINES / "segment_threshold_conda.yaml").read_text(encoding="utf-8")


def test_the_conda_recipe_has_the_packages_of_the_groups_and_the_name_that_the_pipeline_asks_for():
    recipe = yaml.safe_load((REPO / "conda_envs" / "segment_threshold.yml").read_text(encoding="utf-8"))
    assert {segment["environment"] for segment in segments("segment_threshold_conda.yaml")} == {recipe["name"]}
    packages = {package for name in NAMES for package in GROUPS[name]}
    assert packages == {package for package in recipe["dependencies"] if not re.match(r"python\b", package)}


def test_the_micrograph_is_the_one_that_its_readme_describes():
    readme = (PIPELINES / "example_data" / "README.md").read_text(encoding="utf-8")
    digest = hashlib.sha256((PIPELINES / "example_data" / "cell.png").read_bytes()).hexdigest()
    assert digest in readme
    assert "CC0" in readme


@pytest.mark.parametrize("pipeline", ["segment_threshold.yaml", "segment_threshold_conda.yaml"])
def test_the_commands_of_the_pipeline_give_every_output_that_it_declares(programs, tmp_path, pipeline):
    folder = tmp_path / "pipeline földer"
    (folder / "example_data").mkdir(parents=True)
    (folder / "example_data" / "cell.png").write_bytes((PIPELINES / "example_data" / "cell.png").read_bytes())
    for segment in segments(pipeline):
        script, *words = arguments(segment, folder)
        done = programs.run(Path(script).stem, *words)
        for pattern in segment["outputs"]:
            (output,) = folder.glob(pattern.removeprefix("%YAML%/"))
            assert output.stat().st_size > 0
    assert f"Picture: {output}" in done.stdout.splitlines()
