"""convert_to_tif on files as microscopes write them, which bioio reads. Its start takes seconds, so files share one."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.lif_file import LifImage, write_lif
from tests.support.nd2_file import write_nd2

ND2_NAMES = ("A1", "well B/2 ü")
IMAGES = (
    LifImage("overview", width=40, height=30),
    LifImage("series: 1", times=3, planes=2, channels=("Green", "Red")),
    LifImage("Series 2", planes=4),
)


def write_all(folder: Path) -> None:
    (folder / "day 1").mkdir(parents=True)
    write_nd2(folder / "day 1" / "stack.nd2", times=3, planes=4, channels=("DAPI", "Grün"))
    write_nd2(folder / "many places.nd2", positions=ND2_NAMES, planes=2)
    write_nd2(folder / "plain.nd2")
    write_lif(folder / "project ß.lif", *IMAGES)
    (folder / "cut short.nd2").write_bytes((folder / "plain.nd2").read_bytes()[:4000])
    (folder / "cut short too.lif").write_bytes((folder / "project ß.lif").read_bytes()[:300])


@pytest.fixture
def files(programs) -> Path:
    """Files of several formats, two of them damaged."""
    return programs.once("microscope", write_all)


@pytest.fixture
def converted(programs, files) -> Path:
    """All images of all files, and what was said."""

    def fill(folder: Path) -> None:
        pattern, out = files / "**" / "*.*", folder / "all"
        done = programs.run(
            *("convert_to_tif", "--input-search-pattern", pattern, "--output-folder", out),
            *("--scene-filter", "all", "--no-parallel"),
            group="bioio",
            code=1,
        )
        (folder / "said.txt").write_text(done.stderr, encoding="utf-8")

    return programs.once("microscope_converted", fill)


def test_an_nd2_file_is_read_exactly_with_pixel_size_channels_and_time(programs, converted):
    path = converted / "all" / "day 1" / "stack.ome.tif"
    found = programs.look(path)
    assert (found["axes"], found["shape"], found["dtype"]) == ("TCZYX", [3, 2, 4, 6, 9], "uint16")
    assert (found["pixel_size"], found["units"]) == ({"X": 0.25, "Y": 0.25, "Z": 1.5}, ["µm"])
    assert found["channels"] == ["DAPI", "Grün"]
    assert found["interval"] == 2.0
    assert programs.holds(path, "nd2_file", position=0)


def test_each_position_of_an_nd2_file_becomes_a_file_with_its_name(programs, converted):
    for number, name in enumerate(["A1", "well B_2 ü"]):
        assert programs.holds(converted / "all" / f"many places__{name}.ome.tif", "nd2_file", position=number)


def test_each_image_of_a_lif_file_is_read_exactly(programs, converted):
    shapes = {"overview": [30, 40], "series_ 1": [3, 2, 2, 5, 8], "Series 2": [4, 5, 8]}
    for name, shape in shapes.items():
        path = converted / "all" / f"project ß__{name}.ome.tif"
        found = programs.look(path)
        assert found["shape"] == shape
        assert (found["pixel_size"]["X"], found["pixel_size"].get("Z")) == (0.5, 2.0 if len(shape) > 2 else None)
        assert programs.holds(path, "lif_file")
    assert programs.look(converted / "all" / "project ß__series_ 1.ome.tif")["channels"] == ["Green", "Red"]


def test_damaged_microscope_files_are_told_and_leave_nothing(converted):
    said = (converted / "said.txt").read_text(encoding="utf-8")
    assert "error: 2 files of 6 failed:" in said
    assert re.search(r"cut short\.nd2: it cannot be read as ND2; it may be damaged \(.+\)", said)
    assert re.search(r"cut short too\.lif: it cannot be read as LIF; it may be damaged \(.+\)", said)
    assert len(list((converted / "all").rglob("*"))) == 1 + 1 + 2 + 1 + 3


def test_scenes_channels_planes_and_times_can_be_chosen_and_projected(programs, files):
    out = programs.folder / "out"
    done = programs.run(
        *("convert_to_tif", "--input-search-pattern", files / "**" / "*[ksß].*", "--output-folder", out),
        *("--scene-filter", "excludes", "--scene-filter-strings", "overview", "A1", "Series"),
        *("--channels", "0", "--z-planes", "1,0", "--projection-method", "sum", "--collapse-delimiter", "__"),
        "--no-parallel",
        group="bioio",
    )
    assert "many places.nd2: it holds 2 images; 1 of them left out: 'A1'. See --scene-filter." in done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "day 1__stack.ome.tif",
        "many places.ome.tif",
        "project ß.ome.tif",
    ]
    found = programs.look(out / "day 1__stack.ome.tif")
    assert (found["axes"], found["shape"], found["dtype"]) == ("TYX", [3, 6, 9], "uint32")
    assert (found["channels"], found["interval"]) == (["DAPI"], 2.0)
    assert found["first"][:3] == [100, 102, 104]  # of planes 0 and 1


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the CZI library has no wheels for this Python yet")
def test_a_czi_file_is_read_exactly_in_the_group_of_its_own(programs):
    source = programs.write_czi(programs.folder / "größe 1.czi")
    programs.run(
        *("convert_to_tif", "--input-search-pattern", source, "--output-folder", programs.folder / "out"),
        "--no-parallel",
        group="bioio_czi",
    )
    path = programs.folder / "out" / "größe 1.ome.tif"
    found = programs.look(path)
    assert (found["axes"], found["shape"]) == ("TCZYX", [2, 2, 3, 6, 9])
    assert (found["pixel_size"], found["channels"]) == ({"X": 0.25, "Y": 0.25, "Z": 1.5}, ["DAPI", "Grün"])
    assert programs.holds(path, "lif_file")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the CZI library has no wheels for this Python yet")
def test_a_czi_file_in_colour_keeps_its_colours_and_their_order(programs):
    source = programs.write_czi(programs.folder / "a.czi", coloured=True)
    programs.run(
        *("convert_to_tif", "--input-search-pattern", source, "--output-folder", programs.folder / "out"),
        "--no-parallel",
        group="bioio_czi",
    )
    found = programs.look(programs.folder / "out" / "a.ome.tif")
    assert (found["axes"], found["shape"]) == ("ZYXS", [2, 6, 9, 3])
    assert found["first"] == [200, 100, 50, 200, 100, 50]
    assert found["values"] == [50, 51, 100, 101, 200, 201]


def test_a_file_that_needs_bio_formats_is_told_with_its_environment(programs):
    (programs.folder / "a.vsi").write_bytes(b"x")
    pattern, out = programs.folder / "*.vsi", programs.folder / "out"
    done = programs.run("extract_metadata", "--input-search-pattern", pattern, "--output-folder", out, code=1)
    assert "environment: uv:bioio_bioformats" in done.stderr


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the CZI library has no wheels for this Python yet")
@pytest.mark.parametrize("numbers", [(1, 2, 3), (0, 1), (4,)])
def test_scenes_that_a_czi_file_does_not_list_are_read_too(programs, numbers):
    source = programs.write_czi_scenes(programs.folder / "a.czi", *numbers)
    words = ("--input-search-pattern", source, "--output-folder", programs.folder / "out", "--scene-filter", "all")
    done = programs.run("convert_to_tif", *words, group="bioio_czi")
    assert ("its description lists 1 scenes" in done.stderr) == (len(numbers) > 1)
    found = [programs.look(path) for path in sorted((programs.folder / "out").glob("*.tif"))]
    assert [one["values"] for one in found] == [[number] for number in numbers]
    assert [one["shape"] for one in found] == [[6 + number, 9] for number in numbers]
