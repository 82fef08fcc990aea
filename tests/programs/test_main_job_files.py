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


@pytest.mark.parametrize("pipeline", ["segment_threshold.yaml", "segment_threshold_conda.yaml", "rois_for_imagej.yaml"])
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
    if output.suffix == ".png":
        assert f"Picture: {output}" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("pipeline", "files"),
    [("microscope_files.yaml", ["day 1/a.nd2"]), ("merge_channels.yaml", ["a_dapi.tif", "a_gfp.tif"])],
)
def test_the_pipelines_for_own_images_name_groups_and_arguments_that_are_there(programs, tmp_path, pipeline, files):
    for name in files:
        path = tmp_path / "my_images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for segment in segments(pipeline):
        assert segment["environment"].removeprefix("uv:") in GROUPS
        script, *words = arguments(segment, tmp_path)
        done = programs.run(Path(script).stem, *words, "--dry-run", group="convert_to_tif")
        (output,) = segment["outputs"]
        assert Path(output).name.removeprefix("*") in done.stdout.splitlines()[0]


def test_every_group_of_a_segment_has_a_conda_recipe_with_its_packages():
    """Not of those that work for the runner itself; PyTorch for macOS is in no recipe, for conda there is for CUDA."""
    recipes = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (REPO / "conda_envs").glob("*.yml")]
    packages = [{line for part in recipe["dependencies"] for line in lines(part)} for recipe in recipes]
    for name in GROUPS.keys() - {"dev", "compare", "bundle"}:
        wanted = {line.split(" ;")[0] for line in GROUPS[name] if "== 'darwin'" not in line}
        assert any(wanted <= found for found in packages), name


def lines(part):
    """An entry of `dependencies`: a package, or pip's list."""
    return [part] if isinstance(part, str) else part["pip"]


@pytest.mark.parametrize("name", ["bioio", "bioio_czi", "bioio_bioformats"])
def test_each_recipe_for_microscope_files_has_the_packages_of_its_group(name):
    recipe = yaml.safe_load((REPO / "conda_envs" / f"{name}.yml").read_text(encoding="utf-8"))
    assert recipe["name"] == name
    *from_conda, from_pip = recipe["dependencies"]
    java = {"maven", "openjdk"} if name == "bioio_bioformats" else set()
    named = {line for line in from_conda if not re.match(r"(python|pip)\b", line)}
    assert named | set(from_pip["pip"]) == set(GROUPS[name]) | java


def test_only_the_group_for_czi_has_packages_under_the_gpl():
    assert [name for name, lines in GROUPS.items() if any("czi" in str(line) for line in lines)] == ["bioio_czi"]
