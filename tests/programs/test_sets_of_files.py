"""Images that lie in several OME-TIFF files are one image each, and only files beside them are read for them."""

import pytest

SIZE = 'PhysicalSizeX="5" PhysicalSizeXUnit="Å" PhysicalSizeZ="2" PhysicalSizeZUnit="nm"'
TWO = {"cells": ["a.ome.tif", "b.ome.tif"]}


def convert(programs, pattern="*.tif", *more, program="convert_to_tif", code=0):
    return programs.run(
        *(program, "--input-search-pattern", programs.folder / "in" / pattern),
        *("--output-folder", programs.folder / "out", *more),
        code=code,
    )


def results(programs):
    return sorted(path.name for path in (programs.folder / "out").glob("*"))


def look(programs, name):
    return programs.look(programs.folder / "out" / name)


@pytest.mark.parametrize("companion", ["", "all.companion.ome"])
def test_an_image_of_several_files_is_written_once_and_whole(programs, companion):
    programs.write_set(programs.folder / "in", TWO, companion, SIZE)
    done = convert(programs)
    assert results(programs) == ["a.ome.tif"]
    assert "b.ome.tif: its planes belong to the image that starts in a.ome.tif, and are in its result" in done.stderr
    assert done.stdout.startswith("1 file done")
    found = look(programs, "a.ome.tif")
    assert (found["axes"], found["shape"]) == ("CZYX", [2, 4, 8, 9])
    assert found["values"] == list(range(8))
    assert found["pixel_size"] == {"X": 5e-4, "Y": 5e-4, "Z": 2e-3}


def test_a_companion_file_can_be_named_in_place_of_its_tiff_files(programs):
    programs.write_set(programs.folder / "in", TWO, "all.companion.ome", SIZE)
    convert(programs, "*.companion.ome")
    assert results(programs) == ["all.ome.tif"]
    assert look(programs, "all.ome.tif")["values"] == list(range(8))


def test_a_companion_file_among_its_tiff_files_gives_no_second_result(programs):
    programs.write_set(programs.folder / "in", TWO, "all.companion.ome", SIZE)
    convert(programs, "*")
    assert results(programs) == ["a.ome.tif"]


def test_a_companion_that_is_not_there_is_told_with_its_name(programs):
    programs.write_set(programs.folder / "in", TWO, "all.companion.ome", SIZE)
    (programs.folder / "in" / "all.companion.ome").unlink()
    done = convert(programs)
    assert "what its planes mean is told in all.companion.ome, which is not there" in done.stderr


def test_one_unnamed_channel_leaves_the_other_its_name(programs):
    programs.write_set(programs.folder / "in", TWO)
    convert(programs)
    assert look(programs, "a.ome.tif")["channels"] == ["DAPI"]
    convert(programs, "*.tif", "--channels", "1,0", program="convert_to_tif")
    assert look(programs, "a.ome.tif")["channels"] == ["DAPI"]


def test_a_file_of_the_set_that_is_named_alone_gives_the_whole_image(programs):
    programs.write_set(programs.folder / "in", TWO)
    convert(programs, "b.ome.tif")
    assert results(programs) == ["b.ome.tif"]
    assert look(programs, "b.ome.tif")["values"] == list(range(8))


@pytest.mark.parametrize("companion", ["", "all.companion.ome"])
def test_each_position_in_a_file_of_its_own_is_an_image_of_its_own(programs, companion):
    """As Micro-Manager writes them: each file describes all positions."""
    positions = {f"pos{number}": [f"pos{number}.ome.tif"] for number in range(3)}
    programs.write_set(programs.folder / "in", positions, companion)
    convert(programs)
    assert results(programs) == ["pos0.ome.tif", "pos1.ome.tif", "pos2.ome.tif"]
    for number in range(3):
        assert look(programs, f"pos{number}.ome.tif")["values"] == [100 * number + index for index in range(4)]


def test_images_that_share_files_stay_together(programs):
    programs.write_set(programs.folder / "in", {"p": ["a.ome.tif", "b.ome.tif"], "q": ["b.ome.tif"]})
    convert(programs, "*.tif", "--scene-filter", "all")
    assert results(programs) == ["a__p.ome.tif", "a__q.ome.tif"]
    assert look(programs, "a__q.ome.tif")["values"] == [100, 101, 102, 103]


def test_an_image_whose_files_are_all_missing_does_not_give_its_name_to_another(programs):
    programs.write_set(programs.folder / "in", {"p": ["x.ome.tif"], "q": ["x.ome.tif", "a.ome.tif"]})
    (programs.folder / "in" / "x.ome.tif").unlink()
    convert(programs, "a.ome.tif", program="extract_metadata")
    told = (programs.folder / "out" / "a_metadata.yaml").read_text(encoding="utf-8")
    assert '"q"' in told
    assert '"p"' not in told


def test_a_file_that_was_given_another_name_is_still_read_itself(programs):
    programs.write_set(programs.folder / "in", {"cells": ["a.ome.tif"]})
    (programs.folder / "in" / "a.ome.tif").rename(programs.folder / "in" / "other.ome.tif")
    convert(programs)
    assert look(programs, "other.ome.tif")["values"] == [0, 1, 2, 3]


def test_every_program_takes_a_set_once(programs):
    programs.write_set(programs.folder / "in", TWO)
    convert(programs, "*.tif", program="extract_metadata")
    assert results(programs) == ["a_metadata.yaml"]


@pytest.mark.parametrize("companion", ["", "all.companion.ome"])
@pytest.mark.parametrize(
    "name",
    ["../../x.ome.tif", "/etc/x.ome.tif", "C:/x.ome.tif", "C:x.ome.tif", "..\\..\\x.ome.tif", "\\\\pc\\share\\x.tif"],
)
def test_a_file_that_names_another_one_outside_its_folder_is_refused(programs, companion, name):
    programs.write_set(programs.folder, {"cells": ["x.ome.tif"]})
    programs.write_set(programs.folder / "in" / "deep", {"cells": ["a.ome.tif", name]}, companion)
    done = convert(programs, "deep/a.ome.tif", code=1)
    assert "is not in its folder, so it is not read" in done.stderr
    assert results(programs) == []


def test_a_companion_outside_the_folder_is_refused(programs):
    programs.write_set(programs.folder / "in", TWO, "../all.companion.ome")
    assert "is not in its folder, so it is not read" in convert(programs, code=1).stderr


def test_a_set_in_folders_below_is_read_whichever_way_its_names_are_written(programs):
    (programs.folder / "in" / "more").mkdir(parents=True)
    programs.write_set(programs.folder / "in", {"cells": ["a.ome.tif", "more/b.ome.tif"]}, "all.companion.ome")
    described = programs.folder / "in" / "all.companion.ome"
    text = described.read_text(encoding="utf-8").replace('FileName="more/', 'FileName="more\\')
    described.write_text(text, encoding="utf-8")
    convert(programs, "all.companion.ome")
    assert look(programs, "all.ome.tif")["values"] == list(range(8))


def described(programs, name, size_z, places, uuid=""):
    """A file of two pages with a description of its own."""
    text = (
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" {uuid}><Image ID="I:0">'
        '<Pixels ID="P:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeC="1" SizeT="1" '
        f'PhysicalSizeX="0.5" SizeZ="{size_z}"><Channel ID="C:0"/>{places}</Pixels></Image></OME>'
    )
    programs.write_tiff(programs.folder / "in" / name, (2, 8, 9), description=text, metadata=None)


@pytest.mark.parametrize(
    ("size_z", "places"),
    [
        (900_000_000, "<TiffData/>"),
        (2, '<TiffData IFD="0" PlaneCount="2000000000"/>'),
        (2, '<TiffData IFD="2000000000" PlaneCount="1"/>'),
    ],
)
def test_a_description_of_more_planes_than_can_be_is_refused_at_once(programs, size_z, places):
    described(programs, "a.ome.tif", size_z, places)
    assert "0,000 planes, and the most is 5,000,000" in convert(programs, code=1).stderr


@pytest.mark.parametrize("uuid", ["", 'UUID="urn:uuid:another"'])
def test_planes_of_a_file_without_a_name_lie_in_the_file_that_tells_of_them(programs, uuid):
    places = "".join(f'<TiffData IFD="{z}" FirstZ="{z}"><UUID>urn:uuid:one</UUID></TiffData>' for z in range(2))
    described(programs, "a.ome.tif", 2, places, uuid)
    convert(programs)
    found = look(programs, "a.ome.tif")
    assert (found["axes"], found["shape"], found["sum"]) == ("ZYX", [2, 8, 9], 143 * 144 / 2)


def test_a_dry_run_shows_the_files_of_a_set_with_its_one_result(programs):
    programs.write_set(programs.folder / "in", TWO, "all.companion.ome")
    shown = convert(programs, "*", "--dry-run").stdout
    assert shown.count("in the result of a.ome.tif") == 2
    assert "1 file would be processed; nothing was written." in shown
