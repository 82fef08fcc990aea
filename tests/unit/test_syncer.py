"""Files are whole at once for every reader, and on the disk soon after."""

import threading
from pathlib import Path

import pytest

from runner.errors import StateError
from runner.ground.files import Syncer, write_atomic


def test_a_file_is_there_at_once_and_the_syncer_ends_when_asked(tmp_path: Path) -> None:
    syncer = Syncer()
    for number in range(50):
        write_atomic(tmp_path / "status.yaml", b"%d" % number, syncer=syncer)
        assert (tmp_path / "status.yaml").read_bytes() == b"%d" % number
    syncer.finish()
    assert [p.name for p in tmp_path.iterdir()] == ["status.yaml"]
    assert not any(thread.name == "sync files" for thread in threading.enumerate())


def test_a_file_that_is_gone_by_then_disturbs_nobody(tmp_path: Path) -> None:
    syncer = Syncer()
    syncer.later(tmp_path / "gone")
    syncer.finish()
    syncer.finish()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateError):
        write_atomic(tmp_path / "folder", b"x", syncer=Syncer())
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
