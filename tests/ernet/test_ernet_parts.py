"""Tiles, memory, preparation and measures, each by itself."""

import os

import pytest


def test_tiles_give_the_result_of_the_whole_image_exactly(engine, tmp_path):
    for size, found in engine.ask("tiles_against_whole", engine.name, tmp_path).items():
        assert found["labels"] == 0, size
        assert found["logits"] == 0, size
        if size == "96 x 128":
            assert (found["tiles"], found["kinds"]) == (12, 4)


def test_a_batch_for_which_memory_runs_out_is_halved_and_the_rest_goes_on_with_it(onnx):
    found = onnx.ask("memory_runs_out", 3 * 32 * 32)
    assert found["right"]
    assert found["batch"] == 2
    assert found["seen"][0] > 2
    assert found["seen"][-20:] == [2] * 20


def test_memory_that_does_not_do_for_one_tile_is_told_with_what_to_do(onnx):
    error = onnx.ask("memory_runs_out", 10)["error"]
    assert "not enough memory for one tile" in error
    assert "--tile-size" in error


def test_a_pytorch_for_gpus_that_finds_none_says_so_before_it_goes_on_slowly(pytorch, tmp_path):
    device, said = pytorch.ask("gpu_build_without_gpu", tmp_path)
    assert device == "cpu"
    assert "no GPU is used" in said
    assert "nvidia-smi" in said or "CUDA_VISIBLE_DEVICES" in said


def test_percentiles_are_those_of_numpy_for_every_kind_of_image(onnx):
    for low, high, numpy_low, numpy_high in onnx.ask("percentiles"):
        assert low == pytest.approx(numpy_low, rel=1e-6)
        assert high == pytest.approx(numpy_high, rel=1e-6)


def test_images_are_stretched_to_256_steps_and_constant_ones_are_black(onnx):
    found = onnx.ask("preparing")
    assert (found["low"], found["high"]) == (0, 1)
    assert found["steps"] < 1e-4
    assert found["flat"] == [4, 6, 0]


def test_measures_of_drawn_networks_are_what_was_drawn(onnx):
    found = onnx.ask("measuring")
    cross, ring = found["cross"], found["ring"]
    assert (cross["junctions"], cross["ends"], cross["loops"], cross["pieces"]) == (1, 4, 0, 1)
    assert cross["tubule_length_px"] == 98
    assert cross["tubule_length_um"] == 49
    assert (ring["junctions"], ring["ends"], ring["loops"], ring["pieces"]) == (0, 0, 1, 1)
    assert ring["tubule_length_px"] == pytest.approx(4 * 36, rel=0.05)
    assert ring["sheet_fraction"] == pytest.approx(300 / 876, abs=1e-4)
    assert found["nothing"]["tubule_length_px"] == found["nothing"]["foreground_fraction"] == 0
    assert found["left"] == 4 * 48


def test_a_crossing_of_diagonal_tubules_is_a_junction_and_no_loop(onnx):
    saltire = onnx.ask("measuring")["saltire"]
    assert (saltire["junctions"], saltire["ends"], saltire["loops"], saltire["pieces"]) == (1, 4, 0, 1)


def test_specks_are_removed_in_bands_with_the_same_result(onnx):
    assert onnx.ask("measuring")["bands"] is True


def test_bands_of_any_height_give_the_skeleton_and_the_graph_of_the_whole_mask(onnx):
    assert onnx.ask("bands_against_whole") == []


def test_tubules_much_wider_than_usual_have_the_skeleton_of_the_whole_mask(onnx):
    assert onnx.ask("wide_tubules") == {"disc": 0, "bar with branches": 0}


@pytest.mark.skipif(os.name == "nt", reason="the standard library does not tell the largest memory on Windows")
def test_measuring_takes_hardly_more_memory_than_the_mask(onnx):
    assert onnx.ask("memory_of_measuring") < 1.5
