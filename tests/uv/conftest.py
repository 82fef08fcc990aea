from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.lab import PRIVATE
from tests.uv.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A repository in a folder with blanks and umlauts, with a cache and a home folder of its own."""
    repo = tmp_path / "Labor für 'ER'"
    home = tmp_path / "home"
    repo.mkdir()
    home.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    environ |= {"HOME": str(home), "USERPROFILE": str(home), "UV_CACHE_DIR": str(tmp_path / "cache")}
    environ |= {"UV_PYTHON_DOWNLOADS": "never", "UV_OFFLINE": "1"}
    return Shop(repo, environ)
