"""The network against the reference implementation's answer, in PyTorch and without it."""

import pytest


def test_logits_are_the_references_however_the_same_weights_are_wrapped(engine, tmp_path):
    differences = engine.ask("conformance", engine.name, tmp_path)
    assert set(differences) == {"official", "bare", "prefixed"}
    for name, difference in differences.items():
        assert difference == pytest.approx(0, abs=1e-4), name
