"""Segments over many items, met by the commands that run nothing, and by what a run takes from the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lab import Lab, segment

COPY = "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path).make()
    lab.script("copy.py", COPY)
    for folder in ("raw/p 1", "raw/p 2"):
        (lab.data / folder).mkdir(parents=True)
        (lab.data / folder / "a.txt").write_text(folder)
    return lab


def test_an_item_may_say_in_which_folder_its_command_works(lab: Lab) -> None:
    keys = {"foreach": "%YAML%/raw/**/*.txt", "cwd": "%PARENT%", "outputs": ["%STEM%.out"]}
    path = lab.pipeline([segment("copy", "python", "%REPO%/scripts/copy.py", "%NAME%", "%STEM%.out", **keys)])
    lab.run(path)
    assert [(lab.data / f"raw/{folder}/a.out").read_text() for folder in ("p 1", "p 2")] == ["raw/p 1", "raw/p 2"]
    assert "all done" in lab.run(path).stdout
    (lab.data / "raw/p 2/a.out").unlink()
    assert "1 outputs gone" in lab.run("status", path).stdout


def test_check_tells_that_there_is_nothing_to_go_over_and_a_column_that_no_table_has(lab: Lab) -> None:
    (lab.data / "wells.csv").write_text("id,well\n1,A1\n2,A1\n", encoding="utf-8")
    copy = ("python", "%REPO%/scripts/copy.py", "%ITEM%")
    for keys, says in (
        ({"foreach": "%YAML%/rwa/**/*.txt"}, "nothing matches"),
        ({"foreach": {"csv": "%YAML%/well.csv"}}, "there is no file"),
        ({"foreach": {"csv": "%YAML%/wells.csv"}, "env": {"A": "%COL:wel%"}}, "there is no column `wel`"),
        ({"foreach": {"csv": "%YAML%/wells.csv"}, "outputs": ["%YAML%/%COL:well%.tif"]}, "have the same output"),
    ):
        path = lab.pipeline([segment("copy", *copy, **keys)])
        told = lab.run("check", path, check=2)
        assert says in told.stdout + told.stderr, told.stdout + told.stderr
        assert told.stdout.count("error:") + told.stderr.count("error:") == 1, told.stdout + told.stderr
    path = lab.pipeline([segment("copy", *copy, foreach="%YAML%/raw/**/*.txt", outputs=["%YAML%/%NAME%"])])
    assert "have the same output" in lab.run(path, "--dry-run").stdout
    path = lab.pipeline(
        [
            segment("copy", *copy, foreach="%YAML%/raw/**/*.txt", outputs=["%YAML%/out/%RELATIVE%"]),
            segment("again", *copy, foreach="%YAML%/out/**/*.txt"),
        ]
    )
    assert "could run as it is" in lab.run("check", path).stdout
