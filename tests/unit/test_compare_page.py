"""The page of a comparison answers whether B can be trusted: values beside their limits and A's own noise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from runner.compare import page as page_data
from runner.compare.page import page_of
from runner.compare.results import Comparison, Pair, Part, Picture, Rung, Side
from runner.compare.terms import OF_KIND, TERMS, worst_values
from runner.compare.verdict import conclude


def pair(rung: Rung, kind: str, index: int = 0, **measures: Any) -> Pair:
    checks = measures.pop("checks", {})
    listed = [{"measure": n, "value": value, "limit": limit} for n, (value, limit) in checks.items()]
    own = measures | {"checks": listed}
    return Pair(index, f"{index} <ü>.tif", Path("a"), Path("b"), rung, kind, "it <differs>", 0.1, measures=own)


def page(*pairs: Pair, **of_part: Any) -> str:
    comparison = Comparison("/data/old", "/data/new", [Part("Segment", list(pairs), **of_part)])
    conclude(comparison)
    return page_of(comparison)


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the table of measures, by the measure's name."""
    (table,) = re.findall(r'<table class="checks">.*?</table>', text, re.DOTALL)
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", table)]
    plain = [[re.sub("<.*?>", "", cell) for cell in row] for row in found if row]
    return {row[0]: row[1:] for row in plain}


LABELS = {"pq": 0.97, "mean_iou": 0.98, "dice": 0.995, "checks": {"pq": (0.97, 0.99), "iou": (0.93, 0.9)}}


def test_each_value_stands_beside_its_limit_and_what_a_differs_from_itself() -> None:
    again = worst_values([pair(Rung.WITHIN, "labels", pq=0.999, dice=0.9995), pair(Rung.DIFFERENT, "labels", pq=0.98)])
    found = rows(page(pair(Rung.DIFFERENT, "labels", **LABELS), noise={"labels": 0.02}, noise_values=again))
    assert found == {
        "panoptic quality": ["0.9700", "≥\u00a00.99", "0.9800", "not kept"],
        "IoU of the worst object": ["0.9300", "≥\u00a00.9", "the same", "kept"],
        "mean IoU": ["0.9800", "none", "the same", ""],
        "Dice": ["0.9950", "none", "0.9995", ""],
    }


def test_without_a_second_run_of_a_nothing_is_said_about_its_noise_in_the_table() -> None:
    text = page(pair(Rung.WITHIN, "image", max=0.5, ssim=0.99, checks={"max": (0.5, 1.0)}))
    assert rows(text)["largest difference"] == ["0.5", "≤\u00a01", "kept"]
    assert "A was not run twice" in text
    assert "A, run twice, gives the same" in page(pair(Rung.WITHIN, "image", checks={"max": (0.5, 1.0)}), noise={})


def test_a_limit_that_noise_excuses_is_not_told_as_broken() -> None:
    text = page(pair(Rung.NOISE, "image", max=2, checks={"max": (2.0, 1.0)}), noise={"image": 0.1})
    assert rows(text)["largest difference"][-1] == "within noise"
    assert "not kept" not in text.partition("What the words mean")[0]


@pytest.mark.parametrize(
    ("a", "b", "title"),
    [("/x/a.yaml", "/x/b.yaml", "a.yaml against b.yaml"), ("/x/a/j.yaml", "/x/b/j.yaml", "a/j.yaml against b/j.yaml")],
)
def test_the_title_tells_two_of_one_name_apart(a: str, b: str, title: str) -> None:
    assert f"<h1>{title}</h1>" in page_of(Comparison(a, b, []))


def test_an_object_without_a_partner_and_a_text_that_differs_have_no_number() -> None:
    text = page(pair(Rung.DIFFERENT, "labels", **LABELS | {"checks": {"iou": (None, 0.9)}}))
    assert rows(text)["IoU of the worst object"] == ["some have no partner", "≥\u00a00.9", "not kept"]
    text = page(pair(Rung.DIFFERENT, "table", checks={"over_tolerance": (1e300, 1.0)}))
    assert rows(text)["worst value over its tolerance"] == ["beyond any", "≤\u00a01", "not kept"]


@pytest.mark.parametrize("kind", OF_KIND)
def test_every_term_of_a_table_is_explained_in_a_line_on_the_page(kind: str) -> None:
    text = page(pair(Rung.DIFFERENT, kind, **dict.fromkeys(OF_KIND[kind], 0.5)))
    for name in OF_KIND[kind]:
        assert f'href="#term-{name}"' in text
        (meaning,) = re.findall(rf'<dt id="term-{re.escape(name)}">.*?</dt><dd>(.*?)</dd>', text)
        assert 20 < len(meaning) < 110
    assert "A limit is not kept, or what must be equal is not." in text
    assert set(OF_KIND[kind]) <= set(TERMS)


def test_the_page_says_first_whether_b_can_be_trusted() -> None:
    good, bad = page(pair(Rung.SAME, "image")), page(pair(Rung.DIFFERENT, "labels", **LABELS))
    assert "Can I trust B? Yes" in good
    assert "Can I trust B? Look before you do." in bad
    assert bad.index("Can I trust B?") < bad.index("<table")
    assert not re.search(r"in the one|\bworst \d|the one (file|folder|segment)", good + bad)


def test_environments_and_files_that_agree_are_folded_away_even_where_packages_differ() -> None:
    side = Side("old", {"kind": "uv", "packages": {"numpy": "1.26.4"}}), Side("new", {"kind": "uv", "packages": {}})
    text = page(pair(Rung.SAME, "image"), pair(Rung.DIFFERENT, "labels", 1, **LABELS), a=side[0], b=side[1])
    assert "<summary>Environments" in text
    assert "<summary>1 file agrees</summary>" in text
    assert "<details open" not in text
    assert text.index("not kept") < text.index("<summary>Environments")


def test_objects_of_a_table_say_what_became_of_them() -> None:
    measures = LABELS | {
        "split": [{"object": 8, "parts": [8, 18], "centre": [1, 1]}],
        "merged": [{"object": 5, "parts": [5, 6], "centre": [1, 1]}],
        "worst": [
            {"side": side, "object": number, "iou": iou, "best": best, "pixels": 9, "centre": [1.0, 2.5]}
            for side, number, iou, best in [
                ("A", 16, 0.0, None), ("B", 3, 0.2, 7), ("A", 6, 0.4, 5), ("A", 8, 0.6, 8), ("A", 2, 0.8, 4),
            ]
        ],
    }  # fmt: skip
    text = page(pair(Rung.DIFFERENT, "labels", **measures))
    for row in (
        "16 of A</td><td>lost<",
        "3 of B</td><td>new, overlaps most with 7 in A<",
        "6 of A</td><td>one of 5, 6 in A, which are 5 in B<",
        "8 of A</td><td>is 8, 18 in B<",
        "2 of A</td><td>is 4 in B, with another outline<",
    ):
        assert row in re.sub(r' data-name="[^"]*"', "", text), row
    assert "The 5 objects that differ most" in text


def test_names_and_captions_cannot_break_the_page() -> None:
    one = pair(Rung.DIFFERENT, "labels", **LABELS)
    one.pictures = [Picture('pictures/"><i>.webp', "<b>x</b>", 10, 20)]
    text = page(one)
    assert "<b>x</b>" not in text
    assert 'src="pictures/&#34;&gt;&lt;i&gt;.webp"' in text


def test_a_template_refuses_what_the_code_does_not_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = page_data.of_pair
    monkeypatch.setattr(
        page_data, "of_pair", lambda pair, part: {k: v for k, v in whole(pair, part).items() if k != "worst"}
    )
    with pytest.raises(UndefinedError, match="worst"):
        page(pair(Rung.DIFFERENT, "labels", **LABELS))


def test_a_comparison_loads_no_templates_before_its_end() -> None:
    code = "import sys, runner.compare.report; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
