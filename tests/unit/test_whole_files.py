"""Writing whole or not at all, where Windows lets nobody replace a file that another program has open."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import StateError
from runner.ground import files


def refused(code: int) -> PermissionError:
    """What Windows' Python raises for a system error that means "no"."""
    error = PermissionError(13, "Permission denied")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


def test_a_file_that_is_held_for_a_moment_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [refused(5), refused(32)]
    replace = Path.replace

    def busy(self: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(self, target)

    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(Path, "replace", busy)
    files.write_atomic(tmp_path / "status", b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("status", b"new")]


def test_a_file_that_stays_open_elsewhere_is_not_called_a_folder_without_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: Path, target: Path) -> Path:
        raise refused(5)

    monkeypatch.setattr(files, "_WINDOWS", True)
    monkeypatch.setattr(files, "REPLACE_PATIENCE", 0.0)
    monkeypatch.setattr(Path, "replace", busy)
    (tmp_path / "status").write_bytes(b"old")
    with pytest.raises(StateError, match="another program has it open") as caught:
        files.write_atomic(tmp_path / "status", b"new")
    assert "Close it" in caught.value.cure
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("status", b"old")]


@pytest.mark.parametrize(
    ("code", "words"), [(32, "open"), (33, "open"), (5, "permission"), (1295, "full"), (39, "full")]
)
def test_what_windows_says_is_put_in_plain_words(code: int, words: str) -> None:
    assert words in files.state_error("read", Path("status"), refused(code)).message
