"""What the tests of conda environments share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments import Site
from runner.host import this_host
from tests.conda.conda_layout import Counting, make_base
from tests.programs.conftest import shared
from tests.support.conda_channel import make_channel
from tests.support.real_conda import RealConda, library, make_real_base, real_conda

__all__ = ["shared"]  # a fixture: what all test processes share


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make_base(tmp_path / "mini forge")


@pytest.fixture(params=["laid out by hand", "real conda"])
def any_base(request: pytest.FixtureRequest, tmp_path: Path, shared: Path) -> Path:
    """A base installation, without a conda program that could be asked and with one."""
    folder = tmp_path / "mini forge"
    return make_base(folder) if request.param == "laid out by hand" else make_real_base(folder, library(shared))


@pytest.fixture
def conda(tmp_path: Path, shared: Path) -> RealConda:
    """A real conda with a base installation of the test's own; skips where none can be had."""
    return real_conda(tmp_path / "mini förge", tmp_path / "home", shared)


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """A channel that conda can make environments from without a network."""
    return make_channel(tmp_path / "chännel 1")


@pytest.fixture
def site_of(tmp_path: Path) -> Callable[..., Site]:
    """A site whose home and environment variables are the test's own; processes are real."""
    repo = tmp_path / "repo"
    repo.mkdir()
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)

    def make(dotenv: Mapping[str, str] | None = None, **environ: str) -> Site:
        host = this_host(interactive=False)
        given = {"PATH": "/usr/bin:/bin", "HOME": str(home), **environ}
        real = host.which
        host = replace(
            host,
            environ=given,
            home=home,
            which=lambda name: None if name in ("conda", "mamba", "micromamba") else real(name),
            capture=Counting(host.capture),
        )
        return Site(host, repo, dotenv or {}, repo / ".venvs")

    return make
