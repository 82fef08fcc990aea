"""Declared outputs decide about success."""

from pathlib import Path

from runner.state.outputs import listing, missing_output


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
