import pytest


def merge(programs, first, *more, code=0):
    out = programs.folder / "out"
    return programs.run("merge_channels", "--input-search-pattern", first, "--output-folder", out, *more, code=code)


@pytest.fixture
def image(programs):
    """Two channels, DAPI and Grün: a ramp."""
    return programs.make("ome", programs.folder / "in" / "a.ome.tif")


def merged(programs, name="a"):
    return programs.look(programs.folder / "out" / f"{name}_merged.ome.tif")


def test_channels_of_one_image_are_put_in_a_new_order(programs, image):
    merge(programs, image, "--channels", "[1, 0]")
    found = merged(programs)
    assert (found["axes"], found["shape"]) == ("TCZYX", [3, 2, 4, 20, 30])
    assert found["channels"] == ["Grün", "DAPI"]
    assert found["first"][0] == 4 * 20 * 30
    assert found["pixel_size"] == {"X": 0.25, "Y": 0.25, "Z": 1.5}


@pytest.mark.parametrize(("method", "first"), [("max", 2400), ("sum", 2400), ("mean", 1200)])
def test_channels_in_inner_brackets_are_joined(programs, image, method, first):
    merge(programs, image, "--merge-channels", "[[0,1]]", "--merge-method", method)
    found = merged(programs)
    assert (found["shape"], found["dtype"]) == ([3, 4, 20, 30], "uint16")
    assert found["first"][0] == first
    assert found["channels"] == ["DAPI+Grün"]


def test_a_sum_that_is_too_large_for_the_type_becomes_its_highest_value(programs, image):
    merge(programs, image, "--channels", f"[[{', '.join(['1'] * 30)}]]", "--merge-method", "sum")
    assert merged(programs)["first"][0] == 65_535


def test_images_of_several_patterns_are_paired_by_the_text_in_place_of_the_asterisks(programs):
    for name in ("day 1/x [1]", "y"):
        programs.make("thin", programs.folder / "in" / f"{name}_a.tif")
        programs.make("dark", programs.folder / "in" / f"{name}_b.tif")
    done = merge(
        programs,
        programs.folder / "in" / "**" / "*_a.tif",
        *("--input-search-pattern2", programs.folder / "in" / "**" / "*_b.tif", "--channel-names", "bright", "dark"),
    )
    assert "2 files done" in done.stdout
    for name in ("day 1/x [1]_a", "y_a"):
        found = merged(programs, name)
        assert (found["axes"], found["shape"], found["channels"]) == ("CYX", [2, 100, 150], ["bright", "dark"])


def test_channels_can_be_chosen_by_image(programs, image):
    second = programs.make("ome", programs.folder / "in" / "b.ome.tif")
    chosen = '{"image2": "all", "image1": [[0, 1], 0]}'
    merge(programs, image, "--input-search-pattern2", second, "--channels", chosen)
    assert merged(programs)["channels"] == ["DAPI", "Grün", "DAPI+Grün", "DAPI"]


def test_an_image_without_a_partner_fails_alone(programs):
    for name in ("1_a", "1_b", "2_a"):
        programs.make("thin", programs.folder / "in" / f"{name}.tif")
    second = ["--input-search-pattern2", programs.folder / "in" / "*_b.tif"]
    done = merge(programs, programs.folder / "in" / "*_a.tif", *second, code=1)
    assert "1 file done" in done.stdout
    assert "2_a.tif: no file of" in done.stderr
    assert "belongs to it: '2' is to stand for the asterisks" in done.stderr


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--channels", "[2]"], "there is no channel 2: it has 2, counted from 0. See --channels."),
        (["--channels", '{"image1": [5]}'], "there is no channel 5 in image1: it has 2"),
        (["--channels", '{"image3": [0]}'], "there is no image3: it has 1."),
        (["--channel-names", "one"], "there are 2 new channels, and 1 names in --channel-names."),
    ],
)
def test_choices_that_do_not_fit_are_told_in_words(programs, image, more, told):
    assert told in merge(programs, image, *more, code=1).stderr


def test_images_of_different_sizes_are_refused(programs, image):
    other = programs.make("thin", programs.folder / "in" / "b.tif")
    done = merge(programs, image, "--input-search-pattern2", other, code=1)
    assert "its images have different sizes: 30 x 20 pixels, 4 Z planes, 3 time points and 150 x 100" in done.stderr


def test_images_of_different_pixel_sizes_are_merged_with_a_warning_that_names_both(programs, image):
    other = programs.make("imagej", programs.folder / "in" / "b.tif")
    done = merge(programs, image, "--input-search-pattern2", other)
    assert (
        "warning: a.ome.tif: its images have different pixel sizes, 0.25 and 0.5 µm; the first is kept" in done.stderr
    )
    assert merged(programs)["pixel_size"] == {"X": 0.25, "Y": 0.25, "Z": 1.5}


def test_the_pixel_size_comes_from_the_image_that_tells_it(programs, image):
    plain = programs.make("plain", programs.folder / "in" / "plain.ome.tif")
    merge(programs, plain, "--input-search-pattern2", image)
    assert merged(programs, "plain")["pixel_size"] == {"X": 0.25, "Y": 0.25, "Z": 1.5}


@pytest.mark.parametrize("text", ["0;1", "[]", "[-1]", '{"a": [0]}', "[true]"])
def test_a_list_of_channels_that_is_none_is_told_with_an_example(programs, image, text):
    assert "is not a list such as [0,2] or [[0,1],2]" in merge(programs, image, "--channels", text, code=2).stderr
