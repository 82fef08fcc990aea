"""No Python of a conda or pixi environment becomes the base of what uv makes, unless there is no other."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.environments.uv.pythons import without_conda
from runner.environments.uv.stamp import venv_settings
from runner.host import this_host
from tests.conda.conda_layout import make_environment, with_own_python
from tests.uv.shop import Shop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these environments are laid out as on POSIX")
VERSION = "{}.{}".format(*sys.version_info[:2])
REAL = Path(os.path.realpath(sys.executable)).parent


def prepared(shop: Shop, *folders: Path, **environ: str) -> str:
    """Where the Python is that uv took."""
    path = ":".join(map(str, folders))
    site = shop.site(PATH=path, UV_PYTHON_PREFERENCE="only-system", **environ)
    shop.prepare(f"uv@{VERSION}:one", site)
    return venv_settings(shop.folder(f"uv@{VERSION}:one"))["home"]


@pytest.fixture
def pixi(shop: Shop) -> Path:
    return with_own_python(make_environment(shop.repo.parent / ".pixi" / "envs" / "default"))


def test_another_python_is_taken_though_condas_is_first_on_path(shop: Shop, pixi: Path) -> None:
    shop.write(one=[])
    home = prepared(shop, pixi / "bin", REAL, CONDA_PREFIX=str(pixi), PIXI_IN_SHELL="1")
    assert not home.startswith(str(pixi))


def test_condas_is_taken_where_there_is_no_other(shop: Shop, pixi: Path) -> None:
    shop.write(one=[])
    assert prepared(shop, pixi / "bin") == str(pixi / "bin")


def test_path_of_windows_loses_the_folder_of_condas_python_alone(tmp_path: Path) -> None:
    conda = make_environment(tmp_path / "conda")
    host = replace(this_host(interactive=False), platform="win32")
    path = f"{conda};{conda}/Scripts;{conda}/Library/bin;C:\\Windows"
    assert without_conda(replace(host, environ={"Path": path})) == {"Path": path.partition(";")[2]}
    assert without_conda(replace(host, environ={"Path": "C:\\Windows"})) == {}
