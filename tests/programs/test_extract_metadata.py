import yaml

from tests.support.lif_file import LifImage, write_lif
from tests.support.nd2_file import write_nd2


def listed(programs, pattern, group=""):
    out = programs.folder / "out"
    programs.run(
        *("extract_metadata", "--input-search-pattern", pattern, "--output-folder", out, "--no-parallel"), group=group
    )
    texts = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    return {name: yaml.safe_load(text) for name, text in texts.items()}


def test_microscope_files_tell_sizes_channels_times_and_objective(programs):
    folder = programs.folder / "in"
    folder.mkdir()
    write_nd2(folder / "a ß.nd2", times=3, positions=("A1", 'B "2": ü'), channels=("DAPI", "no: 1 # x"))
    write_lif(folder / "b.lif", LifImage("one", planes=3), LifImage("two", channels=("Red", "Green")))
    found = listed(programs, folder / "*.*")
    nd2 = found["a ß_metadata.yaml"]
    assert nd2["file"] == "a ß.nd2"
    assert nd2["bytes"] == (folder / "a ß.nd2").stat().st_size
    assert [image["name"] for image in nd2["images"]] == ["A1", 'B "2": ü']
    second = nd2["images"][1]
    assert second["sizes"] == {"T": 3, "C": 2, "Z": 1, "Y": 6, "X": 9}
    assert second["values"] == "uint16"
    assert second["pixel_size_um"] == {"x": 0.25, "y": 0.25, "z": None}
    assert second["time_interval_s"] == 2.0
    assert second["channels"] == ["DAPI", "no: 1 # x"]
    assert second["objective"] == "60x/1.4"
    assert second["stage_position_x"] == 100.0
    lif = found["b_metadata.yaml"]["images"]
    assert [(image["name"], image["sizes"]["Z"], image["channels"]) for image in lif] == [
        ("one", 3, ["Green"]),
        ("two", 1, ["Red", "Green"]),
    ]


def test_tiffs_are_listed_in_the_light_environment_with_every_image_that_they_hold(programs):
    programs.make("several", programs.folder / "in" / "a.ome.tif")
    programs.make("imagej", programs.folder / "in" / "b.tif")
    found = listed(programs, programs.folder / "in" / "*.tif", group="convert_to_tif")
    several = found["a_metadata.yaml"]["images"]
    assert [(image["name"], image["sizes"]["X"], image["pixel_size_um"]["x"]) for image in several] == [
        ("image 0", 10, 1.0),
        ("image 1", 40, 2.0),
        ("image 2", 20, 3.0),
    ]
    (imagej,) = found["b_metadata.yaml"]["images"]
    assert imagej["sizes"] == {"T": 3, "C": 2, "Z": 4, "Y": 20, "X": 30}
    assert imagej["pixel_size_um"] == {"x": 0.5, "y": 0.5, "z": 2.0}
