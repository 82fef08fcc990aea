"""What a record says was left running is ended only where all of it is sound."""

import json
from pathlib import Path

import pytest

from runner.records.reading import Child, read_child

SOUND = {"pid": 12, "started": 3.5, "marker": ""}


@pytest.mark.parametrize("strays", [5, "12", [7], [[7]], [["7", 1]], [[1, 2.0]], [[7, -1]], [[7, 1.0], None], {"7": 1}])
def test_a_note_of_strays_that_is_not_sound_ends_nothing(tmp_path: Path, strays: object) -> None:
    (tmp_path / "child.json").write_text(json.dumps({**SOUND, "strays": strays}))
    assert read_child(tmp_path / "child.json") is None


def test_a_note_without_strays_is_an_older_runners(tmp_path: Path) -> None:
    (tmp_path / "child.json").write_text(json.dumps(SOUND))
    assert read_child(tmp_path / "child.json") == Child(12, 3.5, "")
    (tmp_path / "child.json").write_text(json.dumps({**SOUND, "strays": [[7, 1.5]]}))
    assert read_child(tmp_path / "child.json") == Child(12, 3.5, "", ((7, 1.5),))
