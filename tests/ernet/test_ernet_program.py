"""_segment_ernet.py as users run it, in onnxruntime and in PyTorch."""

import os
import subprocess
import sys

import pytest

from tests.programs.conftest import REPO

HEAVY = {"torch", "numpy", "onnxruntime", "onnx", "tifffile", "skimage", "scipy", "tqdm", "multiprocessing"}


@pytest.fixture
def images(engine):
    engine.ask("make_images", engine.folder / "images")
    return engine.folder / "images"


def test_every_kind_of_image_is_segmented_and_a_corrupt_one_is_named(engine, images):
    weights = engine.folder / "official.pth"
    engine.ask("checkpoints_in", engine.folder)
    where = ["--input-search-pattern", images / "*.tif", "--output-dir", engine.folder / "out"]
    done = engine.run(*where, "--weights", weights, "--ernet-dir", "x", "--output-ome-tif", code=1)
    assert done.stdout.startswith("The network runs in " + {"onnx": "onnxruntime", "torch": "PyTorch"}[engine.name])
    assert "error: 2 files of 8 failed:" in done.stderr
    assert f"{images / 'corrupt.tif'}: it cannot be read as a TIFF image" in done.stderr
    assert f"{images / 'nan.tif'}: it has values that are no numbers" in done.stderr
    found = engine.ask("look", engine.folder / "out")
    shapes = {"u8": [67, 91], "ü 16 [1]": [67, 91], "float": [67, 91], "one": [1, 1], "flat": [20, 31]}
    for name, shape in (shapes | {"stack": [2, 3, 40, 50]}).items():
        mask = found[f"{name}_ernet_mask.tif"]
        assert (mask["shape"], mask["dtype"], mask["named"]) == (shape, "uint8", True), name
        assert set(mask["classes"]) <= {0, 1, 2, 3}
        assert found[f"{name}_ernet_overlay.png"] == ["RGB", shape[-1], shape[-2]]
    assert found["ü 16 [1]_ernet_mask.tif"]["size"]
    assert found["ü 16 [1]_ernet_network.csv"][0]["tubule_length_um"]
    assert [(row["t"], row["z"]) for row in found["stack_ernet_network.csv"]] == [(t, z) for t in "01" for z in "012"]


def test_help_answers_by_path_and_as_a_module_and_imports_nothing_heavy(onnx):
    for how in (
        [REPO / "standard_code" / "python" / "_segment_ernet.py"],
        ["-m", "standard_code.python._segment_ernet"],
    ):
        command = [onnx.python, "-X", "importtime", *how, "--help"]
        done = subprocess.run(command, cwd=REPO, env=onnx.environ(), capture_output=True, encoding="utf-8", check=True)
        assert all(word in done.stdout for word in ("--weights", "--device", "--mask-class", "--tile-size"))
        imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
        assert "argparse" in imported
        assert not imported & HEAVY


@pytest.fixture
def small(onnx):
    """A fast model, and the arguments to use it with."""
    onnx.ask("make_images", onnx.folder / "images")
    onnx.ask("small_model", onnx.folder / "small.onnx")
    return ["--output-folder", onnx.folder / "out", "--weights", onnx.folder / "small.onnx"]


def test_the_mask_keeps_the_classes_that_are_asked_for(onnx, small):
    image = ["--input-search-pattern", onnx.folder / "images" / "u8.tif"]
    onnx.run(*image, *small, "--no-overlay")
    every = onnx.ask("look", onnx.folder / "out")
    onnx.run(*image, *small, "--mask-class", "sheet", "--output-suffix", "_sheet", "--no-overlay")
    sheets = onnx.ask("look", onnx.folder / "out")
    assert every["u8_ernet_mask.tif"]["classes"] == [0, 1]
    assert sheets["u8_sheet.tif"]["classes"] == [0]
    assert sheets["u8_ernet_network.csv"] == every["u8_ernet_network.csv"]
    assert not [name for name in sheets if name.endswith(".png")]


def test_of_a_file_with_several_images_the_first_is_taken_and_that_is_said(onnx, small):
    onnx.ask("several_images", onnx.folder / "several.ome.tif")
    done = onnx.run("--input-search-pattern", onnx.folder / "several.ome.tif", *small)
    assert "warning: several.ome.tif: it holds 2 images; the first is taken" in done.stderr
    assert onnx.ask("look", onnx.folder / "out")["several_ernet_mask.tif"]["shape"] == [20, 30]


def test_a_dry_run_writes_and_fetches_nothing(onnx, small):
    image = ["--input-search-pattern", onnx.folder / "images" / "*.tif"]
    done = onnx.run(*image, *small, "--weights", "http://127.0.0.1:9/x.pth", "--dry-run")
    assert "8 files would be processed" in done.stdout
    assert not (onnx.folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "none.pth"], "there is no such file"),
        (["--weights", "ftp://host/x.pth"], "only addresses with http"),
        (["--tile-size", "10"], "--tile-size 10 is too small for this network"),
        (["--device", "directml"], "Install onnxruntime-directml"),
        (["--device", "cuda"], "Install onnxruntime-gpu"),
        (["--channel-index", "3"], "there is no channel 3: it has 1"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(onnx, small, words, said):
    done = onnx.run("--input-search-pattern", onnx.folder / "images" / "u8.tif", *small, *words, code=1)
    assert said in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a child's largest memory")
def test_a_large_image_takes_little_more_memory_than_its_mask(onnx, small):
    """At this size the bands of rows take a good part of it; 20,000 x 20,000 pixels have five bytes each in 2 GB."""
    peaks = []
    for side in (1000, 5000):
        onnx.ask("large_image", onnx.folder / f"{side}.tif", side)
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        program = [onnx.python, REPO / "standard_code" / "python" / "_segment_ernet.py"]
        image = ["--input-search-pattern", onnx.folder / f"{side}.tif", "--no-overlay", "--maxcores", "1"]
        command = [onnx.python, "-c", code, *program, *small, *image]
        done = subprocess.run(
            list(map(str, command)), cwd=onnx.folder, env=onnx.environ(), check=True, capture_output=True, text=True
        )
        peaks.append(int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024))
    assert (peaks[1] - peaks[0]) / (5000**2 - 1000**2) < 10
