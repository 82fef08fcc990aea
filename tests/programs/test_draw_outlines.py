import pytest


def drawn(programs, source, *more, code=0):
    """The program's end, after `source` was segmented."""
    out = programs.folder / "out"
    programs.run("segment_threshold", "--input-search-pattern", source, "--output-folder", out)
    folders = ["--mask-folder", out, "--output-folder", out]
    return programs.run("draw_outlines", "--input-search-pattern", source, *folders, *more, code=code)


def test_the_picture_of_the_real_cell_is_large_and_its_outline_lies_around_the_cell(programs, cell):
    tif = programs.folder / "tif"
    programs.run("convert_to_tif", "--input-search-pattern", cell, "--output-folder", tif, "--pixel-size", 0.107)
    done = drawn(programs, tif / "*.tif")
    path = programs.folder / "out" / "o'cell ß_outlines.png"
    assert f"Picture: {path}" in done.stdout.splitlines()
    found = programs.picture(path)
    assert (found["format"], found["size"]) == ("PNG", [1100, 1320])
    assert found["box"] == pytest.approx([2 * 366, 2 * 314, 2 * 490, 2 * 435], abs=8)
    assert found["coloured"] > 1000
    assert (found["darkest"], found["brightest"]) == (0, 255)


def test_numbers_are_written_beside_the_objects(programs):
    image = programs.make("touching", programs.folder / "in" / "a.tif")
    drawn(programs, image)
    without = programs.picture(programs.folder / "out" / "a_outlines.png")
    drawn(programs, image, "--numbers")
    assert programs.picture(programs.folder / "out" / "a_outlines.png")["coloured"] > without["coloured"] + 100


def test_a_scale_bar_needs_a_pixel_size_and_can_be_left_out(programs):
    image = programs.make("thin", programs.folder / "in" / "a.tif")
    tif = programs.folder / "tif"
    programs.run("convert_to_tif", "--input-search-pattern", image, "--output-folder", tif, "--pixel-size", 0.5)
    sizes = []
    for more in ([], ["--no-scale-bar"]):
        drawn(programs, tif / "*.tif", *more)
        sizes.append((programs.folder / "out" / "a_outlines.png").read_bytes())
    assert sizes[0] != sizes[1]


def test_the_scale_and_the_time_point_are_those_asked_for(programs):
    series = programs.make("series", programs.folder / "in" / "a.ome.tif")
    drawn(programs, series, "--frame", 1, "--scale", 1)
    found = programs.picture(programs.folder / "out" / "a_outlines.png")
    assert found["size"] == [150, 100]
    assert found["box"] == pytest.approx([18, 18, 105, 75], abs=3)


@pytest.mark.parametrize(
    ("more", "told"),
    [(["--frame", 2], "no time point 2: it has 2"), (["--color", "greenish"], "--color 'greenish' is no color")],
)
def test_what_cannot_be_drawn_is_told_in_words(programs, more, told):
    done = drawn(programs, programs.make("series", programs.folder / "in" / "a.ome.tif"), *more, code=1)
    assert told in done.stderr
    assert not (programs.folder / "out" / "a_outlines.png").exists()
