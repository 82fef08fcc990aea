"""`run-pipeline new`: a pipeline file for a folder of images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from runner.pipeline.new_file import READERS, TASKS
from tests.docs.pages import REPO
from tests.programs.conftest import UV_HOME
from tests.support.lab import Lab

CELL = REPO / "pipeline_configs/example_data/cell.png"


@pytest.fixture
def folder(lab: Lab) -> Path:
    """Images of one kind, in a folder whose name is hard."""
    made = lab.data / "däy [1] it's"
    (made / "below").mkdir(parents=True)
    shutil.copy(CELL, made / "below" / "cell.png")
    return made


def make(lab: Lab, *args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    return lab.run("new", *args, "--repo", REPO, check=code)


@pytest.mark.parametrize("task", TASKS)
def test_the_file_that_it_writes_passes_check_and_has_outputs_schema_and_comments(
    lab: Lab, folder: Path, task: str
) -> None:
    done = make(lab, folder, "--task", task)
    file = folder.with_name(f"{folder.name}_{task}.yaml")
    assert f"Written: {file}" in done.stdout
    text = file.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = unquote(first.partition("=")[2].removeprefix("file://"))
    assert (file.parent / schema).resolve() == REPO / "runner/schema/pipeline.schema.json"
    assert all(segment["outputs"] for segment in yaml.safe_load(text)["run"])
    assert "could run as it is" in lab.run("check", file, "--repo", REPO).stdout


def test_a_threshold_pipeline_runs_on_the_example_image_and_makes_every_output(lab: Lab, folder: Path) -> None:
    if "HOME" not in UV_HOME and "UV_CACHE_DIR" not in UV_HOME:
        pytest.skip("no uv cache to take packages from")
    make(lab, folder, "--task", "threshold")
    file = folder.with_name(f"{folder.name}_threshold.yaml")
    environ = {**lab.environ(RUN_PIPELINE_ENVS=str(lab.root / "envs")), **UV_HOME}
    if "UV_CACHE_DIR" not in UV_HOME:
        environ.pop("UV_CACHE_DIR")
    done = subprocess.run(
        [*lab.argv(file), "--repo", str(REPO)],
        env=environ, cwd=lab.root, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    results = folder.with_name(f"{folder.name}_threshold")
    made = sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    assert made == [
        "labels/below/cell_labels.tif", "objects/below/cell_objects.csv",
        "outlines/below/cell_outlines.png", "tif/below/cell.ome.tif",
    ]  # fmt: skip


def test_no_file_is_written_over(lab: Lab, folder: Path) -> None:
    taken = folder.with_name(f"{folder.name}_er.yaml")
    taken.write_text("mine", encoding="utf-8")
    done = make(lab, folder, "--task", "er", code=2)
    assert "already; nothing was written" in done.stderr
    assert taken.read_text(encoding="utf-8") == "mine"
    (lab.data / "link.yaml").symlink_to(lab.data / "nowhere.yaml")
    make(lab, folder, "--task", "er", "--output", lab.data / "link.yaml", code=2)
    assert not (lab.data / "nowhere.yaml").exists()


@pytest.mark.parametrize("where", ["inside", "elsewhere/deep/er", "."])
def test_the_file_may_lie_anywhere_and_still_finds_its_images(lab: Lab, folder: Path, where: str) -> None:
    place = {"inside": folder / "my.yaml", ".": lab.root / "my.yml"}.get(where, lab.root / where / "my.yaml")
    place.parent.mkdir(parents=True, exist_ok=True)
    make(lab, folder, "--task", "rois", "--output", place)
    assert "could run as it is" in lab.run("check", place, "--repo", REPO).stdout
    assert "cell.png" not in place.read_text(encoding="utf-8")


def test_the_environment_may_be_another_one_in_every_segment(lab: Lab, folder: Path) -> None:
    make(lab, folder, "--task", "threshold", "--environment", "conda:my-env", "--output", lab.data / "a.yaml")
    segments = yaml.safe_load((lab.data / "a.yaml").read_text(encoding="utf-8"))["run"]
    assert {segment["environment"] for segment in segments} == {"conda:my-env"}
    make(lab, folder, "--task", "er", "--environment", "D:/it's: #1", "--output", lab.data / "b.yaml")
    segments = yaml.safe_load((lab.data / "b.yaml").read_text(encoding="utf-8"))["run"]
    assert {segment["environment"] for segment in segments} == {"D:/it's: #1"}


@pytest.mark.parametrize("ending", READERS)
def test_files_of_every_kind_are_converted_in_the_environment_that_reads_them(lab: Lab, ending: str) -> None:
    folder = lab.data / "images"
    folder.mkdir()
    for name in (f"a{ending}", f"b{ending.upper()}", ".hidden.png", ".other.png", ".third.png"):
        (folder / name).touch()
    assert f"2 {ending} files" in make(lab, folder, "--task", "convert").stdout
    file = lab.data / "images_convert.yaml"
    environment = yaml.safe_load(file.read_text(encoding="utf-8"))["run"][0]["environment"]
    assert environment == f"uv:{READERS[ending]}"
    assert "could run as it is" in lab.run("check", file, "--repo", REPO).stdout


def test_the_commonest_kind_is_taken_and_the_others_are_told(lab: Lab, folder: Path) -> None:
    for name in ("a.tif", "b.tif", "notes.txt", "x.csv", "y.csv", "z.csv"):
        (folder / name).touch()
    done = make(lab, folder, "--task", "convert")
    assert "holds 2 .tif files" in done.stdout
    assert "1 .png" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no folder is given"),
        (["FOLDER"], "no task is given"),
        (["FOLDER", "--task", "treshold"], "Did you mean threshold?"),
        (["FOLDER", "--task", "x"], "There are: threshold, er"),
        (["nowhere", "--task", "er"], "there is no folder"),
        (["FOLDER/below/cell.png", "--task", "er"], "is a file"),
        (["EMPTY", "--task", "er"], "holds no images that the programs here read: 1 .txt"),
        (["/", "--task", "er"], "is a whole drive"),
        (["FOLDER", "--task", "er", "--output", "FOLDER/a.txt"], "does not end in .yaml"),
        (["FOLDER", "--task", "er", "--output", "FOLDER/no/a.yaml"], "there is no folder"),
    ],
    ids=str,
)
def test_a_mistake_is_told_and_writes_nothing(lab: Lab, folder: Path, arguments: list[str], said: str) -> None:
    empty = lab.data / "empty"
    empty.mkdir()
    (empty / "a.txt").touch()
    before = sorted(lab.root.rglob("*"))
    words = [word.replace("FOLDER", str(folder)).replace("EMPTY", str(empty)) for word in arguments]
    assert said in make(lab, *words, code=2).stderr
    assert sorted(lab.root.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
def test_at_a_terminal_it_asks_for_what_is_not_given(lab: Lab, folder: Path) -> None:
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        lab.argv("new", "--repo", REPO),
        env=lab.environ(TERM="dumb"),
        cwd=lab.root,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    os.write(master, f"{folder}\nnothing\ner\n{lab.data / 'asked.yaml'}\n".encode())
    screen = b""
    try:
        while chunk := os.read(master, 65536):
            screen += chunk
    except OSError:  # Linux: the other side is closed
        pass
    os.close(master)
    assert process.wait(60) == 0, screen
    assert b"Folder of the images" in screen
    assert b"segment the endoplasmic reticulum" in screen
    assert b"'nothing' is not one of" in screen
    assert (lab.data / "asked.yaml").is_file()
