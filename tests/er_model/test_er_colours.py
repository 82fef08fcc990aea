"""One palette: a class of the ER, and a side of a comparison, has one colour everywhere, and all can tell it apart."""

import base64
import re
from itertools import combinations

import pytest

from tests.programs.conftest import PROGRAMS, REPO

# How eyes without one of the three kinds of cones see red, green and blue light (Machado, Oliveira and Fernandes 2009).
EYES = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def palette():
    values = {}
    exec((PROGRAMS / "_pixels/palette.py").read_text(encoding="utf-8"), values)
    return values


def lab(colour, eye):
    """Of a colour as an eye sees it: lightness and two opponent colours, in which distances are what people feel."""
    light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)]
    r, g, b = (min(1, max(0, sum(share * part for share, part in zip(row, light, strict=True)))) for row in eye)
    xyz = (0.434 * r + 0.376 * g + 0.190 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.018 * r + 0.109 * g + 0.873 * b)
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def apart(one, other):
    return min(
        sum((a - b) ** 2 for a, b in zip(lab(one, eye), lab(other, eye), strict=True)) ** 0.5 for eye in EYES.values()
    )


@pytest.mark.parametrize("names", [["ER"], ["OLD", "NEW", "BOTH", "SPLIT", "MERGED"]])
def test_every_eye_tells_the_colours_of_a_picture_apart(names):
    found = palette()
    colours = [colour for name in names for colour in (found[name] if name == "ER" else [found[name]])]
    nearest = min(combinations(colours, 2), key=lambda two: apart(*two))
    assert apart(*nearest) > 20, nearest


def test_overlay_and_page_and_comparison_show_a_class_in_the_same_colour(er):
    er.run("generate_synthetic_er", "--output-folder", "made", "--kind", "sheets", "--N", 1, "--size", 256)
    er.run("_segment_ernet", "--input-search-pattern", "made/images/*.tif", "--output-folder", "found")
    er.run(
        "write_er_page",
        *("--image-folder", "made/images", "--truth-folder", "made/truth", "--prediction-folder", "found"),
        *("--output-folder", "page"),
    )
    text = (er.folder / "page" / "segment_er.html").read_text(encoding="utf-8")
    prediction = er.folder / "prediction.png"
    prediction.write_bytes(base64.b64decode(re.findall(r"data:image/png;base64,([^\"]+)", text)[1]))
    mask = er.folder / "found" / "er_sheets_001_ernet_mask.tif"
    overlay = er.folder / "found" / "er_sheets_001_ernet_overlay.png"
    wanted = [list(colour) for colour in palette()["ER"][1:]]
    assert er.inside("colours_of_classes", mask, prediction) == wanted
    for found, colour in zip(er.inside("tints_of_classes", mask, overlay), wanted, strict=True):
        assert found == pytest.approx([(part - colour[0]) / 2 for part in colour], abs=1)
    legend = re.findall(r"background: rgb\((\d+), (\d+), (\d+)\)", text)
    assert [[int(part) for part in colour] for colour in legend] == wanted
    assert [list(colour) for colour in palette()["OBJECTS"][:3]] == wanted, "compare shows masks in these"


@pytest.mark.parametrize("page", ["docs/ernet.md", "standard_code/models/er_default.md"])
def test_the_docs_name_the_colours_that_the_pictures_have(page):
    text = (REPO / page).read_text(encoding="utf-8")
    found = re.findall(r"(tubule|sheet|SBT)s? (?:is|are) [a-z ]+\((#\w+)\)", " ".join(text.split()), re.IGNORECASE)
    names = ("tubule", "sheet", "sbt")
    wanted = [(name, "#" + bytes(colour).hex()) for name, colour in zip(names, palette()["ER"][1:], strict=True)]
    assert [(name.lower(), colour) for name, colour in found] == wanted
