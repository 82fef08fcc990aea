"""generate_synthetic_er.py, compare_ernet_synthetic.py and write_er_page.py as users run them."""

import csv
import re
import subprocess
from html.parser import HTMLParser

import pytest

from tests.programs.conftest import REPO, child_environment

NAMES = ["generate_synthetic_er", "compare_ernet_synthetic", "write_er_page"]


def synthetic(er, *more):
    """Two small images, one of each of two kinds' worth, in a folder whose name is as names are."""
    folder = er.folder / "Größe & o'ER [1]"
    er.run("generate_synthetic_er", "--output-folder", folder, "--size", 96, "--N", 2, *more)
    return folder


def compare(er, folder, *more, code=0):
    """The truth stands for a prediction, unless told otherwise."""
    folders = ["--prediction-folder", folder / "truth", "--truth-folder", folder / "truth"]
    arguments = [*folders, "--prediction-suffix", "_truth", "--output-folder", er.folder / "out", *more]
    return er.run("compare_ernet_synthetic", *arguments, code=code)


def rows(er):
    with (er.folder / "out" / "comparison.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", NAMES)
def test_help_is_quick_by_path_and_by_module(er, name):
    python, *rest = er.command(name, "--help")
    environ = child_environment(er.environments)
    done = subprocess.run(
        [python, "-X", "importtime", *rest], env=environ, capture_output=True, encoding="utf-8", check=True
    )
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"numpy", "tifffile", "skimage", "scipy", "PIL", "onnxruntime", "torch", "tqdm"}
    assert "--dry-run" in done.stdout
    command = [python, "-m", f"standard_code.python.{name}", "--help"]
    assert subprocess.run(command, cwd=REPO, env=environ, capture_output=True, encoding="utf-8").stdout == done.stdout


def test_darkness_may_stand_alone_as_in_older_pipelines_and_means_half_the_light(er):
    for name, words in (("alone", []), ("half", [0.5])):
        where = ["--output-folder", er.folder / name, "--size", 32, "--N", 1]
        er.run("generate_synthetic_er", *where, "--break-prob", 0, "--darkness", *words)
    alone, half = ((er.folder / name / "images" / "er_plain_001.ome.tif").read_bytes() for name in ("alone", "half"))
    assert alone == half


def test_images_and_truth_are_written_with_their_pixel_size(er):
    folder = synthetic(er, "--kind", "low-light")
    assert sorted(path.name for path in (folder / "images").iterdir()) == [
        "er_low-light_001.ome.tif",
        "er_low-light_002.ome.tif",
    ]
    image = er.inside("look", folder / "images" / "er_low-light_002.ome.tif")
    truth = er.inside("look", folder / "truth" / "er_low-light_002_truth.tif")
    assert (image["shape"], image["type"], image["pixel_size"], image["ome"]) == (
        [1, 1, 1, 96, 96],
        "uint16",
        0.06,
        True,
    )
    assert (truth["shape"], truth["type"], truth["values"]) == ([1, 1, 1, 96, 96], "uint8", [0, 1])


def test_equal_arguments_give_equal_files(er):
    first = {path.name: path.read_bytes() for path in synthetic(er, "--seed", 4).rglob("*.tif")}
    assert {path.name: path.read_bytes() for path in synthetic(er, "--seed", 4).rglob("*.tif")} == first
    assert {path.name: path.read_bytes() for path in synthetic(er, "--seed", 5).rglob("*.tif")} != first


def test_a_dry_run_writes_nothing(er):
    done = er.run("generate_synthetic_er", "--output-folder", "out", "--kind", "all", "--N", 3, "--dry-run")
    assert "12 images would be made; nothing was written." in done.stdout
    assert not list(er.folder.iterdir())


@pytest.mark.parametrize("wrong", [["--break-prob", "1.5"], ["--darkness", "-1"], ["--size", "8"], ["--kind", "nice"]])
def test_arguments_that_make_no_sense_are_refused(er, wrong):
    assert wrong[0] in er.run("generate_synthetic_er", "--output-folder", "out", *wrong, code=2).stderr


def test_a_prediction_that_is_the_truth_agrees_fully(er):
    done = compare(er, synthetic(er, "--kind", "plain"))
    assert [row["image"] for row in rows(er)] == ["er_plain_001", "er_plain_002"]
    for row in rows(er):
        assert [row[f"dice_{name}"] for name in ("foreground", "centreline", "tubule")] == ["1.0000"] * 3
        assert (row["dice_sheet"], row["dice_SBT"]) == ("", "")
    assert "dice_foreground: mean 1.0000 of 2 images" in done.stdout
    assert f"Table: {er.folder / 'out' / 'comparison.csv'}" in done.stdout


def test_a_prediction_that_finds_nothing_has_a_dice_of_zero(er):
    folder = synthetic(er)
    for number in (1, 2):
        er.inside("empty_mask", folder / "found" / f"er_plain_00{number}_ernet_mask.tif", 96)
    compare(er, folder, "--prediction-folder", folder / "found", "--prediction-suffix", "_ernet_mask")
    assert [row["dice_foreground"] for row in rows(er)] == ["0.0000", "0.0000"]


def test_what_is_missing_or_does_not_fit_is_told_in_words(er):
    folder = synthetic(er)
    assert "there is no prediction" in compare(er, folder, "--prediction-suffix", "_x", code=1).stderr
    assert "holds no files whose names end in _y.tif" in compare(er, folder, "--truth-suffix", "_y", code=1).stderr
    assert "is no folder" in compare(er, folder, "--truth-folder", er.folder / "gone", code=1).stderr
    other = ["--truth-folder", folder / "images", "--truth-suffix", "", "--prediction-suffix", "_truth"]
    assert "values other than the classes 0 to 3" in compare(er, folder, *other, code=1).stderr
    for number in (1, 2):
        er.inside("empty_mask", folder / "found" / f"er_plain_00{number}_truth.tif", 80)
    assert "sizes" in compare(er, folder, "--prediction-folder", folder / "found", code=1).stderr


class Page(HTMLParser):
    """Counts the elements of a page, and sees that all are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.sources = [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_shows_every_image_and_needs_no_other_file(er):
    folder = synthetic(er)
    compare(er, folder)
    measures = er.folder / "measures" / "er_plain_001_network.csv"
    measures.parent.mkdir()
    measures.write_text("image,junctions\nA <b>,12\n", encoding="utf-8")
    done = er.run(
        "write_er_page",
        *("--image-folder", folder / "images", "--truth-folder", folder / "truth"),
        *("--prediction-folder", folder / "truth", "--prediction-suffix", "_truth"),
        *("--comparison", er.folder / "out" / "comparison.csv", "--measures-folder", measures.parent),
        *("--output-folder", er.folder / "pägé"),
    )
    path = er.folder / "pägé" / "segment_er.html"
    assert done.stdout.splitlines() == [f"Page: {path}"]
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert (page.seen.count("img"), page.seen.count("table")) == (8, 2)
    assert all(re.match(r"data:image/(png|jpeg);base64,", source) for source in page.sources)
    assert "A &lt;b&gt;" in text
    assert "<td>mean</td><td>1.0000</td>" in text


def test_the_page_says_which_image_is_missing(er):
    folder = synthetic(er)
    (folder / "images" / "er_plain_002.ome.tif").unlink()
    done = er.run(
        "write_er_page",
        *("--image-folder", folder / "images", "--truth-folder", folder / "truth", "--output-folder", "page"),
        *("--prediction-folder", folder / "truth", "--prediction-suffix", "_truth"),
        code=1,
    )
    assert "there is no image" in done.stderr
    assert not (er.folder / "page").exists()


def test_the_network_keeps_to_the_cores_that_it_is_told(er):
    image = synthetic(er) / "images" / "er_plain_001.ome.tif"
    command = er.command("_segment_ernet", "--input-search-pattern", image, "--output-folder", er.folder / "found")
    environ = child_environment(er.environments) | {"RUN_PIPELINE_CPUS": "1"}
    done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=True)
    assert "The network runs in onnxruntime on the CPU, 1 core.\n" in done.stdout
