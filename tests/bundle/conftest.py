from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the group with pip is made, once."""
    return tmp_path_factory.mktemp("environments of bundles")
