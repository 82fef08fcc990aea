import zipfile

import pytest


def convert(programs, kind, *more, code=0):
    source = programs.make(kind, programs.folder / "mäsks" / "a b.tif")
    out = programs.folder / "out"
    return programs.run("mask2imageJROI", "--input-search-pattern", source, "--output-folder", out, *more, code=code)


def expected_labels():
    """The image that tests/programs/inside.py makes as "labels"."""
    image = [[0] * 30 for _ in range(20)]
    boxes = [(2, 9, 3, 12, 1), (4, 7, 5, 8, 0), (5, 6, 6, 7, 1), (12, 15, 0, 4, 2), (17, 20, 2, 9, 2)]
    for top, bottom, left, right, label in [*boxes, (10, 13, 20, 23, 4), (13, 16, 23, 26, 4), (0, 1, 29, 30, 300)]:
        for y in range(top, bottom):
            image[y][left:right] = [label] * (right - left)
    return image


@pytest.mark.parametrize("more", [[], ["--split-parts"]])
def test_the_outlines_enclose_exactly_the_pixels_of_each_object(programs, more):
    done = convert(programs, "labels", *more)
    found = programs.rois(programs.folder / "out" / "a b_rois.zip")
    assert found["labels"] == expected_labels()
    assert found["box"] == [3, 2, 12, 9]
    if more:
        assert found["names"] == ["0001_1", "0001_2", "0002_1", "0002_2", "0004_1", "0004_2", "0300"]
    else:
        assert found["names"] == ["0001", "0002", "0004", "0300"]
        assert found["kinds"] == ["RECT", "TRACED"]  # a composite is a rectangle with a path
    assert f"{len(found['names'])} ROIs" in done.stderr


def test_rois_of_a_time_series_know_their_time_point(programs):
    convert(programs, "label series")
    found = programs.rois(programs.folder / "out" / "a b_rois.zip")
    assert found["labels"] == expected_labels()
    assert found["names"][:2] == ["t0001_0001", "t0001_0002"]
    assert set(found["times"]) == {1, 2}


def test_equal_labels_give_equal_files_whose_entries_are_named_as_their_rois(programs):
    convert(programs, "labels")
    path = programs.folder / "out" / "a b_rois.zip"
    before = path.read_bytes()
    convert(programs, "labels")
    assert path.read_bytes() == before
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["0001.roi", "0002.roi", "0004.roi", "0300.roi"]


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [("label fractions", [], "it is no label image"), ("labels", ["--channel-index", 1], "there is no channel 1")],
)
def test_what_has_no_labels_is_refused_and_leaves_nothing(programs, kind, more, told):
    assert told in convert(programs, kind, *more, code=1).stderr
    assert not (programs.folder / "out").exists() or not list((programs.folder / "out").iterdir())
