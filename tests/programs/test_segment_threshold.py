import pytest

# without "yen", whose threshold lies in the noise of this image
METHODS = ["otsu", "li", "triangle", "isodata", "mean", "minimum", "multiotsu"]
LOCAL = [
    ["--method", "local", "--offset", -100],
    ["--method", "local", "--local-weights", "mean", "--offset", -100],
    ["--method", "local", "--local-weights", "median", "--offset", -100],
    ["--method", "niblack", "--k", 1],
    ["--method", "sauvola"],
]


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


def test_each_method_finds_a_bright_disc(programs):
    areas = programs.segmented([("thin", ["--method", method, "--min-size", 800]) for method in METHODS])
    assert [len(found) for found in areas] == [1] * len(METHODS)
    assert all(1200 < found[0] < 1600 for found in areas)


def test_each_local_method_finds_discs_on_a_ground_that_brightens_to_one_side_and_global_ones_do_not(programs):
    tried = [("slope", [*words, "--window-size", 61, "--min-size", 300]) for words in LOCAL]
    *areas, with_otsu = programs.segmented([*tried, ("slope", ["--split-depth", 0])])
    disc = 709  # pixels
    assert areas == [[pytest.approx(disc, rel=0.07)] * 2] * len(LOCAL)
    assert max(with_otsu) > 5 * disc


def test_multiotsu_takes_the_brightest_or_darkest_of_three_levels_or_two(programs):
    words = ["--method", "multiotsu", "--sigma", 0, "--split-depth", 0]
    choices = [[], ["--object-classes", 2], ["--dark-objects"]]
    assert programs.segmented([("levels", [*words, *more]) for more in choices]) == [[400], [800], [400]]


def test_a_median_filter_removes_single_wrong_pixels(programs):
    words = ["--sigma", 0, "--min-size", 0]
    raw, filtered = programs.segmented([("specks", words), ("specks", [*words, "--median-filter-size", 3])])
    assert len(raw) > 10
    assert len(filtered) == 1


def test_objects_above_the_largest_size_are_dropped_or_cut_alone(programs):
    tried = [
        ["--split-depth", 0, "--max-size", 2000],
        ["--max-size", 2000],
        ["--max-size", 2000, "--watershed-large-labels"],
        ["--max-size", 5000, "--watershed-large-labels"],
    ]
    assert [len(found) for found in programs.segmented([("touching", words) for words in tried])] == [0, 2, 2, 1]


def test_arguments_have_the_names_that_older_pipelines_use(programs):
    older = (
        "--channels 0 --median-filter-sizes 3 --threshold-methods li --min-sizes 50 --max-sizes 9000 --remove-xy-edges"
    )
    assert count(programs, "thin", *older.split(), "--watershed-large-labels") == 2


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--watershed-large-labels"], "--watershed-large-labels needs --max-size"),
        (["--method", "multiotsu", "--object-classes", 3], "--object-classes has to be smaller than --classes"),
        (["--window-size", 10], "'10' is not an odd number of at least 3"),
    ],
)
def test_settings_that_do_not_fit_are_told(programs, more, told):
    assert told in segment(programs, programs.make("thin", programs.folder / "in" / "a.tif"), *more, code=2).stderr


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
        ("grey.jpg", [], "it is no TIFF file, which is needed here. Make one of it with convert_to_tif.py."),
    ],
)
def test_what_cannot_be_segmented_is_told_in_words(programs, kind, more, told):
    source = programs.folder / "in" / ("a.jpg" if kind == "grey.jpg" else "a.tif")
    assert told in segment(programs, programs.make(kind, source), *more, code=1).stderr
