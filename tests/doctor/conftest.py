from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.doctor.machine import Machine
from tests.support.lab import PRIVATE
from tests.uv.shop import Shop


@pytest.fixture(scope="session")
def doctors_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv cache")


@pytest.fixture
def machine(tmp_path: Path, doctors_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A repository with a group `plain` and its lock, and nothing else of this computer."""
    repo, home, programs = tmp_path / "répo sitory", tmp_path / "home", tmp_path / "programs"
    for folder in (repo, home, programs):
        folder.mkdir()
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PRIVATE)}
    environ |= {"HOME": str(home), "USERPROFILE": str(home), "UV_CACHE_DIR": str(doctors_cache)}
    environ |= {"UV_PYTHON_DOWNLOADS": "never", "UV_OFFLINE": "1"}
    monkeypatch.setattr("runner.environments.conda.base.usual_folders", lambda host: [])
    monkeypatch.setattr("runner.environments.imagej.launcher.usual_folders", lambda host: [host.home / "Fiji.app"])
    # of any version: 3.11, the default, need not be on this computer
    shop = Shop(repo, environ, more='[tool.uv.dependency-groups]\nplain = { requires-python = ">=3.11" }\n')
    return Machine(shop.write(plain=[]), programs)
