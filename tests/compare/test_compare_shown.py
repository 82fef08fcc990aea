"""Images are compared as a viewer shows them, label images by their numbers."""

from __future__ import annotations

from tests.compare.conftest import Bench


def test_images_are_the_same_where_they_look_the_same_and_not_where_their_numbers_are(bench: Bench) -> None:
    bench.make("shown")
    files = bench.files(bench.compare(code=1))
    rungs = {name: pair["rung"] for name, pair in files.items()}
    assert rungs == {
        "equal numbers.tif": "different",
        "equal looks.tif": "same content",
        "equal bits.tif": "different",
        "looks of bits.tif": "same content",
        "bits and bytes.tif": "same content",
        "palettes.tif": "different",
        "palette and colours.tif": "same content",
        "ink.tif": "different",
        "palette_labels.tif": "same content",
        "float_labels.tif": "within tolerance",  # only the number type differs
        "floats.tif": "same content",  # one object has another number
        "white_labels.tif": "different",
        "white_mask.tif": "different",
        "same_white_labels.tif": "same content",
    }
    assert "its colours are CMYK in A" in files["ink.tif"]["said"]
    assert "the pixels are the same, but 0 is white in A" in files["white_labels.tif"]["said"]
    assert files["floats.tif"]["said"] == "the same 2 objects, 1 of them with other numbers"


def test_pictures_with_a_palette_are_compared_in_colour_and_label_images_by_their_numbers(bench: Bench) -> None:
    bench.make("shown_pictures")
    files = bench.files(bench.compare("--report", bench.root / "report", code=1))
    assert {name: pair["rung"] for name, pair in files.items()} == {
        "drawing.png": "different",
        "drawing.bmp": "different",
        "cell_labels.png": "same content",
        "looks.png": "same content",
    }
