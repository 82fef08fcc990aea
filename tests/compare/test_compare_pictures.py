"""The pictures of a report show what they promise: the micrograph, the worst place, the colours of the legend."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from runner.compare import page_pair
from runner.compare.backgrounds import Backgrounds
from runner.compare.results import Pair, Rung
from tests.compare.conftest import Bench
from tests.programs.conftest import PROGRAMS, python_of

LOOKING = Path(__file__).with_name("looking.py")


def pictures(bench: Bench, *what: str) -> dict[str, dict[str, Any]]:
    """By file and by what a picture shows: the share of each colour."""
    bench.make(*what)
    report = bench.root / "report"
    bench.run("compare", bench.a, bench.b, "--report", report, code=1)
    python = python_of("compare", bench.shared / "groups")
    done = subprocess.run([python, LOOKING, report], check=True, stdout=subprocess.PIPE)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def test_the_pictures_of_a_planted_merge_tell_it_by_colours_over_the_micrograph(bench: Bench) -> None:
    shown = pictures(bench, "merge")["labels/cell_labels.tif"]
    assert shown["outlines"]["shades"] > 40, "a drawing or nothing stands behind them"
    assert shown["object 4 of A, where it differs most"]["shades"] > 10
    assert shown["difference"]["vermilion"] > 0.025, "two discs were merged"
    assert 0.01 < shown["difference"]["blue"] < 0.025, "one was split"
    assert 0.015 < shown["difference"]["yellow"] < 0.025, "one was lost"
    assert shown["difference"]["sky blue"] > 0, "the cut is B's alone"
    page = (bench.root / "report" / "index.html").read_text(encoding="utf-8")
    figures = re.findall(r'<figure id="([^"]+)"><a href="#([^"]+)".*?<img src="[^"]+".*?<figcaption>([^<]+)<', page)
    assert len(figures) == page.count("<img") == 15, "each has its caption"
    assert all(own == target for own, target, _ in figures), "each enlarges"
    for word in ("only A", "only B", "one object of A, several in B", "several of A, one in B"):
        assert word in page
    for told in ("1, 2 in A, which are 1 in B", "is 3, 9 in B", "lost"):
        assert told in page


def test_the_first_row_of_the_table_is_shown_where_it_differs_also_in_a_stack_or_a_mask(bench: Bench) -> None:
    found = pictures(bench, "far", "deep", "specks")
    far = found["far_labels.tif"]["object 7 of A, where it differs most"]
    assert far["yellow"] > 0.003, "what only A has is not there"
    assert far["white"] == 0, "the piece that both have was shown"
    deep = found["deep_labels.tif"]
    assert deep["A"]["sky blue"] > 0.01, "object 1 is in its first planes alone"
    assert deep["object 1 of A, where it differs most"]["yellow"] > 0.003
    speck = found["specks_mask.tif"]["object 1 of B, where it differs most"]
    assert speck["sky blue"] > 0
    assert speck["yellow"] == 0, "the large piece is elsewhere"


def pair(index: int, name: str, rung: Rung = Rung.SAME, kind: str = "image") -> Pair:
    return Pair(index, name, Path("a", name), Path("b", name), rung, kind)


def test_images_of_the_same_folder_and_unchanged_ones_come_first_as_backgrounds() -> None:
    labels = pair(0, "labels/B1/0_labels.tif", Rung.DIFFERENT, "labels")
    others = [
        pair(1, "outlines/B1/0_outlines.png", Rung.DIFFERENT), pair(2, "tif/A1/0.ome.tif"), pair(3, "tif/B1/0.ome.tif"),
        pair(4, "tif/B1/1.ome.tif"), pair(5, "tif/C1/0.ome.tif"),
    ]  # fmt: skip
    assert [one.index for one in Backgrounds([labels, *others]).of(labels)] == [3, 1, 2, 5]
    within = pair(0, "two/cell.ome.zarr/labels/nuclei", Rung.DIFFERENT, "labels")
    others = [pair(1, "one/cell.ome.zarr"), pair(2, "two/cell.ome.zarr"), pair(3, "two/nuclei.tif")]
    assert [one.index for one in Backgrounds(others).of(within)] == [2, 1]


def test_the_page_names_the_colours_with_which_the_pictures_are_drawn() -> None:
    palette: dict[str, Any] = {}
    exec((PROGRAMS / "_pixels/palette.py").read_text(encoding="utf-8"), palette)
    for name in ("OLD", "NEW", "BOTH", "SPLIT", "MERGED"):
        assert getattr(page_pair, name) == "#" + bytes(palette[name]).hex()
