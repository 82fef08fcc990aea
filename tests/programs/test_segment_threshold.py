import pytest

# without "yen", whose threshold lies in the noise of this image
METHODS = ["otsu", "li", "triangle", "isodata", "mean", "minimum"]


def segment(programs, source, *more, code=0):
    return programs.run(
        "segment_threshold",
        "--input-search-pattern",
        source,
        "--output-folder",
        programs.folder / "out",
        *more,
        code=code,
    )


def labels(programs, name):
    return programs.look(programs.folder / "out" / f"{name}_labels.tif")


def count(programs, kind, *more):
    segment(programs, programs.make(kind, programs.folder / "in" / "a.tif"), *more)
    return labels(programs, "a")["values"][-1]


def test_the_real_micrograph_has_one_cell(programs, cell):
    out = programs.folder / "tif"
    programs.run("convert_to_tif", "--input-search-pattern", cell, "--output-folder", out, "--pixel-size", 0.107)
    segment(programs, out / "*.ome.tif")
    found = labels(programs, "o'cell ß")
    assert (found["axes"], found["shape"], found["dtype"]) == ("YX", [660, 550], "uint16")
    assert found["values"] == [0, 1]
    assert found["sum"] == pytest.approx(11_732, rel=0.02)  # pixels of the cell
    assert found["pixel_size"] == {"X": 0.107, "Y": 0.107}


def test_touching_objects_are_cut_apart(programs):
    assert count(programs, "touching") == 2


def test_touching_objects_stay_together_when_no_cut_is_wanted(programs):
    assert count(programs, "touching", "--split-depth", 0) == 1


def test_objects_thinner_than_the_depth_of_a_cut_are_kept(programs):
    assert count(programs, "thin") == 2


def test_holes_are_filled(programs):
    segment(programs, programs.make("ring", programs.folder / "in" / "a.tif"))
    filled = labels(programs, "a")["sum"]
    segment(programs, programs.folder / "in" / "a.tif", "--no-fill-holes", "--split-depth", 0)
    assert filled - labels(programs, "a")["sum"] == pytest.approx(100, abs=20)


def test_small_objects_are_dropped_and_the_others_numbered_from_1(programs):
    assert count(programs, "thin", "--min-size", 500) == 1


def test_objects_at_the_edge_can_be_dropped(programs):
    assert count(programs, "edge") == 2
    assert count(programs, "edge", "--clear-border") == 1


def test_dark_objects_are_found_when_asked_for(programs):
    segment(programs, programs.make("dark", programs.folder / "in" / "a.tif"), "--dark-objects")
    assert labels(programs, "a")["sum"] == pytest.approx(1257, rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_finds_a_bright_disc(programs, method):
    assert count(programs, "thin", "--method", method, "--min-size", 800) == 1


def test_a_fixed_threshold_is_taken_as_it_is(programs):
    done = segment(programs, programs.make("thin", programs.folder / "in" / "a.tif"), "--threshold", 2000)
    assert "0 objects, threshold 2000" in done.stderr
    assert labels(programs, "a")["values"] == [0]


def test_each_time_point_is_segmented_by_itself(programs):
    segment(programs, programs.make("series", programs.folder / "in" / "a.ome.tif"))
    found = labels(programs, "a")
    assert (found["axes"], found["shape"], found["values"]) == ("TYX", [2, 100, 150], [0, 1, 2])


def test_an_image_of_one_value_has_no_objects_and_a_warning(programs):
    done = segment(programs, programs.make("flat", programs.folder / "in" / "a.tif"))
    assert "warning: a.tif: all its pixels have the same value" in done.stderr
    assert labels(programs, "a")["values"] == [0]


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        ("nan", [], "values that are no numbers"),
        ("lzw", ["--channel-index", 1], "there is no channel 1: it has 1, counted from 0"),
        ("ome", [], "4 Z planes"),
    ],
)
def test_what_cannot_be_segmented_is_told_in_words(programs, kind, more, told):
    assert told in segment(programs, programs.make(kind, programs.folder / "in" / "a.tif"), *more, code=1).stderr
