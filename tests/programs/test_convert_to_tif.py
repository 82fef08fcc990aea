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
