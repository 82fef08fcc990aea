"""Real children, and a proof after each test that none of them lives on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "a lab's földer"
    folder.mkdir()
    it = Bench(folder, f"test-{os.urandom(8).hex()}")
    yield it
    assert it.alive() == []
