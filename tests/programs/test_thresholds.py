"""The threshold of each method is scikit-image's of that name on the same pixels."""

import pytest

GLOBAL = ["otsu", "li", "triangle", "yen", "isodata", "mean", "minimum", "multiotsu"]
HOT = "16 bits, one hot pixel"
HIGH = "32 bits, one hot pixel"
RAW = ["--sigma", 0]


def segmented(programs, images, methods, *words):
    """Threshold and number of objects of each image by each method."""
    asked = [(image, method) for image in images for method in methods]
    found = programs.grey_levels(*(["segment", image, "--method", method, *words] for image, method in asked))
    return dict(zip(asked, found, strict=True))


def test_every_method_gives_the_threshold_of_scikit_image(programs):
    images = [
        "8 bits", "16 bits, a hot pixel of 4095", "signed", "32 bits", "floats", "double", "double, an offset",
    ]  # fmt: skip
    found = programs.grey_levels(*(["apart", image, *GLOBAL] for image in images))
    assert dict(zip(images, found, strict=True)) == {image: {} for image in images}


def test_one_hot_pixel_in_sixteen_bits_changes_no_threshold_of_scikit_image(programs):
    # "minimum" and "multiotsu" take scikit-image minutes and 8 GB here
    assert programs.grey_levels(["apart", HOT, *GLOBAL[:-2]]) == [{}]
    found = segmented(programs, [HOT], ["triangle", "yen", "isodata", "minimum"], *RAW)
    assert [objects for _, objects in found.values()] == [9] * 4
    (classes,) = segmented(programs, [HOT], ["multiotsu"], *RAW, "--object-classes", 2).values()
    assert classes[1] == 9


def test_methods_of_our_own_for_many_grey_levels_give_the_same(programs):
    classes = ["8 bits", "8 bits, clean", "signed"]
    assert programs.grey_levels(*(["classes_apart", image] for image in classes)) == [[]] * 3
    others = ["8 bits", "16 bits, a hot pixel of 4095", "signed", "32 bits"]
    assert programs.grey_levels(*(["sparse_apart", image] for image in others)) == [{}] * 4


def test_four_thousand_million_grey_levels_take_no_more_memory_than_those_that_occur(programs):
    words = [*RAW, "--object-classes", 2]
    found = segmented(programs, [HIGH], ["triangle", "yen", "multiotsu"], *words)
    assert [objects for _, objects in found.values()] == [9] * 3


def test_methods_find_the_nine_cells_whatever_lies_below_them(programs):
    images = [
        "8 bits", "8 bits, clean", "32 bits, an offset", "32 bits, signed, an offset", "64 bits, an offset",
        "double, an offset",
    ]  # fmt: skip
    for sigma in (0, 1):
        found = segmented(programs, images, ["otsu", "li", "yen", "isodata", "mean"], "--sigma", sigma)
        found |= segmented(programs, images[:-1], ["triangle"], "--sigma", sigma)
        assert {asked: objects for asked, (_, objects) in found.items()} == dict.fromkeys(found, 9)


def test_numbers_that_span_all_of_sixty_four_bits_are_segmented(programs):
    images = ["64 bits, all of them", "64 bits, signed, all of them"]
    for sigma in (0, 1):
        found = segmented(programs, images, ["otsu", "li", "isodata"], "--sigma", sigma)
        assert [objects for _, objects in found.values()] == [9] * 6


def test_smoothing_leaves_one_bin_for_each_grey_level(programs):
    found = segmented(programs, [HOT, "8 bits", "8 bits, clean"], ["triangle"])
    assert all(threshold == int(threshold) and 100 < threshold < 125 for threshold, _ in found.values())
    assert [objects for _, objects in found.values()] == [9] * 3


def test_few_grey_levels_are_divided_when_they_are_smoothed(programs):
    ((threshold, objects),) = programs.grey_levels(["segment", "photons", "--sigma", 2])
    assert 0.3 < threshold < 1.4
    assert objects == 9


def test_thresholds_that_differ_from_place_to_place_are_those_of_scikit_image(programs):
    near, far = programs.grey_levels(["local_apart", "8 bits"], ["local_apart", "32 bits, an offset"])
    assert near < 1e-9
    assert far < 1e-5


def test_thresholds_made_for_dark_writing_are_those_of_scikit_image_or_their_mirror_image(programs):
    asked = [
        ["local_apart", image, method, *words]
        for image in ("8 bits", HOT, "signed")
        for method in ("niblack", "sauvola")
        for words in ([], ["--dark-objects"])
    ]
    assert [tasked for tasked, far in zip(asked, programs.grey_levels(*asked), strict=True) if far > 1e-6] == []


@pytest.mark.parametrize("image", [HOT, "16 bits, clean, one hot pixel", HIGH, "16 bits, a hot pixel of 4095"])
def test_no_method_loses_all_objects_to_a_hot_pixel_without_naming_the_cure(programs, image):
    asked = [(method, sigma) for method in [*GLOBAL, "local", "niblack", "sauvola"] for sigma in (1, 0)]
    found = programs.grey_levels(*(["told", image, "--method", m, "--sigma", s] for m, s in asked))
    told = dict(zip(asked, found, strict=True))
    assert [
        one for one, (objects, *said) in told.items() if objects < 1 and "--median-filter-size 3" not in str(said)
    ] == []
    assert [one for one, (objects, *said) in told.items() if objects > 0 and said] == []
    cured = programs.grey_levels(*(["told", image, "--method", m, "--median-filter-size", 3] for m in GLOBAL))
    assert cured == [[9]] * len(GLOBAL)


def test_all_or_nothing_above_the_threshold_is_told(programs):
    (nothing, above, dropped, none, everything, ones) = programs.grey_levels(
        ["told", "8 bits", "--threshold", 250],
        ["told", "8 bits", "--threshold", 3],
        ["told", "8 bits", "--min-size", 5000],
        ["told", "8 bits", "--dark-objects", "--threshold", 20],
        ["told", "16 bits, a dead pixel", "--method", "isodata", *RAW],
        ["told", "ones and zeros", "--method", "triangle", *RAW],
    )
    assert nothing == [0, "no pixel is above the threshold, so it has no objects"]
    assert above == [1, "100 % of its pixels are above the threshold; are the objects dark (--dark-objects)?"]
    assert dropped == [0, "it has no objects: all that is above the threshold is dropped (--min-size 5000)"]
    assert none == [0, "no pixel is below the threshold, so it has no objects"]
    assert everything[0] == 1
    assert "--median-filter-size 3" in everything[1]
    assert ones == [0, "no pixel is above the threshold, so it has no objects"]


def test_time_points_without_objects_are_told_once(programs):
    source = programs.make("series", programs.folder / "a.tif")
    words = ["--input-search-pattern", source, "--output-folder", programs.folder / "out", "--threshold", 500]
    done = programs.run("segment_threshold", *words, "--min-size", 500)
    assert done.stderr.count("it has no objects") == 2
    assert "it has no objects at 1 of its 2 time points, first at 0" in done.stderr


def test_a_threshold_with_a_large_offset_is_told_with_all_its_digits(programs):
    source, image = programs.folder / "a.tif", "32 bits, an offset"
    _, (threshold, _) = programs.grey_levels(["save", image, source], ["segment", image, *RAW])
    words = ["--input-search-pattern", source, "--output-folder", programs.folder / "out"]
    done = programs.run("segment_threshold", *words, *RAW)
    assert f"9 objects, threshold {threshold:.0f}\n" in done.stderr
    done = programs.run("segment_threshold", *words, "--threshold", 2**30 + 120)
    assert "9 objects, threshold 1073741944\n" in done.stderr
