"""What a viewer shows is what counts in an image; the numbers of a label image are its objects."""

import csv
import zipfile

import pytest

TIFFS = [
    "black", "white", "white of 16 bits", "white and big-endian", "white and signed", "white in ImageJ",
    "white and compressed", "white of 1 bit", "black of 1 bit", "white of 4 bits", "black of 2 bits", "grey palette",
    "palette", "palette in 8 bits", "lookup table", "colours", "planar", "alpha", "premultiplied", "no name",
    "alpha in OME", "colours in JPEG", "grey and alpha", "ink", "white floats",
    "white in tiles", "white of 12 bits", "black of 12 bits",
]  # fmt: skip
OTHERS = ("white of 4 bits", "black of 2 bits", "colours in JPEG", "palette", "palette in 8 bits")  # not of two discs
PICTURES = ["palette.png", "1 bit.png", "palette.gif", "1 bit.bmp", "palette.bmp", "alpha.png", "frames.gif"]
TWO = {"3": 317, "7": 441}  # the numbers of the discs and their pixels
LABELS = {
    "labels with 0 as white": TWO,
    "labels with a palette": TWO,
    "labels of Fiji": TWO,
    "labels in equal colours": TWO,
    "labels as floats": {"210000": 317, "490000": 441},
    "mask of tifffile": {"1": 758},
    "mask that shows white": {"1": 758},
    "mask of 1 bit": {"1": 758},
    "mask of ImageJ": {"255": 758},
}
REFUSED = {
    "labels in colours": "it is no label image: it has colours, which are no numbers of objects.",
    "labels with fractions": "it is no label image: its values are not whole numbers.",
    "labels that are no numbers": "it is no label image: its values are not whole numbers.",
}


def run(programs, program, pattern, *more, code=0):
    return programs.run(
        program, "--input-search-pattern", pattern, "--output-folder", programs.folder / "out", *more, code=code
    )


def table(programs, name):
    with (programs.folder / "out" / f"{name}_objects.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def images_with_labels(programs, kinds):
    """An image for each kind of labels; gives the pattern of the images and the arguments that name the labels."""
    for kind in kinds:
        programs.shown(kind, programs.folder / "masks" / f"{kind}_labels.tif")
        programs.shown("white", programs.folder / "in" / f"{kind}.tif")
    return programs.folder / "in" / "*.tif", "--mask-folder", programs.folder / "masks"


def test_converted_images_are_what_a_viewer_shows(programs):
    kinds = TIFFS + PICTURES
    for kind in kinds:
        name, _, ending = kind.partition(".")
        programs.shown(kind, programs.folder / "in" / f"{name} {ending}.{ending or 'tif'}")
    done = run(programs, "convert_to_tif", programs.folder / "in" / "*")
    assert programs.differing(programs.folder / "out", kinds) == {}
    assert "no name .tif: beside red, green and blue it has a sample that it does not name" in done.stderr


def test_colours_that_cannot_be_told_are_refused(programs):
    for kind in ("strange colours", "two palettes"):
        programs.shown(kind, programs.folder / "in" / f"{kind}.tif")
    done = run(programs, "convert_to_tif", programs.folder / "in" / "*", code=1)
    assert "strange colours.tif: its colours are YCbCr, which is not read here. Save it as RGB" in done.stderr
    assert "two palettes.tif: its pages have different palettes. Save it as RGB" in done.stderr


def test_the_stored_numbers_are_kept_when_asked_for(programs):
    numbers = {"labels with a palette": [0, 3, 7], "labels with 0 as white": [0, 3, 7]}
    numbers["palette.png"] = [40, 41, 42, 200, 201, 202]
    for place, kind in enumerate(numbers):
        programs.shown(kind, programs.folder / "in" / f"{place}.{'png' if 'png' in kind else 'tif'}")
    run(programs, "convert_to_tif", programs.folder / "in" / "*", "--as-stored")
    for place, values in enumerate(numbers.values()):
        assert programs.look(programs.folder / "out" / f"{place}.ome.tif")["values"] == values


def test_thresholds_find_what_is_bright_to_the_eye(programs):
    kinds = [kind for kind in TIFFS if kind not in OTHERS]
    for kind in kinds:
        programs.shown(kind, programs.folder / "in" / f"{kind}.tif")
    done = run(programs, "segment_threshold", programs.folder / "in" / "*.tif", "--sigma", 0)
    assert [kind for kind in kinds if f"{kind}.tif: 2 objects, threshold " not in done.stderr] == []
    assert "colours.tif: 2 objects, threshold 30\n" in done.stderr
    assert "colours.tif: of its colours, the luminance is taken. See --channel-index" in done.stderr
    found = programs.look(programs.folder / "out" / "white_labels.tif")
    assert (found["values"], found["sum"]) == ([0, 1, 2], 317 + 2 * 441)


def test_one_colour_is_taken_where_its_number_is_given(programs):
    source = programs.shown("colours", programs.folder / "a.tif")
    assert "0 objects" in run(programs, "segment_threshold", source, "--channel-index", 0).stderr
    done = run(programs, "segment_threshold", source, "--channel-index", 1, "--sigma", 0)
    assert "2 objects, threshold 42\n" in done.stderr


def test_the_numbers_of_a_label_image_are_its_objects(programs):
    images, *masks = images_with_labels(programs, LABELS)
    run(programs, "mask_measure", images, *masks)
    found = {kind: {row["label"]: int(row["area_px"]) for row in table(programs, kind)} for kind in LABELS}
    assert found == LABELS
    run(programs, "mask2imageJROI", programs.folder / "masks" / "*.tif")
    for kind, areas in LABELS.items():
        with zipfile.ZipFile(programs.folder / "out" / f"{kind}_labels_rois.zip") as archive:
            assert archive.namelist() == [f"{int(number):04}.roi" for number in areas]
    drawn = run(programs, "draw_outlines", images, *masks).stderr
    assert [kind for kind in LABELS if f"{kind}.tif: {len(LABELS[kind])} outline" not in drawn] == []


def test_what_has_no_numbers_of_objects_is_refused(programs):
    images, *masks = images_with_labels(programs, REFUSED)
    measured = run(programs, "mask_measure", images, *masks, code=1).stderr
    drawn = run(programs, "draw_outlines", images, *masks, code=1).stderr
    traced = run(programs, "mask2imageJROI", programs.folder / "masks" / "*.tif", code=1).stderr
    for kind, told in REFUSED.items():
        path = programs.folder / "masks" / f"{kind}_labels.tif"
        assert f"{kind}.tif: its label image {path}: {told}" in measured
        assert f"{kind}.tif: its label image {path}: {told}" in drawn
        assert f"{kind}_labels.tif: {told}" in traced


def test_brightness_is_measured_as_it_is_shown(programs):
    kinds = ("black", "white", "grey palette", "colours", "lookup table")
    for kind in kinds:
        programs.shown("labels of Fiji", programs.folder / "masks" / f"{kind}_labels.tif")
        programs.shown(kind, programs.folder / "in" / f"{kind}.tif")
    masks = programs.folder / "masks"
    done = run(programs, "mask_measure", programs.folder / "in" / "*.tif", "--mask-folder", masks)
    assert done.stderr.count("of its colours, the luminance is taken") == 1
    means = {kind: float(table(programs, kind)[0]["intensity_mean"]) for kind in kinds}
    assert means == {kind: pytest.approx(201 * (0.7154 if kind == "colours" else 1), abs=0.5) for kind in kinds}


def test_merged_channels_are_what_a_viewer_shows(programs):
    sources = [programs.shown(kind, programs.folder / f"{kind}.tif") for kind in ("white", "black")]
    run(programs, "merge_channels", sources[0], "--input-search-pattern2", sources[1], "--output-suffix", "")
    found = programs.look(programs.folder / "out" / "white.ome.tif")
    assert (found["shape"], found["first"][:3]) == ([2, 60, 80], [40, 41, 42])
