"""The examples over many files: the images that are made for them, and the pipelines as a lab runs them."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from tests.programs.conftest import REPO, UV_HOME, child_environment

PIPELINES = REPO / "pipeline_configs"


@pytest.fixture
def lab(shared, tmp_path):
    """Runs a pipeline from a folder of its own; gives what is said, and the items that were run for each segment."""
    environ = child_environment(shared) | UV_HOME | {"RUN_PIPELINE_ENVS": str(shared / "of the runner")}

    def run(path, *options: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "runner", str(path), *options]
        done = subprocess.run(command, env=environ, cwd=REPO, capture_output=True, encoding="utf-8", timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        assert "warning" not in done.stdout + done.stderr
        return done.stdout

    return run


def items_run(path) -> int:
    """How many items the last run started, in all segments."""
    last = sorted((path.parent / ".run-pipeline" / path.name).glob("0*"))[-1]
    return (last / "events.jsonl").read_text(encoding="utf-8").count('"item-start"')


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


def test_the_threshold_example_runs_without_a_remark_then_has_nothing_to_do_then_runs_one_new_image(lab, tmp_path):
    folder = tmp_path / "pipeline földer"
    folder.mkdir()
    pipeline = folder / "many files.yaml"
    text = (PIPELINES / "segment_threshold_many.yaml").read_text(encoding="utf-8")
    pipeline.write_text(text.replace("--N: 200", "--N: 6").replace("batch: 20", "batch: 3"), encoding="utf-8")
    lab(pipeline)
    assert items_run(pipeline) == 6
    out = folder / "output_segment_threshold_many"
    assert len(list((out / "2_labels").glob("*_labels.tif"))) == 6
    tables = list((out / "3_objects").glob("*_objects.csv"))
    assert len(tables) == 6
    assert all(len(path.read_text(encoding="utf-8").splitlines()) > 1 for path in tables)

    assert "Nothing to run" in lab(pipeline)

    shutil.copy(out / "1_images" / "cells_001.ome.tif", out / "1_images" / "new ä.ome.tif")
    (out / "1_images" / "torn.ome.tif").write_bytes(b"II*\0")
    said = lab(pipeline, code=1)
    assert items_run(pipeline) == 2
    assert "torn.ome.tif" in said
    assert (out / "2_labels" / "new ä_labels.tif").is_file()


def test_the_script_that_plots_sine_runs_once_for_each_item_and_once_more_for_a_figure_that_was_removed(lab, tmp_path):
    pipeline = tmp_path / "plot_sine.yaml"
    for name in ("plot_sine.py", "plot_sine.py.lock"):
        shutil.copy(PIPELINES / name, tmp_path)
    text = (PIPELINES / pipeline.name).read_text(encoding="utf-8")
    pipeline.write_text(text.replace("range: 10", "range: 3"), encoding="utf-8")
    lab(pipeline)
    figures = sorted((tmp_path / "output_plot_sine").iterdir())
    assert [path.name for path in figures] == ["sine_1.png", "sine_2.png", "sine_3.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)
    figures[1].unlink()
    lab(pipeline)
    assert items_run(pipeline) == 1
    assert figures[1].is_file()


def test_the_lock_of_the_script_has_its_packages_and_names_the_public_index_alone():
    lock = (PIPELINES / "plot_sine.py.lock").read_text(encoding="utf-8")
    assert set(re.findall(r"https://[^/\"]+", lock)) == {"https://pypi.org", "https://files.pythonhosted.org"}
    block = re.search(r"# /// script\n(.*?)# ///", (PIPELINES / "plot_sine.py").read_text(encoding="utf-8"), re.S)
    asked = tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.M))["dependencies"]
    assert [f"{one['name']}{one['specifier']}" for one in tomllib.loads(lock)["manifest"]["requirements"]] == asked
