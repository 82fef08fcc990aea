"""Lengths and times keep their meaning, in whatever unit a file tells them."""

import importlib.util

import pytest

from tests.programs.conftest import PROGRAMS

spec = importlib.util.spec_from_file_location("_units", PROGRAMS / "_image/units.py")
units = importlib.util.module_from_spec(spec)
spec.loader.exec_module(units)


@pytest.mark.parametrize(
    ("micrometres", "names"),
    [
        (
            1,
            [
                "µm",
                "\u03bcm",
                "um",
                "UM",
                "micron",
                "Microns",
                "micrometer",
                "micrometre",
                "micrometers",
                "Micrometres",
            ],
        ),
        (1, ["\\u00B5m", "\\u00b5m", "Âµm", "Î¼m", "&#181;m", "&micro;m", "㎛", " µm\0", "[µm]", "µ"]),
        (1e-4, ["Å", "\u212b", "A\u030a", "A", "angstrom", "Angstroms", "ångström", "Ångström", "Ã…"]),
        (1e-3, ["nm", "NM", "nanometer", "nanometre", "Nanometers"]),
        (1e-6, ["pm", "picometer"]),
        (1e-9, ["fm", "femtometre"]),
        (1e3, ["mm", "MM", "millimeter"]),
        (1e4, ["cm", "centimeter", "centimetres"]),
        (1e5, ["dm", "decimeter"]),
        (1e6, ["m", "meter", "metres"]),
        (1e9, ["km", "kilometer"]),
        (1e12, ["Mm", "megameter"]),
        (25400, ["in", "inch", "inches", "Inch", '"', "in."]),
        (25.4, ["thou", "mil"]),
        (304800, ["ft", "foot", "feet"]),
        (914400, ["yd", "yard"]),
        (25400 / 72, ["pt"]),
    ],
)
def test_a_length_has_its_size_however_its_unit_is_written(micrometres, names):
    assert {name: units.micrometres(name) for name in names} == dict.fromkeys(names, micrometres)


@pytest.mark.parametrize(
    ("seconds", "names"),
    [
        (1, ["s", "sec", "secs", "second", "Seconds", "sec."]),
        (1e-3, ["ms", "msec", "millisecond", "MS"]),
        (1e-6, ["µs", "us", "usec", "microsecond"]),
        (1e-9, ["ns", "nanosecond"]),
        (60, ["min", "mins", "minute", "Minutes"]),
        (3600, ["h", "hr", "hour", "hours"]),
        (86400, ["d", "day", "days"]),
    ],
)
def test_a_time_has_its_length_however_its_unit_is_written(seconds, names):
    assert {name: units.seconds(name) for name in names} == dict.fromkeys(names, seconds)


@pytest.mark.parametrize("name", ["furlong", "?m", "\ufffdm", "s", "degree", "pixel", ""])
def test_what_is_no_length_is_never_taken_for_one(name):
    assert units.micrometres(name) is None


def test_no_unit_at_all_is_told_from_one_that_is_not_known():
    assert all(map(units.is_none, ["", " ", "pixel", "Pixels", "px", "reference frame"]))
    assert not any(map(units.is_none, ["furlong", "?m", "µm"]))


def converted(programs, *more):
    done = programs.run(
        *("convert_to_tif", "--input-search-pattern", programs.folder / "a.tif"),
        *("--output-folder", programs.folder / "out", *more),
    )
    return programs.look(programs.folder / "out" / "a.ome.tif"), done.stderr


def imagej(programs, shape=(3, 8, 9), resolution=(2.0, 2.0), **told):
    axes = {"axes": "ZYX"} if len(shape) == 3 else {}
    programs.write_tiff(programs.folder / "a.tif", shape, imagej=True, metadata=axes | told, resolution=resolution)
    return converted(programs)


def test_imagej_may_count_z_in_another_unit_than_x(programs):
    found, _ = imagej(programs, unit="um", zunit="nm", spacing=300)
    assert found["pixel_size"] == {"X": 0.5, "Y": 0.5, "Z": 0.3}


def test_imagej_may_count_each_axis_in_a_unit_of_its_own(programs):
    found, _ = imagej(programs, resolution=(2.0, 0.5), unit="micron", yunit="nm", zunit="mm", spacing=-0.001)
    assert found["pixel_size"] == {"X": 0.5, "Y": 0.002, "Z": 1.0}


@pytest.mark.parametrize(
    ("unit", "micrometres"),
    [
        ("\\u00B5m", 0.5), ("\\u00c5", 5e-5), ("pm", 5e-7), ("fm", 5e-10), ("in", 12700), ("inches", 12700),
        ("micrometre", 0.5), ("nanometer", 5e-4), ("cm", 5000), ("m", 5e5),
    ],
)  # fmt: skip
def test_units_of_imagej_keep_their_meaning(programs, unit, micrometres):
    found, _ = imagej(programs, shape=(8, 9), unit=unit)
    assert found["pixel_size"] == {"X": micrometres, "Y": micrometres}


def test_a_unit_that_is_not_known_is_told(programs):
    found, told = imagej(programs, unit="furlong", spacing=3)
    assert found["pixel_size"] == {}
    assert told.count("'furlong', a unit that is not known here") == 1


def test_an_unknown_unit_of_z_alone_leaves_z_alone_out(programs):
    found, told = imagej(programs, unit="nm", zunit="steps", spacing=3)
    assert found["pixel_size"] == {"X": 5e-4, "Y": 5e-4}
    assert "'steps'" in told


def test_pixels_are_no_unit_and_need_no_word(programs):
    found, told = imagej(programs, unit="pixel", spacing=3)
    assert found["pixel_size"] == {}
    assert "not known here" not in told


def test_the_time_of_imagej_has_a_unit_too(programs):
    metadata = {"axes": "TYX", "finterval": 2.5, "tunit": "min"}
    programs.write_tiff(programs.folder / "a.tif", (3, 8, 9), imagej=True, metadata=metadata)
    assert converted(programs)[0]["interval"] == 150.0


@pytest.mark.parametrize(
    ("unit", "resolution", "size"), [(3, (50_000, 25_000), (0.2, 0.4)), (2, (254, 254), (100, 100))]
)
def test_a_plain_tiff_tells_its_pixel_size_by_its_resolution(programs, unit, resolution, size):
    programs.write_tiff(programs.folder / "a.tif", (8, 9), metadata=None, resolution=resolution, resolutionunit=unit)
    assert converted(programs)[0]["pixel_size"] == dict(zip("XY", size, strict=True))


@pytest.mark.parametrize(("unit", "resolution"), [(2, 72), (2, 96), (2, 1), (3, 28.346), (3, 1), (1, 5000)])
def test_a_resolution_for_printing_or_without_a_unit_is_no_pixel_size(programs, unit, resolution):
    both = (resolution, resolution)
    programs.write_tiff(programs.folder / "a.tif", (8, 9), metadata=None, resolution=both, resolutionunit=unit)
    assert converted(programs)[0]["pixel_size"] == {}


@pytest.mark.parametrize(("unit", "resolution"), [(2, 300), (2, 150), (2, 600), (3, 118.11), (3, 118)])
def test_a_usual_resolution_of_printers_is_no_pixel_size_and_a_warning_tells_what_it_would_be(
    programs, unit, resolution
):
    both = (resolution, resolution)
    programs.write_tiff(programs.folder / "a.tif", (8, 9), metadata=None, resolution=both, resolutionunit=unit)
    found, told = converted(programs)
    assert found["pixel_size"] == {}
    micrometres = {2: 25400, 3: 10000}[unit] / resolution
    assert f"--pixel-size {micrometres:.4f}" in told
    assert "warning" in told
    assert converted(programs, "--pixel-size", micrometres)[0]["pixel_size"]["X"] == pytest.approx(micrometres)


METASERIES = (
    '<MetaData><PlaneInfo><prop id="spatial-calibration-state" type="bool" value="on"/>'
    '<prop id="spatial-calibration-x" type="float" value="0.325"/>'
    '<prop id="spatial-calibration-y" type="float" value="0.5"/>'
    '<prop id="spatial-calibration-units" type="string" value="um"/></PlaneInfo></MetaData>'
)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"extratags": [[34682, 2, 0, "[Scan]\nPixelWidth=5e-09\nPixelHeight=6e-09\n", True]]}, (0.005, 0.006)),
        ({"extratags": [[34118, 2, 0, "0\nAP_PIXEL_SIZE\nPixel Size = 1.25 nm\n", True]]}, (0.00125, 0.00125)),
        ({"description": METASERIES, "software": "MetaSeries"}, (0.325, 0.5)),
        ({"description": METASERIES.replace("on", "off"), "software": "MetaSeries"}, ()),
        ({"extratags": [[34682, 2, 0, "[Scan]\nPixelWidth=wide\n", True]]}, ()),
        ({"extratags": [[34682, 2, 0, "no sections", True]]}, ()),
    ],
)
def test_the_block_of_a_maker_counts_before_a_resolution_for_printing(programs, options, size):
    there = {"metadata": None, "resolution": (96, 96), "resolutionunit": 2} | options
    programs.write_tiff(programs.folder / "a.tif", (8, 9), **there)
    assert converted(programs)[0]["pixel_size"] == dict(zip("XY", size, strict=False))


def test_an_image_of_zeiss_has_its_pixel_size_and_its_thumbnail_has_none(programs):
    programs.make("lsm", programs.folder / "a.tif")
    found, _ = converted(programs)
    assert found["pixel_size"] == {"X": 0.2, "Y": 0.2, "Z": 1.0}
    _, told = converted(programs, "--scene-filter", "all")
    assert "9 x 8 pixels, uint16, 0.2 µm a pixel; scene2: 4 x 4 pixels, uint8, pixel size unknown" in told


def test_ome_may_count_each_axis_in_a_unit_of_its_own(programs):
    lengths = {"X": (5, "Å"), "Y": (2, "in"), "Z": (0.5, "pm")}
    told = {f"PhysicalSize{axis}": value for axis, (value, _) in lengths.items()}
    told |= {f"PhysicalSize{axis}Unit": unit for axis, (_, unit) in lengths.items()}
    programs.write_tiff(programs.folder / "a.tif", (3, 8, 9), ome=True, metadata={"axes": "ZYX"} | told)
    found, _ = converted(programs)
    assert found["pixel_size"] == {"X": 5e-4, "Y": 50800, "Z": 5e-7}
    assert found["units"] == ["µm"]


def test_what_tifffile_tells_in_its_own_way_is_understood(programs):
    metadata = {"axes": "ZYX", "unit": "nm", "spacing": 300}
    programs.write_tiff(programs.folder / "a.tif", (3, 8, 9), metadata=metadata, resolution=(0.01, 0.01))
    assert converted(programs)[0]["pixel_size"] == {"X": 0.1, "Y": 0.1, "Z": 0.3}
