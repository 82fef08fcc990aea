"""Files that were cut short, or lack another that belongs to them, are told of and never taken for smaller images."""

import pytest


def convert(programs, pattern, *more, code=0):
    out = ["--output-folder", programs.folder / "out", "--no-parallel"]
    return programs.run("convert_to_tif", "--input-search-pattern", pattern, *out, *more, code=code)


def cut(source, share):
    """A copy with that share of the bytes."""
    content = source.read_bytes()
    copy = source.with_name(f"cut {share} {source.name}")
    copy.write_bytes(content[: int(len(content) * share)])
    return copy


@pytest.mark.parametrize("kind", ["ome", "imagej", "pages", "several"])
def test_a_tiff_file_that_was_cut_short_is_never_taken_for_a_smaller_image(programs, kind):
    whole = programs.make(kind, programs.folder / "in" / "a.tif")
    for share in (0.1, 0.3, 0.6, 0.9, 0.99):
        cut(whole, share)
    done = convert(programs, whole.with_name("cut*"), "--scene-filter", "all", code=1)
    assert "error: 5 files of 5 failed:" in done.stderr
    assert "a.tif: it cannot be read as a TIFF image: its end is missing. Was it copied completely?" in done.stderr
    assert not list(programs.folder.glob("out/*"))


def test_a_tiff_file_without_an_image_is_told_in_words(programs):
    empty = programs.folder / "a.tif"
    empty.write_bytes(b"II*\0\0\0\0\0")
    assert "a.tif: it holds no image; it may be damaged." in convert(programs, empty, code=1).stderr


def test_planes_whose_file_is_not_there_are_told_and_those_that_are_there_can_be_taken(programs):
    source = programs.make("without its companion", programs.folder / "in" / "a.ome.tif")
    done = convert(programs, source, code=1)
    assert "a.ome.tif: its plane of time point 0, channel 0, Z plane 2 is missing" in done.stderr
    assert not list(programs.folder.glob("out/*"))
    convert(programs, source, "--z-planes", "0-1")
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"], found["first"][:2]) == ("ZYX", [2, 20, 30], [0, 1])


def test_a_file_that_is_spread_over_several_is_read_without_a_word_about_the_code(programs):
    first = programs.make("without its companion", programs.folder / "in" / "a.ome.tif")
    programs.make("companion", first.with_name("companion.ome.tif"))
    done = convert(programs, first)
    assert programs.look(programs.folder / "out" / "a.ome.tif")["sum"] == sum(range(4 * 600))
    assert ".py:" not in done.stderr
