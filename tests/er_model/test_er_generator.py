"""The synthetic images: the same from the same seed, and with a truth that is the drawn network."""

import pytest

KINDS = ["plain", "mixed", "sheets", "low-light"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_image_and_another_seed_another(er, kind):
    facts = er.inside("generator")[kind]
    assert (facts["same"], facts["other"]) == (True, True)
    assert facts["types"] == ["uint16", "uint8", [128, 128], [128, 128]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_brighter_than_what_lies_between(er, kind):
    facts = er.inside("generator")[kind]
    assert 0.08 < facts["share"] < 0.8
    assert facts["contrast"] > 1.15


def test_only_images_with_sheets_have_sheets_and_tubules_on_them(er):
    facts = er.inside("generator")
    assert {kind: facts[kind]["classes"] for kind in KINDS} == {
        "plain": [0, 1],
        "mixed": [0, 1],
        "sheets": [0, 1, 2, 3],
        "low-light": [0, 1],
    }


def test_gaps_are_missing_in_the_truth_too(er):
    assert 0.5 < er.inside("generator")["broken"] < 0.85


def test_darkness_takes_its_share_of_the_light(er):
    assert er.inside("generator")["dark"] == pytest.approx(0.1, abs=0.02)


def test_an_image_smaller_than_a_cell_of_the_network_is_made_too(er):
    assert er.inside("generator")["tiny"] == [16, 16]


def test_the_truth_of_a_line_is_the_pixels_within_its_radius(er):
    line = er.inside("drawn_line")
    assert line["rows"] == [18, 19, 20, 21, 22]
    assert line["light"] == pytest.approx([0, 0, 0.5, 1, 1, 1, 0.5, 0, 0], abs=0.03)


def test_measures_of_agreement_are_those_of_their_definitions(er):
    facts = er.inside("measures")
    assert facts["empty"] == [None, None]
    assert facts["nothing found"] == [0, 0]
    assert facts["thicker"] == [pytest.approx(2 * 30 / (30 + 160)), pytest.approx(1, abs=0.05)]  # but for its ends
    assert facts["half"] == [pytest.approx(2 * 15 / 45), pytest.approx(2 / 3, abs=0.01)]
