"""The examples over many files: the images that are made for them, and their commands for one item."""

import re
import subprocess
import tomllib

import pytest
import yaml
from uv import find_uv_bin

from tests.programs.conftest import REPO, UV_HOME, child_environment

PIPELINES = REPO / "pipeline_configs"


def segments(name: str) -> list[dict]:
    return yaml.safe_load((PIPELINES / name).read_text(encoding="utf-8"))["run"]


def words(segment: dict, folder, tokens: dict[str, str]) -> list[str]:
    """The command line with the values of the tokens, without `python`."""
    given = []
    for entry in segment["commands"][1:]:
        given += [entry] if isinstance(entry, str) else [str(word) for pair in entry.items() for word in pair]
    for token, value in {"%YAML%": str(folder), "%REPO%": str(REPO), **tokens}.items():
        given = [word.replace(token, value) for word in given]
    return given


@pytest.fixture
def made(programs):
    """What generate_cells.py says, and the images that are there then."""

    def run(*more: object) -> tuple[str, dict[str, bytes]]:
        done = programs.run("generate_cells", "--output-folder", "1", *more, group="segment_threshold")
        return done.stdout, {path.name: path.read_bytes() for path in (programs.folder / "1").glob("*")}

    return run


def test_equal_arguments_give_equal_images_and_other_seeds_others(made, programs):
    _, first = made("--N", 3, "--size", 64)
    assert sorted(first) == ["cells_001.ome.tif", "cells_002.ome.tif", "cells_003.ome.tif"]
    assert len(set(first.values())) == 3
    for path in (programs.folder / "1").glob("*"):
        path.unlink()
    assert made("--N", 3, "--size", 64)[1] == first
    for path in (programs.folder / "1").glob("*"):
        path.unlink()
    assert not set(made("--N", 3, "--size", 64, "--seed", 2)[1].values()) & set(first.values())


def test_images_that_are_there_stay_and_only_missing_ones_are_made(made, programs):
    made("--N", 2, "--size", 32)
    own = programs.folder / "1" / "cells_001.ome.tif"
    own.write_bytes(b"of the lab")
    said, found = made("--N", 3, "--size", 32)
    assert said.startswith("1 of 3 images made")
    assert found["cells_001.ome.tif"] == b"of the lab"
    assert made("--N", 9, "--dry-run")[0].startswith("6 of 9 images would be made")
    assert len(list((programs.folder / "1").glob("*"))) == 3


def test_each_item_of_the_threshold_example_writes_the_output_that_it_declares(programs, tmp_path):
    make, segment, measure = segments("segment_threshold_many.yaml")
    folder = tmp_path / "pipeline földer"
    programs.run("generate_cells", *words(make, folder, {})[1:], "--N", 3, group="segment_threshold")
    images = sorted(folder.glob(make["outputs"].removeprefix("%YAML%/")))
    assert images == sorted(folder.glob(segment["foreach"].removeprefix("%YAML%/")))
    assert len(images) == 3
    for path in images:
        programs.run("segment_threshold", *words(segment, folder, {"%ITEM%": str(path)})[1:])
        stem = path.name.removesuffix(".ome.tif")
        assert (folder / segment["outputs"].removeprefix("%YAML%/").replace("%STEM%", stem)).stat().st_size
    programs.run("mask_measure", *words(measure, folder, {})[1:])
    tables = list(folder.glob(measure["outputs"].removeprefix("%YAML%/")))
    assert len(tables) == 3
    assert all(len(path.read_text(encoding="utf-8").splitlines()) > 3 for path in tables)


def test_the_script_that_plots_sine_runs_from_its_lock_and_writes_the_figure_that_is_declared(shared, tmp_path):
    (segment,) = segments("plot_sine.yaml")
    script, *arguments = words(segment, tmp_path, {"%INDEX%": "3"})
    script = script.replace(str(tmp_path), str(PIPELINES))
    command = [find_uv_bin(), "run", "-q", "--locked", "--script", script, *arguments]
    subprocess.run(command, env=child_environment(shared) | UV_HOME, cwd=tmp_path, check=True)
    figure = tmp_path / segment["outputs"].removeprefix("%YAML%/").replace("%INDEX%", "3")
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_the_lock_of_the_script_has_its_packages_and_names_the_public_index_alone():
    lock = (PIPELINES / "plot_sine.py.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https://[^/\"]+", lock)) == {"https://pypi.org", "https://files.pythonhosted.org"}
    block = re.search(r"# /// script\n(.*?)# ///", (PIPELINES / "plot_sine.py").read_text(encoding="utf-8"), re.S)
    asked = tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.M))["dependencies"]
    assert [f"{one['name']}{one['specifier']}" for one in tomllib.loads(lock)["manifest"]["requirements"]] == asked
