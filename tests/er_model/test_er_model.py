"""The default model that ships: what its file says, that tiles are exact, and how well it does."""

import json

import pytest

from tests.programs.conftest import REPO

MODELS = REPO / "standard_code" / "models"

# Foreground Dice on two small images of each kind is higher by about 0.02; the rest is for other processors.
LEAST = {"plain": 0.94, "mixed": 0.94, "sheets": 0.97, "low-light": 0.92}


def test_the_file_is_small_and_says_how_to_use_it(er):
    file = er.inside("model_file")
    assert file["bytes"] < 1_000_000
    assert file["opset"] == 17
    assert file["inputs"] == {"image": ["n", 1, "h", "w"]}
    assert file["outputs"] == {"logits": ["n", 4, "h", "w"]}
    metadata = file["metadata"]
    assert metadata["classes"] == "background,tubule,sheet,SBT"
    assert (metadata["multiple"], metadata["halo"]) == ("8", "48")
    assert {"version", "seed", "iterations", "parameters"} <= set(metadata)


def test_tiles_with_the_halo_give_what_the_whole_image_gives(er):
    tiles = er.inside("tiles")
    assert tiles["labels"] == 0
    assert tiles["difference"] < 1e-4


def test_what_lies_beyond_the_halo_changes_nothing(er):
    tiles = er.inside("tiles")
    assert tiles["far"] < 1e-4
    assert tiles["near"] > 0.01  # but what lies within it does


@pytest.mark.parametrize("kind", LEAST)
def test_images_that_it_was_not_trained_on_are_segmented(er, kind):
    assert er.inside("accuracy")[kind]["foreground"] >= LEAST[kind]


def test_the_figures_reach_what_was_asked_for():
    figures = json.loads((MODELS / "er_default.json").read_text(encoding="utf-8"))
    for kind in LEAST:
        dice = {method: each["foreground"] for method, each in figures[kind].items()}
        own = dice.pop("model")
        del dice["model, eight orientations"]
        assert own >= 0.93
        assert own >= max(dice.values()) + 0.03


def test_the_model_card_shows_the_figures(er):
    lines = (MODELS / "er_default.md").read_text(encoding="utf-8").splitlines()
    assert set(er.inside("card")) <= set(lines)


def test_tubules_sheets_and_tubules_on_them_are_told_apart(er):
    figures = er.inside("accuracy")["sheets"]
    assert (figures["tubule"] > 0.85, figures["sheet"] > 0.85, figures["SBT"] > 0.7) == (True, True, True)


def test_any_size_is_taken_and_a_constant_image_is_background(er):
    accuracy = er.inside("accuracy")
    assert accuracy["shape"] == [33, 130]
    assert accuracy["constant"] == 0


def test_the_vessels_of_a_real_retina_are_followed(er):
    retina = er.inside("retina")
    assert 0.05 < retina["share"] < 0.25
    assert retina["of vessels"] > 0.7
