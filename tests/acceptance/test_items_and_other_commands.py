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
