from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.lab import PRIVATE
from tests.uv.shop import Shop


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for a worker: uv then knows the Pythons of the machine already."""
    return tmp_path_factory.mktemp("uv cache")


@pytest.fixture
def shop(tmp_path: Path, uv_cache: Path) -> Shop:
    """A repository in a folder with blanks and umlauts, with a home folder of its own."""
    repo = tmp_path / "Labor für 'ER'"
    home = tmp_path / "home"
    repo.mkdir()
    home.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    environ |= {"HOME": str(home), "USERPROFILE": str(home), "UV_CACHE_DIR": str(uv_cache)}
    environ |= {"UV_PYTHON_DOWNLOADS": "never", "UV_OFFLINE": "1"}
    return Shop(repo, environ)
