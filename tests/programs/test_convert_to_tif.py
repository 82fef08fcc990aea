import os

import pytest

SUM_OF_CELL = 24_669_746  # of all values in cell.png


def convert(programs, source, *more, code=0):
    return programs.run(
        "convert_to_tif", "--input-search-pattern", source, "--output-folder", programs.folder / "out", *more, code=code
    )


def test_a_png_becomes_an_ome_tiff_of_equal_values_with_the_pixel_size_given(programs, cell):
    convert(programs, cell, "--pixel-size", 0.107)
    found = programs.look(programs.folder / "out" / "o'cell ß.ome.tif")
    assert (found["axes"], found["shape"], found["dtype"], found["ome"]) == ("YX", [660, 550], "uint8", True)
    assert found["pixel_size"] == {"X": 0.107, "Y": 0.107}
    assert found["units"] == ["µm"]
    assert found["sum"] == SUM_OF_CELL


def test_axes_pixel_size_and_channel_names_of_an_ome_tiff_are_kept(programs):
    source = programs.make("ome", programs.folder / "in" / "a.ome.tif")
    convert(programs, source)
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"], found["dtype"]) == ("TCZYX", [3, 2, 4, 20, 30], "uint16")
    assert found["pixel_size"] == {"X": 0.25, "Y": 0.25, "Z": 1.5}
    assert found["channels"] == ["DAPI", "Grün"]
    assert found["first"] == [0, 1, 2, 3, 4, 5]


def test_axes_and_pixel_size_of_imagej_are_understood(programs):
    convert(programs, programs.make("imagej", programs.folder / "in" / "a.tif"))
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"]) == ("TCZYX", [3, 2, 4, 20, 30])
    assert found["pixel_size"] == {"X": 0.5, "Y": 0.5, "Z": 2.0}
    assert found["first"] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("axis", ["Z", "T", "C"])
def test_pages_without_a_meaning_get_the_one_that_is_asked_for(programs, axis):
    done = convert(programs, programs.make("pages", programs.folder / "in" / "a.tif"), "--stack-axis", axis)
    assert programs.look(programs.folder / "out" / "a.ome.tif")["axes"] == f"{axis}YX"
    assert "--stack-axis" in done.stderr


def test_compressed_tiffs_are_read(programs):
    convert(programs, programs.make("lzw", programs.folder / "in" / "a.tif"))
    assert programs.look(programs.folder / "out" / "a.ome.tif")["first"] == [0, 1, 2, 3, 4, 5]


def test_a_maximum_projection_leaves_one_plane(programs):
    convert(programs, programs.make("ome", programs.folder / "in" / "a.ome.tif"), "--projection-method", "max")
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"]) == ("TCYX", [3, 2, 20, 30])
    assert found["first"][0] == 3 * 20 * 30


def test_sixteen_bits_of_a_colour_png_stay_sixteen(programs):
    convert(programs, programs.make("rgb16.png", programs.folder / "in" / "a.png"))
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"], found["dtype"]) == ("YXS", [20, 30, 3], "uint16")
    assert found["first"] == [0, 18000, 36000, 30, 18030, 36030]


def test_a_grey_photo_stored_in_colour_becomes_one_channel(programs):
    convert(programs, programs.make("grey.jpg", programs.folder / "in" / "a.jpg"))
    assert programs.look(programs.folder / "out" / "a.ome.tif")["axes"] == "YX"


def test_values_that_ome_tiff_cannot_hold_are_refused_in_words(programs):
    done = convert(programs, programs.make("complex", programs.folder / "in" / "a.tif"), code=1)
    assert "a.tif: OME-TIFF cannot hold its values (type complex64)." in done.stderr
    assert not list((programs.folder / "out").glob("*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a process's own peak in this way")
def test_a_large_file_is_converted_in_little_memory(programs):
    assert programs.convert_large() < 260e6  # of 420 MB of pixels


@pytest.mark.parametrize(("compression", "larger"), [("none", True), ("lzw", False)])
def test_the_compression_can_be_chosen_and_keeps_every_value(programs, compression, larger):
    source = programs.make("ome", programs.folder / "in" / "a.ome.tif")
    convert(programs, source, "--compression", compression)
    result = programs.folder / "out" / "a.ome.tif"
    assert (result.stat().st_size > 3 * 2 * 4 * 20 * 30 * 2) == larger
    assert programs.look(result)["sum"] == sum(range(3 * 2 * 4 * 20 * 30))


@pytest.mark.parametrize(
    ("method", "first", "dtype"),
    [
        ("mean", 900, "uint16"),
        ("sum", 3600, "uint32"),
        ("min", 0, "uint16"),
        ("median", 900, "uint16"),
        ("std", 670.8204, "float32"),
    ],
)
def test_planes_are_projected_in_each_way(programs, method, first, dtype):
    convert(programs, programs.make("ome", programs.folder / "in" / "a.ome.tif"), "--projection-method", method)
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["shape"], found["dtype"]) == ([3, 2, 20, 30], dtype)
    assert found["first"][0] == pytest.approx(first)  # of 0, 600, 1200, 1800


def test_images_of_one_file_are_chosen_by_size_place_or_name_and_named_in_the_results(programs):
    source = programs.make("several", programs.folder / "in" / "a.ome.tif")
    done = convert(programs, source)
    assert "it holds 3 images; 2 of them left out: 'image 0', 'image 2'. See --scene-filter." in done.stderr
    assert programs.look(programs.folder / "out" / "a.ome.tif")["shape"] == [40, 40]
    convert(programs, source, "--scene-filter", "excludes", "--scene-filter-strings", "image 1")
    for number, side in ((0, 10), (2, 20)):
        found = programs.look(programs.folder / "out" / f"a__image {number}.ome.tif")
        assert (found["shape"], found["pixel_size"]["X"]) == ([side, side], number + 1)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--channels", "5"], "there is no channel 5: it has 2, counted from 0."),
        (["--scene-filter", "includes", "--scene-filter-strings", "x"], "leaves none of its images: "),
    ],
)
def test_parts_that_are_not_there_are_told(programs, more, told):
    source = programs.make("ome", programs.folder / "in" / "a.ome.tif")
    assert told in convert(programs, source, *more, code=1).stderr


def test_subfolders_become_part_of_the_name_when_that_is_asked_for(programs):
    programs.make("lzw", programs.folder / "in" / "day 1" / "well" / "a.tif")
    programs.make("lzw", programs.folder / "in" / "a.tif")
    convert(programs, programs.folder / "in" / "**" / "*.tif", "--collapse-delimiter", "__")
    assert sorted(path.name for path in (programs.folder / "out").iterdir()) == ["a.ome.tif", "day 1__well__a.ome.tif"]
