"""The runner itself on a Windows' Python under Wine, where somebody has made one (see tests/support/wine.py)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wine import Wine

REPO = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif("TEST_WINE" not in os.environ, reason="TEST_WINE names no Python under Wine")
# what Wine can: no Ctrl-Break reaches a process there, and a job knows no peak of memory
TRIED = "not ctrl_break and not short_peak"


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wine, Path]]:
    """The Windows, and a copy of the repository with a `.venv` of its own."""
    wine = Wine(Path(os.environ["TEST_WINE"]))
    copy = tmp_path_factory.mktemp("copy") / "repo"
    shutil.copytree(REPO, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "__pycache__", ".*_cache"))
    yield wine, copy
    wine.close()


@pytest.mark.parametrize(
    "part",
    [
        "tests/acceptance/test_on_windows.py",
        "tests/process/test_process_windows_jobs.py tests/process/test_process_identity.py tests/unit/test_locks.py",
        "tests/conda/test_conda_windows.py tests/imagej tests/wsl",
        "tests/login",
    ],
)
def test_the_tests_of_windows_pass_on_wine(wine: tuple[Wine, Path], part: str) -> None:
    windows, copy = wine
    done = windows.run(windows.python, "-m", "tests", "-n", "0", "-k", TRIED, *part.split(), cwd=copy, timeout=1800)
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said + done.stderr.decode("utf-8", "replace")
    assert " passed" in said
