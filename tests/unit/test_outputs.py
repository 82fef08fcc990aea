"""Declared outputs decide about success."""

import glob
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from runner.state.outputs import listing, marks, matches, missing_output, settling


def test_every_pattern_must_match_and_nothing_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    assert missing_output(["*.csv"], str(tmp_path)) == ""
    assert missing_output(["*.csv", "*.tif"], str(tmp_path)) == "*.tif matches no file"
    (tmp_path / "b.csv").touch()
    assert missing_output(["*.csv"], str(tmp_path)) == f"{tmp_path / 'b.csv'} is empty"


def test_a_folder_counts_by_the_files_in_it(tmp_path: Path) -> None:
    store = tmp_path / "image.zarr"
    (store / "0").mkdir(parents=True)
    assert missing_output(["*.zarr"], str(tmp_path)) == f"{store} is empty"
    (store / "0" / "c0").write_bytes(b"1")
    assert missing_output(["*.zarr"], str(tmp_path)) == ""


def test_two_stars_reach_into_subfolders_and_names_may_have_blanks(tmp_path: Path) -> None:
    deep = tmp_path / "plate 1" / "wéll"
    deep.mkdir(parents=True)
    (deep / "x.tif").write_bytes(b"1")
    assert missing_output([str(tmp_path / "**" / "*.tif")], "/") == ""
    assert missing_output(["**/*.tif"], str(tmp_path)) == ""


def test_a_plain_name_needs_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("x")
    assert missing_output([str(tmp_path / "table.csv")], "/") == ""
    assert missing_output(["no.csv"], str(tmp_path)) == "no.csv matches no file"


def test_the_receipt_lists_each_file_once_with_its_size(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("abc")
    found = listing(["*.csv", "a.*"], str(tmp_path))
    assert [(entry["path"], entry["size"]) for entry in found] == [(str(tmp_path / "a.csv"), 3)]


def old(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1.6e9, 1.6e9))
    return path


def test_a_file_from_before_counts_only_when_it_was_written_since(tmp_path: Path) -> None:
    table = old(tmp_path / "table.csv")
    before = marks(["*.csv"], str(tmp_path))
    assert f"{table} was there before it started and was not written since" in missing_output(
        ["*.csv"], str(tmp_path), before
    )
    assert missing_output(["*.csv"], str(tmp_path)) == ""
    table.write_text("x")
    assert missing_output(["*.csv"], str(tmp_path), before) == ""


@pytest.mark.parametrize("name", ["new.csv", "old.csv"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of the last change that Python shows")
def test_a_copy_that_keeps_its_old_time_and_size_was_written(tmp_path: Path, name: str) -> None:
    source, folder = old(tmp_path / "source.csv"), tmp_path / "out"
    old(folder / "old.csv")
    before = marks(["*.csv"], str(folder))
    shutil.copy2(source, folder / name)
    assert missing_output(["*.csv"], str(folder), before) == ""


def test_a_touch_a_replacement_and_a_new_link_count(tmp_path: Path) -> None:
    # Windows keeps no time of the last change that Python shows, and links need a right there
    others = () if sys.platform == "win32" else (replace_by_itself, link_anew)
    for number, renew in enumerate((os.utime, *others)):
        folder = tmp_path / str(number)
        path = old(folder / "a.txt")
        before = marks([str(path)], "/")
        assert missing_output([str(path)], "/", before)
        renew(path)
        assert missing_output([str(path)], "/", before) == ""


def replace_by_itself(path: Path) -> None:
    shutil.copy2(path, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def link_anew(path: Path) -> None:
    path.replace(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def test_one_new_file_among_old_ones_is_enough_for_its_pattern_and_no_other(tmp_path: Path) -> None:
    old(tmp_path / "1.tif"), old(tmp_path / "1.csv")
    before = marks(["*.tif", "*.csv"], str(tmp_path))
    (tmp_path / "2.tif").write_text("x")
    assert missing_output(["*.tif"], str(tmp_path), before) == ""
    assert "1.csv was there before" in missing_output(["*.tif", "*.csv"], str(tmp_path), before)


def test_an_old_folder_counts_once_a_file_deep_in_it_changes(tmp_path: Path) -> None:
    chunk = old(tmp_path / "image.zarr" / "0" / "c0")
    old(tmp_path / "image.zarr" / "zarr.json")
    before = marks(["*.zarr"], str(tmp_path))
    assert "image.zarr was there before" in missing_output(["*.zarr"], str(tmp_path), before)
    chunk.write_text("y")
    assert missing_output(["*.zarr"], str(tmp_path), before) == ""


def test_a_file_system_of_whole_seconds_is_given_time(tmp_path: Path) -> None:
    path = old(tmp_path / "a.txt")
    assert settling(marks(["a.txt"], str(tmp_path))) == 0
    second = int(time.time())
    os.utime(path, (second, second))
    assert settling(marks(["a.txt"], str(tmp_path))) == 2
    os.utime(path, (second - 1000.5, second - 1000.5))
    assert settling(marks(["a.txt"], str(tmp_path))) == 0


SIGNS = ["exp[1]", "exp[!1]", "[exp]", "]exp[", "exp[", "exp*" if os.name != "nt" else "exp[a-z]", "e?p", "[[]x", "**"]


@pytest.mark.parametrize("name", SIGNS if os.name != "nt" else [s for s in SIGNS if not set(s) & set("*?")])
@pytest.mark.parametrize("spelled", ["*.csv", "out/../*.csv", "{folder}/*.csv", "{parent}/**/{name}/*.csv"])
def test_signs_in_the_name_of_a_folder_that_exists_are_no_pattern(tmp_path: Path, name: str, spelled: str) -> None:
    if name in ("**", "[[]x") and spelled.startswith("{"):
        pytest.skip("as a user types it, it is a pattern, or an escaped one")
    folder = tmp_path / name
    (folder / "out").mkdir(parents=True)
    for other in ("exp1", "exp", "e", "x"):
        (tmp_path / other).mkdir()
        (tmp_path / other / "b.csv").write_text("of another folder")
    pattern = spelled.format(folder=folder, parent=glob.escape(str(tmp_path)), name=glob.escape(name))
    assert missing_output([pattern], str(folder)).endswith("matches no file")
    (folder / "a.csv").write_text("x")
    assert missing_output([pattern], str(folder)) == ""
    assert [path.name for path in matches(pattern, str(folder))] == ["a.csv"]


def test_signs_in_the_home_folder_and_in_a_file_that_exists_are_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "me[1]"
    home.mkdir()
    monkeypatch.setenv("HOME" if os.name != "nt" else "USERPROFILE", str(home))
    (home / "a[1].csv").write_text("x")
    (home / "a1.csv").write_text("x")
    assert [path.name for path in matches("~/a*.csv", "/")] != []
    assert [path.name for path in matches("a[1].csv", str(home))] == ["a[1].csv"]
    assert [path.name for path in matches("~/a[1].csv", "/")] == ["a[1].csv"]
