import csv
import math

import pytest


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def measured(programs, source, *more):
    """The table of `source`, which is segmented first."""
    out = programs.folder / "out"
    programs.run("segment_threshold", "--input-search-pattern", source, "--output-folder", out)
    programs.run("mask_measure", "--input-search-pattern", source, "--mask-folder", out, "--output-folder", out, *more)
    (result,) = out.glob("*_objects.csv")
    return table(result)


def test_the_real_cell_is_a_round_bright_object_of_13_micrometres(programs, cell):
    tif = programs.folder / "tif"
    programs.run("convert_to_tif", "--input-search-pattern", cell, "--output-folder", tif, "--pixel-size", 0.107)
    (row,) = measured(programs, tif / "*.tif")
    assert (row["image"], row["label"]) == ("o'cell ß.ome.tif", "1")
    assert float(row["area_um2"]) == pytest.approx(float(row["area_px"]) * 0.107**2)
    assert float(row["equivalent_diameter_um"]) == pytest.approx(13.1, abs=0.2)
    assert float(row["eccentricity"]) < 0.3
    assert 0.85 < float(row["circularity"]) < 1.1
    assert (float(row["centroid_x_px"]), float(row["centroid_y_px"])) == pytest.approx((428, 374), abs=2)
    assert float(row["intensity_max"]) == 255
    assert float(row["intensity_min"]) < float(row["intensity_mean"]) < 255
    assert row["touches_edge"] == "0"


def test_a_known_disc_has_the_size_place_and_brightness_that_it_was_made_with(programs):
    rows = measured(programs, programs.make("series", programs.folder / "in" / "a.ome.tif"))
    assert [(row["time_point"], row["label"]) for row in rows] == [("0", "1"), ("1", "1"), ("1", "2")]
    last = rows[-1]
    assert float(last["area_px"]) == pytest.approx(math.pi * 15**2, rel=0.03)
    assert (float(last["centroid_x_px"]), float(last["centroid_y_px"])) == pytest.approx((90, 60), abs=0.2)
    assert float(last["intensity_mean"]) == pytest.approx(1000, abs=15)
    assert float(last["intensity_sum"]) == pytest.approx(float(last["intensity_mean"]) * float(last["area_px"]))


def test_shapes_with_holes_parts_lines_and_single_pixels_are_measured(programs):
    image = programs.make("labels", programs.folder / "in" / "a.tif")
    programs.make("labels", programs.folder / "masks" / "a.tif")
    out = programs.folder / "out"
    done = programs.run(
        *(
            "mask_measure",
            "--input-search-pattern",
            image,
            "--mask-search-pattern",
            programs.folder / "masks" / "*.tif",
        ),
        *("--output-folder", out),
    )
    assert "warning" not in done.stderr
    rows = {row["label"]: row for row in table(out / "a_objects.csv")}
    assert list(rows) == ["1", "2", "4", "300"]
    assert (rows["1"]["holes"], rows["1"]["area_px"], rows["1"]["convex_area_px"]) == ("1", "55", "63")
    assert float(rows["1"]["feret_diameter_px"]) == pytest.approx(math.hypot(7, 9))
    assert float(rows["4"]["feret_diameter_px"]) == pytest.approx(math.hypot(6, 6))
    assert float(rows["300"]["feret_diameter_px"]) == pytest.approx(math.sqrt(2))
    assert (rows["300"]["solidity"], rows["300"]["circularity"], rows["300"]["extent"]) == ("1", "", "1")
    assert (rows["300"]["intensity_median"], rows["300"]["intensity_centroid_x_px"]) == ("300", "29")
    assert float(rows["1"]["nearest_distance_px"]) == pytest.approx(float(rows["2"]["nearest_distance_px"]), abs=2)


def test_brightness_is_measured_in_each_channel_that_is_asked_for(programs):
    folder = programs.folder / "in" / "day 1"
    for name in ("a", "b"):
        programs.make("thin", folder / f"{name}.tif")
    out, masks = programs.folder / "out", programs.folder / "masks"
    second = ["--input-search-pattern2", folder / "b.tif", "--merge-method", "sum", "--channels", "[0, [0, 1]]"]
    programs.run("merge_channels", "--input-search-pattern", folder / "a.tif", "--output-folder", out, *second)
    merged = programs.folder / "out" / "**" / "a_merged.ome.tif"
    programs.run("segment_threshold", "--input-search-pattern", folder / "a.tif", "--output-folder", masks)
    pattern = ["--mask-folder", masks, "--mask-suffix", "_labels"]
    (masks / "a_labels.tif").rename(masks / "a_merged_labels.tif")
    programs.run(
        "mask_measure", "--input-search-pattern", merged, *pattern, "--output-folder", out, "--channels", "all"
    )
    for row in table(out / "a_merged_objects.csv"):
        assert float(row["intensity_sum_c1"]) == 2 * float(row["intensity_sum_c0"])
        assert row["intensity_centroid_x_px_c1"] == row["intensity_centroid_x_px_c0"]
        assert "intensity_sum" not in row


def test_micrometres_stay_empty_where_the_pixel_size_is_not_known(programs):
    rows = measured(programs, programs.make("edge", programs.folder / "in" / "a.tif"))
    assert {row["area_um2"] for row in rows} == {""}
    assert [row["touches_edge"] for row in rows] == ["1", "0"]


def test_an_image_without_objects_gives_a_table_with_headings_alone(programs):
    assert measured(programs, programs.make("flat", programs.folder / "in" / "a.tif")) == []


def test_an_image_without_labels_fails_alone(programs):
    out, folder = programs.folder / "out", programs.folder / "in"
    programs.run(
        "segment_threshold", "--input-search-pattern", programs.make("thin", folder / "a.tif"), "--output-folder", out
    )
    programs.make("thin", folder / "b.tif")
    done = programs.run(
        "mask_measure", "--input-search-pattern", folder / "*.tif", "--mask-folder", out, "--output-folder", out, code=1
    )
    assert f"b.tif: there is no label image {out / 'b_labels.tif'}. Was it segmented?" in done.stderr
    assert len(table(out / "a_objects.csv")) == 2


def test_labels_of_another_size_are_refused(programs):
    image = programs.make("thin", programs.folder / "in" / "a.tif")
    programs.make("flat", programs.folder / "masks" / "a_labels.tif")
    folders = ["--mask-folder", programs.folder / "masks", "--output-folder", programs.folder / "out"]
    done = programs.run("mask_measure", "--input-search-pattern", image, *folders, code=1)
    assert "has another size: 30 x 20 pixels against 150 x 100 pixels" in done.stderr


def test_objects_may_have_any_number(programs):
    labels = programs.make("label high", programs.folder / "masks" / "a_labels.tif")
    image = programs.make("lzw", programs.folder / "a.tif")
    where = ["--mask-folder", labels.parent, "--output-folder", programs.folder]
    programs.run("mask_measure", "--input-search-pattern", image, *where)
    rows = table(programs.folder / "a_objects.csv")
    assert [(row["label"], row["area_px"]) for row in rows] == [
        ("1", "55"),
        ("2", "33"),
        ("4", "18"),
        ("4000000000", "1"),
    ]
