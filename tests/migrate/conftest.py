from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.places import Place


@pytest.fixture(scope="session")
def uv_cache_of_migrate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for a worker: uv then knows the Pythons of the machine already."""
    return tmp_path_factory.mktemp("uv cache")


@pytest.fixture
def place(tmp_path: Path, uv_cache_of_migrate: Path) -> Place:
    """A repository in a folder with blanks, quotes and umlauts."""
    return Place(tmp_path, uv_cache_of_migrate).make()
